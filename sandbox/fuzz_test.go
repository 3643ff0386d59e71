package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

// recordedRequests gives the recordings' requests as they were sent.
func recordedRequests(f *testing.F, add func(text string)) {
	files, err := filepath.Glob(filepath.Join(vectorsDir, "*.jsonl"))
	if err != nil || len(files) == 0 {
		f.Fatal("no recordings", err)
	}
	seen := map[string]int{}
	for _, path := range files {
		for _, s := range readFuzzSeeds(f, path) {
			for _, raw := range []json.RawMessage{s.Request, s.Sent} {
				if raw == nil {
					continue
				}
				text := string(raw)
				if text[0] == '"' {
					if err := json.Unmarshal(raw, &text); err != nil {
						f.Fatal(err)
					}
				}
				kind := text[:min(len(text), 24)]
				if seen[kind]++; seen[kind] <= 8 { // of each kind a few: there are hundreds of submissions
					add(text)
				}
			}
		}
	}
}

func readFuzzSeeds(f *testing.F, path string) []recordedStep {
	f.Helper()
	raw, err := filepath.Glob(path)
	if err != nil || len(raw) != 1 {
		f.Fatal(path, err)
	}
	var steps []recordedStep
	d := json.NewDecoder(bytes.NewReader(readFile(f, path)))
	for {
		var s recordedStep
		if err := d.Decode(&s); err == io.EOF {
			return steps
		} else if err != nil {
			f.Fatal(err)
		}
		steps = append(steps, s)
	}
}

