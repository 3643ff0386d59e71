package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

const body = `{"hash":"AB","ctid":"C1","ledger_index":7,"close_time_iso":"2026-01-01T00:00:00Z","validated":true,
 "engine_result":"tesSUCCESS","tx_json":{"Account":"rGtnKx7veDhV9CgYenkiCV5HMLpgU2BfcQ","TransactionType":"CredentialAccept","Note":"` +
	"\u009b2J\u202e\x7f\U0001F600" + `"}}`

func done() model.Validated {
	return model.Validated{Hash: "AB", CTID: "C1", LedgerIndex: 7, EngineResult: "tesSUCCESS", EngineResultMessage: "Applied.\x1b[2J", Body: json.RawMessage(body)}
}

func onlyPrintable(t *testing.T, s string) {
	t.Helper()
	for i := range len(s) {
		if s[i] != '\n' && (s[i] < 0x20 || s[i] > 0x7e) {
			t.Fatalf("byte %#x at %d reaches the terminal: %q", s[i], i, s)
		}
	}
}

func TestPrintAccepted(t *testing.T) {
	var w bytes.Buffer
	if err := printAccepted(&w, false, cred("T"), done()); err != nil {
		t.Fatal(err)
	}
	onlyPrintable(t, w.String())
	for _, want := range []string{`"TransactionType": "CredentialAccept"`, "'T' issued by " + string(issuer), "tesSUCCESS: Applied.", "hash    AB", "ctid    C1", "ledger  7, validated, closed 2026-01-01T00:00:00Z"} {
		if !strings.Contains(w.String(), want) {
			t.Errorf("%q is missing in\n%s", want, w.String())
		}
	}
}

func TestPrintAcceptedForPrograms(t *testing.T) {
	var w bytes.Buffer
	if err := printAccepted(&w, true, cred("T"), done()); err != nil {
		t.Fatal(err)
	}
	onlyPrintable(t, w.String())
	if strings.Count(w.String(), "\n") != 1 {
		t.Errorf("not one line: %q", w.String())
	}
	var got, want any
	if err := json.Unmarshal(w.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(body), &want); err != nil {
		t.Fatal(err)
	}
	g, _ := json.Marshal(got)
	e, _ := json.Marshal(want)
	if !bytes.Equal(g, e) {
		t.Errorf("the value changed:\n%s\n%s", g, e)
	}
}

func TestPrintFailed(t *testing.T) {
	v := done()
	v.EngineResult = "tecDUPLICATE"
	for _, c := range []struct {
		err  error
		want []string
	}{
		{&model.Error{Code: "tecDUPLICATE", Message: "accepted already", Tx: &v}, []string{`"error":"tecDUPLICATE"`, `"hash":"AB"`, "accepted already"}},
		{&model.Error{Code: model.CodeLedgerUnavailable, Message: "no node", Pending: &model.Pending{Hash: "CD", LastLedgerSequence: 9}},
			[]string{`"error":"ledgerUnavailable"`, `"hash":"CD"`, `"last_ledger_sequence":9`, "may be validated up to ledger 9"}},
		{&model.Error{Code: model.CodeInsufficientReserve, Tx: &v}, []string{`"error":"tecINSUFFICIENT_RESERVE"`, "Send it some XRP"}},
		{errors.New("odd\x1b"), []string{`"error":"internal"`, "odd?"}},
	} {
		var w bytes.Buffer
		if err := printFailed(&w, nil, c.err); err != nil {
			t.Fatal(err)
		}
		onlyPrintable(t, w.String())
		if !json.Valid(w.Bytes()) {
			t.Errorf("no JSON: %s", w.String())
		}
		for _, want := range c.want {
			if !strings.Contains(w.String(), want) {
				t.Errorf("%q is missing in %s", want, w.String())
			}
		}
	}
}

func TestListed(t *testing.T) {
	c := cred("a\x00")
	c.URI, c.Expiration = "u:\n", 5
	got, err := json.Marshal(newListed(c, 6))
	want := `{"issuer":"` + string(issuer) + `","subject":"` + string(me) + `","credential":"(BIN) 6100","accepted":false,"uri":"(BIN) 753A0A","expiration":"2000-01-01T00:00:05Z","expired":true}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}

// FuzzASCII: whatever a node sends, what is printed of it is printable, and the same value.
func FuzzASCII(f *testing.F) {
	f.Add([]byte(body))
	f.Add([]byte("\"\u009b\u2028\U0010ffff\\ud83d\\ude00\x7f\""))
	f.Add([]byte("{\"\xff\":\"\\u001b\"}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if !json.Valid(in) {
			return
		}
		out := ascii(in)
		onlyPrintable(t, strings.NewReplacer("\t", "", "\r", "").Replace(string(out)))
		var a, b any
		if err := json.Unmarshal(in, &a); err != nil {
			return // a number out of range
		}
		if err := json.Unmarshal(out, &b); err != nil {
			t.Fatalf("%q became %q: %v", in, out, err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("%q became %q", in, out)
		}
	})
}
