package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// refusals are attacks by a node that refuses what it passes on.
var refusals = []attack{
	{name: "node: refuses what it passes on", on: onPlain, run: refusingNode},
}

// refusedTime is how long the refused operations may take to end.
const refusedTime = 60 * time.Second

// refusingNode stands between a service of its own and the ledger, passes every submission on, and answers that it is
// malformed. The service must not take that for the end: the ledger has the credential, once, and the client is told so.
func refusingNode(ctx context.Context, r *round) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	node := &http.Server{Handler: refusing("http://" + r.w.node.Address), ReadHeaderTimeout: patience}
	go func() { _ = node.Serve(listener) }()
	defer func() { _ = node.Close() }()
	account, err := r.w.node.Fund(ctx, "", 1000)
	if err != nil {
		return err
	}
	address, err := programs.FreeAddress(ctx)
	if err != nil {
		return err
	}
	dir := filepath.Join(r.dir, "refused")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	process, err := programs.Start("refused", r.w.issuerProgram, dir, []string{"XRPL_NETWORK=http://" + listener.Addr().String(),
		"ISSUER_ACCOUNT_SEED=" + account.Seed, "DATA_DIR=" + dir, "HTTP_LISTEN=" + address, "WAIT_LIMIT=" + refusedTime.String()})
	if err != nil {
		return err
	}
	defer process.Kill()
	const credential = "Refused"
	subject := account.Address // of itself: nobody else is needed
	status, said, err := askOnce(ctx, process, address, subject, credential)
	if err != nil {
		return err
	}
	r.heard(fmt.Sprint(status))
	if status != http.StatusCreated {
		r.fault("the client is told %d %.200s of a credential that the ledger has", status, said)
	}
	list, err := r.w.node.Credentials(ctx, account.Address)
	if err != nil {
		return err
	}
	if n := list[programs.Entry{Subject: subject, Type: strings.ToUpper(hex.EncodeToString([]byte(credential)))}]; n != 1 {
		r.fault("%d credentials are on the ledger", n)
	}
	return nil
}

// askOnce asks a service for a credential as soon as it answers.
func askOnce(ctx context.Context, process *programs.Process, address, subject, credential string) (status int, said []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, refusedTime)
	defer cancel()
	body, err := json.Marshal(map[string]any{"subject": subject, "credential": credential, "documents": map[string]string{"reason": "please"}})
	if err != nil {
		return 0, nil, err
	}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/credential", bytes.NewReader(body))
		if err != nil {
			return 0, nil, err
		}
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			defer func() { _ = answer.Body.Close() }()
			said, err = io.ReadAll(answer.Body)
			return answer.StatusCode, said, err
		}
		if ctx.Err() != nil || !process.Alive() {
			return 0, nil, fmt.Errorf("the service does not answer: %w: %s", err, process.Said())
		}
		programs.Sleep(ctx, 50*time.Millisecond)
	}
}

// refusing passes JSON-RPC requests on to a node, and calls what is submitted malformed.
func refusing(node string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(io.LimitReader(q.Body, 1<<20))
		if err != nil {
			return
		}
		request, err := http.NewRequestWithContext(q.Context(), http.MethodPost, node, bytes.NewReader(body))
		if err != nil {
			return
		}
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			http.Error(w, "no answer", http.StatusBadGateway)
			return
		}
		defer func() { _ = answer.Body.Close() }()
		said, err := io.ReadAll(answer.Body)
		if err != nil {
			return
		}
		if bytes.Contains(body, []byte(`"submit"`)) {
			said = bytes.ReplaceAll(said, []byte(`"engine_result":"tesSUCCESS"`), []byte(`"engine_result":"temMALFORMED"`))
		}
		_, _ = w.Write(said)
	})
}