// noFaults fails a test when the server logs a fault of its own.
func noFaults(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(faultWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type faultWriter struct{ t testing.TB }

func (w faultWriter) Write(b []byte) (int, error) {
	w.t.Errorf("the server logged: %s", b)
	return len(b), nil
}

// Whatever is posted is answered, with JSON or with a text that says what is wrong, and never by a fault of the server.
func FuzzHTTP(f *testing.F) {
	recordedRequests(f, func(s string) { f.Add([]byte(s)) })
	for _, s := range []string{
		`{"method":"batch","params":[{"method":"ping"},{"method":"account_info","account":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"}]}`,
		`{"method":"subscribe","params":[{"url":"x"}]}`, `{"method":"feature","params":[{"feature":"Credentials","vetoed":true}]}`,
		`{"method":"submit","params":[{"secret":"masterpassphrase","tx_json":{"TransactionType":"Payment","Account":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",` +
			`"Destination":"rrrrrrrrrrrrrrrrrrrrrhoLvTp","Amount":"5","Memos":[{"Memo":{"MemoData":"AB"}}],"Flags":1,"InvoiceID":"","SendMax":"7"}}]}`,
		`{"method":"ledger_entry","params":[{"bridge":{"LockingChainDoor":"r"},"bridge_account":"r","xchain_owned_claim_id":{}}]}`,
		`{"method":"ledger_entry","params":[{"permissioned_domain":{"account":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","seq":7}}]}`,
		`{"method":"ledger_entry","params":[{"deposit_preauth":{"owner":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","authorized_credentials":[` +
			`{"issuer":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","credential_type":"AB"}]}}]}`,
		`{"method":"deposit_authorized","params":[{"source_account":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","destination_account":` +
			`"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","credentials":["` + strings.Repeat("A", 64) + `"]}]}`,
		`{"method":"submit","params":[{"secret":"masterpassphrase","tx_json":{"TransactionType":"PermissionedDomainSet","Account":` +
			`"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","AcceptedCredentials":[{"Credential":{"Issuer":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","CredentialType":"AB"}}]}}]}`,
		`{"method":"sign_for","params":[{"account":"rrrrrrrrrrrrrrrrrrrrBZbvji","secret":"x","tx_json":{"TransactionType":"AccountSet",` +
			`"Account":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","Sequence":1,"Fee":"30","Signers":[{"Signer":{"Account":"rrrrrrrrrrrrrrrrrrrrBZbvji",` +
			`"SigningPubKey":"02","TxnSignature":"03"}},{"Memo":{}}]}}]}`,
		`{"method":"submit_multisigned","params":[{"tx_json":{"TransactionType":"AccountSet","Account":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",` +
			`"Sequence":1,"Fee":"30","SigningPubKey":"","Signers":[{"Signer":{"Account":"rrrrrrrrrrrrrrrrrrrrBZbvji","SigningPubKey":"02","TxnSignature":"03"}}]}}]}`,
		`{"method":"simulate","params":[{"tx_json":{"TransactionType":"SignerListSet","Account":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","SignerQuorum":1,` +
			`"SignerEntries":[{"SignerEntry":{"Account":"rrrrrrrrrrrrrrrrrrrrBZbvji","SignerWeight":1}}],"Signers":[{"Signer":{"Account":"rrrrrrrrrrrrrrrrrrrrBZbvji"}}]}}]}`,
		`{"method":"simulate","params":[{"binary":true,"tx_blob":"12000322000000002400000001684000000000000000732081148B4E8F0000000000000000000000000000000000"}]}`,
		`{"method":"server_definitions","params":[{"hash":""}]}`,
		`{"method":"sign","params":[{"secret":"masterpassphrase","build_path":true,"tx_json":{"TransactionType":"Payment","Account":` +
			`"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","Destination":"rrrrrrrrrrrrrrrrrrrrBZbvji","Amount":{"currency":"USD","issuer":` +
			`"rrrrrrrrrrrrrrrrrrrrBZbvji","value":"1.5e-3"},"SendMax":{"mpt_issuance_id":"0","value":"1"},"Paths":[[{"account":"0","currency":"XRP"}]]}}]}`,
		`{"method":"simulate","params":[{"tx_json":{"TransactionType":"Payment","Account":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","Destination":` +
			`"rrrrrrrrrrrrrrrrrrrrBZbvji","Amount":"1/USD/rrrrrrrrrrrrrrrrrrrrBZbvji","SendMax":"5","Paths":[[{"currency":"EUR","issuer":"rrrrrrrrrrrrrrrrrrrrBZbvji"}]]}}]}`,
		`{"method":"account_lines","params":[{"account":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","limit":0,"marker":"` + strings.Repeat("A", 64) + `,-1"}]}`,
		`{"method":"book_offers","params":[{"taker_pays":{"currency":"XRP"},"taker_gets":{"currency":"USD","issuer":"0"}}]}`,
		`{"method":"gateway_balances","params":[{"ident":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","hotwallet":["x"]}]}`,
		`{"method":"noripple_check","params":[{"account":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","role":"gateway","transactions":true}]}`,
		`{"method":"transaction_entry","params":[{"tx_hash":"0","ledger_index":"validated"}]}`, `{"method":"tx_history","params":[{"start":"7"}]}`,
		`{"method":"nft_buy_offers","params":[{"nft_id":"0"}]}`, `{"method":"owner_info","params":[{"ident":5}]}`,
		`{"method":"ledger_entry","params":[{"mptoken":{"mpt_issuance_id":"0","account":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"}}]}`,
		`{"method":"ledger","params":[{"ledger_index":"current","full":true,"queue":true,"binary":true,"type":"ticket","api_version":2}]}`,
	} {
		f.Add([]byte(s))
	}
	s := startServer(f, Config{})
	f.Fuzz(func(t *testing.T, body []byte) {
		s.log = noFaults(t)
		status, reply := s.answerHTTP(context.Background(), body)
		switch {
		case status == 400:
			if json.Valid(reply) || len(reply) == 0 {
				t.Errorf("%q", reply)
			}
		case !json.Valid(reply):
			t.Errorf("not JSON: %q", reply)
		}
	})
}

// Whatever is sent is answered with JSON, and never by a fault of the server.
func FuzzWebSocket(f *testing.F) {
	recordedRequests(f, func(s string) { f.Add([]byte(s)) })
	s := startServer(f, Config{})
	c := &wsConn{lim: &s.lim, wake: make(chan struct{}, 1), room: make(chan struct{}, 1), closed: true}
	f.Fuzz(func(t *testing.T, text []byte) {
		s.log = noFaults(t)
		reply := s.answerWebSocket(context.Background(), c, text)
		if !json.Valid(reply) {
			t.Errorf("not JSON: %q", reply)
		}
		if bytes.Contains(text, []byte("id")) && !strings.Contains(string(reply), `"type":"`) {
			t.Errorf("without a type: %q", reply)
		}
	})
}
