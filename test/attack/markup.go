package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

var markup = []attack{
	{name: "markup and controls in every field", on: onPlain, run: hostileFields},
	{name: "markup and controls in what CLIs show", on: onPlain, run: hostileCommands},
	{name: "hostile words to the one with TLS", on: onTLS, run: hostileHeaders},
}

// hostileFields puts what a terminal or a browser would act on into each field of each request. [round.inspect] looks at
// every answer, and the logs are looked at in the end.
func hostileFields(ctx context.Context, r *round) error {
	refused := []int{http.StatusBadRequest, http.StatusNotFound, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusUnauthorized, http.StatusUnsupportedMediaType}
	secp, ed, err := r.w.take()
	if err != nil {
		return err
	}
	r.w.subjects <- ed
	for i, h := range hostile {
		good := map[string]any{"subject": secp.address, "credential": "Member", "documents": map[string]any{"name": "x", "email": "a@example.org"}}
		fields := map[string]any{"subject": h, "credential": h, "expiration": h, "uri": h, "renew": h, h: h,
			"documents": map[string]any{"name": h, "email": h, h: h}, "proof": map[string]any{"nonce": h, "public_key": h, "signature": h, h: h}}
		for name, value := range fields {
			body := map[string]any{}
			for k, v := range good {
				body[k] = v
			}
			if name == "expiration" || name == "uri" || name == h { // beside a proof that does not hold, so that nothing is granted
				body["proof"] = map[string]any{"nonce": "x", "public_key": secp.public, "signature": "00"}
			}
			body[name] = value
			r.refuse(ctx, "field "+name, refused, http.MethodPost, "/credential", text(body))
		}
		quoted := url.PathEscape(h)
		r.refuse(ctx, "challenge", refused, http.MethodPost, "/challenge", text(map[string]any{"subject": h, h: h}))
		r.refuse(ctx, "revocation", refused, http.MethodDelete, "/admin/credential", text(map[string]any{"subject": h, "credential": h}), bearer(r.tokens["admin"]))
		r.refuse(ctx, "rejection", refused, http.MethodPost, "/admin/request/00000000000000000000000000/reject", text(map[string]any{"reason": h}), bearer(r.tokens["reviewer"]))
		for _, path := range []string{"/" + quoted, "/credential/" + quoted + "/x/y", "/credential/self/" + quoted + "/y", "/credential/self/" + secp.address + "/" + quoted + "x%00", "/operations/" + quoted, "/request/" + quoted + "?secret=" + url.QueryEscape(h), "/admin/batch/" + quoted, "/admin/" + quoted} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				if len(path) > 4000 && strings.Contains(path, "secret") {
					continue
				}
				a, err := r.send(ctx, method, path, "", bearer(r.tokens["admin"]))
				r.expect(method+" "+path[:min(len(path), 40)], a, err, append(refused, http.StatusMethodNotAllowed, http.StatusOK)...)
			}
		}
		for _, path := range []string{"/admin/credential?accepted=", "/admin/request?state=", "/admin/request?after=", "/admin/request?limit=", "/admin/audit?after=", "/admin/audit?limit=", "/admin/status?", "/admin/audit?" + url.QueryEscape(h) + "="} {
			r.refuse(ctx, path, refused, http.MethodGet, path+url.QueryEscape(h), "", bearer(r.tokens["admin"]))
		}
		// A batch of rows of nothing but this: each row is its own failure, and the batch is empty.
		for media, body := range map[string]string{"application/x-ndjson": text(map[string]any{"subject": h, "credential": h, "documents": map[string]any{h: h}}) + "\n" + strings.ReplaceAll(h, "\n", " ") + "\n",
			"text/csv": "subject,credential,reason\n" + strings.Repeat(`"`+strings.ReplaceAll(h, `"`, `""`)+`",`, 2) + "please\n"} {
			a, err := r.send(ctx, http.MethodPost, "/admin/credential/batch", body, header{"Content-Type", media}, bearer(r.tokens["admin"]))
			r.expect("a batch", a, err, append(refused, http.StatusAccepted)...)
			var batch struct{ ID string }
			if a.status == http.StatusAccepted && json.Unmarshal(a.body, &batch) == nil {
				a, err := r.send(ctx, http.MethodGet, "/admin/batch/"+batch.ID, "", bearer(r.tokens["reader"]))
				r.expect("its rows", a, err, http.StatusOK)
			}
		}
		if plainHeader := strings.Map(func(c rune) rune {
			if c == '\r' || c == '\n' || c == 0 {
				return -1 // Go's client does not send these; the raw one below does
			}
			return c
		}, h); len(plainHeader) < 1000 {
			for _, name := range []string{"User-Agent", "X-Request-ID", "Idempotency-Key", "Prefer", "X-Forwarded-For", "Accept", "Origin", "Referer", "Authorization"} {
				answers, err := r.raw(ctx, patience, "POST /credential HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"+name+": "+h+"\r\n\r\n{}")
				if err != nil {
					return err
				}
				for _, a := range answers {
					r.expect("header "+name, a, nil, refused...)
					if a.header.Get("Set-Cookie") != "" {
						r.fault("a header of ours came back as another one")
					}
				}
			}
		}
		_ = i
	}
	// What is let in: documents, as far as the schema says no more, and a reviewer's reason. Reviewers and applicants read
	// them on a terminal.
	var words strings.Builder
	for _, h := range hostile[:len(hostile)-1] {
		words.WriteString(h)
	}
	id, secret, err := r.ask(ctx, secp, text(map[string]any{"name": r.w.mark + words.String(), words.String(): words.String()}))
	if err != nil {
		return err
	}
	a, err := r.send(ctx, http.MethodGet, "/admin/request/"+id, "", bearer(r.tokens["reviewer"]))
	r.expect("documents of hostile words", a, err, http.StatusOK)
	var read struct {
		Documents struct{ Name string } `json:"documents"`
	}
	if err := json.Unmarshal(a.body, &read); err != nil || read.Documents.Name != r.w.mark+words.String() {
		r.fault("the reviewer does not read what was handed in: %q, %v", read.Documents.Name, err)
	}
	for _, h := range []string{"\u202eno\u202c", "<b>no</b>", "no\x1b[2J", "no\u009b", "no\r\nX: y", "no\x00"} {
		a, err := r.send(ctx, http.MethodPost, "/admin/request/"+id+"/reject", text(map[string]any{"reason": h}), bearer(r.tokens["reviewer"]))
		r.expect("a reason", a, err, http.StatusOK, http.StatusBadRequest, http.StatusConflict)
	}
	a, err = r.send(ctx, http.MethodGet, "/request/"+id+"?secret="+secret, "")
	r.expect("the applicant, who was rejected", a, err, http.StatusOK)
	for _, path := range []string{"/admin/request?limit=1000", "/admin/audit?limit=1000", "/admin/credential"} {
		a, err := r.send(ctx, http.MethodGet, path, "", bearer(r.tokens["admin"]))
		r.expect(path, a, err, http.StatusOK)
	}
	return nil
}

