package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

// TestVerify: each verdict that a ledger can give, for people and for programs.
func TestVerify(t *testing.T) {
	s := boot(t, onSandbox(t.TempDir())...)
	lines, issuing, subject := s.printed(t), s.field(t, "Issuer"), s.field(t, "Subject")
	at := "--sandbox-listen=" + lines.sandbox
	request := func(credential, more string) {
		t.Helper()
		body := `{"subject":"` + subject + `","credential":"` + credential + `","documents":{"reason":"please"}` + more + `}`
		if status, answer := paste(t, []string{"", "Content-Type: application/json", "POST", body, s.field(t, "HTTP") + "/credential"}); status != 201 {
			t.Fatalf("%d %s", status, answer)
		}
	}
	verify := func(credential string, status int, valid bool, reasons string, texts ...string) {
		t.Helper()
		out, log, got := command(t, "verify", issuing, subject, credential, at)
		if got != status || log != map[bool]string{true: "", false: "issuer: not valid\n"}[valid] {
			t.Errorf("%s: %d %s%s", credential, got, out, log)
		}
		for _, want := range append(texts, "'"+credential+"' of "+subject+", issued by "+issuing, "    ledger ", ", validated, closed ", "    hash ") {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %q is not in %s", credential, want, out)
			}
		}
		out, _, got = command(t, "verify", "--json", issuing, subject, credential, at)
		var v struct {
			Valid       bool
			Reasons     []string
			LedgerHash  string `json:"ledger_hash"`
			LedgerIndex uint32 `json:"ledger_index"`
			Entry       map[string]any
		}
		if err := json.Unmarshal([]byte(out), &v); err != nil || got != status || v.Valid != valid || strings.Join(v.Reasons, " ") != reasons || len(v.LedgerHash) != 64 || v.LedgerIndex == 0 ||
			(v.Entry == nil) != strings.HasPrefix(reasons, "absent") || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %d %s %v", credential, got, out, err)
		}
	}
	verify("Member", 1, false, "absent", "NOT VALID: ", "because  there is no such credential on the ledger")
	request("Member", `,"expiration":"2100-01-02T03:04:05Z","uri":"https://example.org/m"`)
	verify("Member", 1, false, "notAccepted", "NOT VALID: ", "because  its subject has not accepted it", "expires  2100-01-02T03:04:05Z", "uri      https://example.org/m")
	lines.accept(t, issuing, "Member")
	verify("Member", 0, true, "", "VALID: ", "expires  2100-01-02T03:04:05Z")
	// Of another issuer: the subject's own word for itself.
	out, _, status := command(t, "verify", subject, subject, "Member", at)
	if status != 1 || !strings.Contains(out, "because  the subject has one of this type from another issuer\n    from     "+issuing+"\n") {
		t.Errorf("%d %s", status, out)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	// Nobody answers: that is no verdict.
	out, log, status := command(t, "verify", issuing, subject, "Member", at)
	if status != 3 || out != "" || !strings.Contains(log, "sandbox answers nothing") || !strings.Contains(log, "is the service running?") {
		t.Errorf("%d %s%s", status, out, log)
	}
	if out, log, status := command(t, "verify", issuing, subject, "Member", "--xrpl-network=ws://me:hush@127.0.0.1:1"); status != 3 || out != "" || strings.Contains(log, "hush") || !strings.Contains(log, "XRPL_NETWORK") {
		t.Errorf("%d %s%s", status, out, log)
	}
}

func TestVerifyWrongUse(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"needs ISSUER, SUBJECT and TYPE"}},
		{[]string{edAddress, secpAddress}, []string{"needs ISSUER, SUBJECT and TYPE"}},
		{[]string{"r", edSeed, strings.Repeat("a", 65), "--xrpl-network=moon"}, []string{"ISSUER ", "SUBJECT ", "TYPE must", "XRPL_NETWORK must be"}},
	} {
		_, log, status := command(t, append([]string{"verify"}, tc.args...)...)
		if status != 2 || strings.Contains(log, edSeed) {
			t.Errorf("%q: %d %s", tc.args, status, log)
		}
		for _, want := range tc.want {
			if !strings.Contains(log, want) {
				t.Errorf("%q: %q is not in %s", tc.args, want, log)
			}
		}
	}
}

// TestVerdictOnATerminal: what others wrote on the ledger cannot act on the terminal.
func TestVerdictOnATerminal(t *testing.T) {
	var out strings.Builder
	v := model.Verdict{Valid: true, Type: "\x1b[2J", Found: &model.Credential{URI: "a\x1b]0;x\a"}}
	if err := showVerdict(console{out: &out}, v, false); err != nil || strings.ContainsAny(out.String(), "\x1b\a") || !strings.Contains(out.String(), "(BIN) 1B5B324A") {
		t.Errorf("%q, %v", out.String(), err)
	}
	for err, want := range map[error]int{errNotValid: 1, errUndecided{errNotValid}: 3, errUndecided{errors.New("x")}: 3} {
		if got := exitStatus(err); got != want {
			t.Errorf("%v: %d", err, got)
		}
	}
}