// hostileHeaders is for the log in JSON of the service with TLS.
func hostileHeaders(ctx context.Context, r *round) error {
	for _, h := range hostile {
		if len(h) > 1000 {
			continue
		}
		answers, err := r.raw(ctx, patience, "GET /"+url.PathEscape(h)+"?"+url.QueryEscape(h)+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nUser-Agent: "+h+"\r\nX-Request-ID: "+h+"\r\n\r\n")
		if err != nil {
			return err
		}
		for _, a := range answers {
			r.expect("hostile words", a, nil, http.StatusNotFound, http.StatusBadRequest)
		}
	}
	return nil
}

// hostileCommands looks at what the command lines print of names, reasons, paths and what strangers wrote on the ledger.
func hostileCommands(ctx context.Context, r *round) error {
	look := func(name, out, said string) {
		for _, text := range []string{out, said} {
			if at := unprintable([]byte(text), false); at >= 0 {
				r.fault("%s prints %q raw", name, around([]byte(text), at))
			}
			for _, leak := range r.w.leaks([]byte(text), true) {
				r.fault("%s prints %s", name, leak)
			}
		}
		r.heard("command")
	}
	for _, h := range hostile {
		if strings.ContainsRune(h, 0) {
			continue // no command line can hold it
		}
		out, said, err := r.command(ctx, "token", "create", "--name", h, "--role", "reader")
		if err == nil {
			r.fault("a token was made with the name %q", h)
		}
		look("token create", out, said)
		out, said, err = r.command(ctx, "token", "revoke", h)
		if err == nil {
			r.fault("a token was revoked by the name %q", h)
		}
		look("token revoke", out, said)
		if r.short {
			continue
		}
		out, said, _ = r.command(ctx, h)
		look("a command", out, said)
		out, said, _ = r.command(ctx, "audit", "verify", "--head", h)
		look("audit verify --head", out, said)
		out, said, _ = r.command(ctx, "verify", h, h, h)
		look("verify", out, said)
	}
	for _, words := range [][]string{{"token", "list"}, {"token", "list", "--json"}, {"audit", "export"}, {"audit", "verify"}} {
		out, said, err := r.command(ctx, words...)
		if err != nil {
			r.fault("%v: %v %s", words, err, said)
		}
		look(strings.Join(words, " "), out, said)
	}
	// A stranger issues credentials to a subject, with whatever can be written on the ledger.
	stranger, subject, err := r.w.take()
	if err != nil {
		return err
	}
	for _, h := range []string{"\x1b[2J\x1b]0;x\x07", "\u202egnp", "<script>", "a\r\nb", "\u009b2J", "\x00\x01\x7f", "\xff\xfe"} {
		var sent json.RawMessage
		err := r.w.node.Call(ctx, "submit", map[string]any{"secret": stranger.text, "tx_json": map[string]any{"TransactionType": "CredentialCreate", "Account": stranger.address,
			"Subject": subject.address, "CredentialType": strings.ToUpper(hex.EncodeToString([]byte(h))), "URI": strings.ToUpper(hex.EncodeToString([]byte("https://x/" + h)))}}, &sent)
		if err != nil {
			return err
		}
	}
	var accounts json.RawMessage
	if err := r.w.node.Call(ctx, "ledger_accept", nil, &accounts); err != nil {
		programs.Sleep(ctx, 3*closeInterval)
	}
	for _, words := range [][]string{{"--list"}, {"--list", "--json"}, {"--all"}, {"--all", "--json"}} {
		out, said, err := r.accept(ctx, subject, words...)
		if err != nil && words[0] != "--all" {
			r.fault("accept %v: %v %s", words, err, said)
		}
		if words[0] == "--list" && !strings.Contains(out, stranger.address) {
			r.fault("accept %v does not list what the stranger issued: %.300q", words, out)
		}
		look(fmt.Sprint("accept ", words), out, said)
	}
	// Verification of what strangers issued.
	for _, h := range []string{"\x1b[2J\x1b]0;x\x07", "\u202egnp"} {
		a, err := r.send(ctx, http.MethodGet, "/credential/"+stranger.address+"/"+subject.address+"/"+strings.ToUpper(hex.EncodeToString([]byte(h))), "")
		r.expect("a stranger's credential", a, err, http.StatusOK, http.StatusBadRequest)
	}
	return nil
}

func (r *round) accept(ctx context.Context, as wallet, args ...string) (out, said string, err error) {
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(ctx, r.w.acceptProgram, args...)
	cmd.Env = append(programs.Environment(), "XRPL_NETWORK=ws://"+r.w.node.Address, "SUBJECT_ACCOUNT_SEED="+as.text)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.dir, &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}
