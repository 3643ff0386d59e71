package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

// What real nodes answer must be read as it was meant.
func TestRecordedAnswers(t *testing.T) {
	t.Run("server_info", func(t *testing.T) {
		var got ServerInfo
		if err := decodeServerInfo(result(t, "server_info"), &got); err != nil {
			t.Fatal(err)
		}
		if got.State != "full" || got.NetworkID != 0 || got.CompleteLedgers != "2" || got.BuildVersion != "2.3.0-b4" {
			t.Errorf("got %+v", got)
		}
		if v := got.Validated; v.Index != 2 || v.BaseFee != 10 || v.ReserveBase != 1_000_000 || v.ReserveIncrement != 200_000 {
			t.Errorf("validated ledger %+v", v)
		}
	})
	t.Run("server_state", func(t *testing.T) {
		var got model.Ledger
		if err := decodeServerState(result(t, "server_state"), &got, new(nodeState)); err != nil {
			t.Fatal(err)
		}
		if got.Index == 0 || got.CloseTime == 0 || got.BaseFee != 10 || got.ReserveBase != 1_000_000 || got.ReserveIncrement != 200_000 || len(got.Hash) != 64 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("fee", func(t *testing.T) {
		var got Fee
		if err := decodeFee(result(t, "fee_full"), &got); err != nil {
			t.Fatal(err)
		}
		if want := (Fee{Base: 10, OpenLedger: 6329, Expected: 8, Current: 9, Queued: 3}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
	t.Run("account_info", func(t *testing.T) {
		var got AccountInfo
		if err := decodeAccountInfo(result(t, "account_info_current"), "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", currentIndex, &got); err != nil {
			t.Fatal(err)
		}
		if got.Balance != 100_000_000_000_000_000 || got.Sequence != 1 || got.OwnerCount != 0 || got.MasterDisabled() {
			t.Errorf("got %+v", got)
		}
		err := decodeAccountInfo(result(t, "account_info_current"), "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", validatedIndex, &got)
		if err == nil {
			t.Error("an answer from the open ledger passed for one from a validated ledger")
		}
	})
	t.Run("ledger_entry", func(t *testing.T) {
		got, err := decodeCredential(result(t, "ledger_entry"), testAlice, testIssuer, "TestCredential")
		want := model.Credential{Subject: testAlice, Issuer: testIssuer, Type: "TestCredential", URI: "https://issuer.example/vc/1", Expiration: 2000000000,
			Index: "98B3184921025653F4F03DF4EB45824C0958C8152D12508D040BC96D1D8CBF16"}
		if err != nil || got != want {
			t.Errorf("got %+v (%v), want %+v", got, err, want)
		}
		if _, err := decodeCredential(result(t, "ledger_entry"), testBob, testIssuer, "TestCredential"); err == nil {
			t.Error("another subject's credential passed")
		}
	})
	t.Run("account_objects", func(t *testing.T) {
		var pinned pin
		var page credentialsAnswer
		if err := decodeCredentials(result(t, "account_objects_page"), testIssuer, &pinned, &page); err != nil {
			t.Fatal(err)
		}
		if len(page.Entries) != 10 || isNull(page.Marker) || pinned.index == 0 {
			t.Errorf("%d entries, marker %s, pinned %+v", len(page.Entries), page.Marker, pinned)
		}
		for _, e := range page.Entries {
			if c, err := e.credential(testIssuer); err != nil || c.Issuer != testIssuer || c.Type[0] != 'P' {
				t.Errorf("entry %+v: %v", c, err)
			}
		}
	})
	t.Run("submit", func(t *testing.T) {
		got, err := decodeSubmit(result(t, "submit_queued"), recordedHash(t, "submit_queued"))
		if err != nil || got.EngineResult != "terQUEUED" || got.OpenLedgerCost != 6328 {
			t.Errorf("got %+v, %v", got, err)
		}
		if _, err := decodeSubmit(result(t, "submit_queued"), strings.Repeat("A", 64)); err == nil {
			t.Error("another transaction's answer passed")
		}
	})
	t.Run("refusals", func(t *testing.T) {
		for name, want := range map[string]string{"account_info_missing": "actNotFound", "ledger_entry_missing": "entryNotFound",
			"submit_invalid": "invalidTransaction", "tx_not_found": "txnNotFound", "unknown_command": "unknownCmd"} {
			_, err := decodeHTTP("x", whole(t, name))
			wantNodeError(t, err, want)
		}
		_, err := decodeHTTP("tx", whole(t, "tx_not_searched"))
		if e := wantNodeError(t, err, "txnNotFound"); e.SearchedAll == nil || *e.SearchedAll || e.Number != 29 {
			t.Errorf("got %+v", e)
		}
	})
}

func whole(t testing.TB, name string) json.RawMessage {
	t.Helper()
	for _, r := range readLines[recorded](t, "testdata/answers.jsonl") {
		if r.Name == name {
			return r.Answer
		}
	}
	t.Fatalf("no recorded answer %s", name)
	return nil
}

func recordedHash(t testing.TB, name string) string {
	t.Helper()
	var a struct {
		TxJSON struct{ Hash string } `json:"tx_json"`
	}
	if err := json.Unmarshal(result(t, name), &a); err != nil {
		t.Fatal(err)
	}
	return a.TxJSON.Hash
}

// The result that is put together from the stream is what `tx` answers, with the engine result beside it.
func TestStreamEqualsTx(t *testing.T) {
	var status TxStatus
	const hash = "CED9368CC42ED8376C2887AB8DBC46FC7543521921BDA61580FB8F091329ED44"
	raw := result(t, "ws_tx")
	if err := decodeTx(raw, hash, &status); err != nil {
		t.Fatal(err)
	}
	byTx, err := status.Tx.Validated(0)
	if err != nil {
		t.Fatal(err)
	}
	// The recording subscribed in API version 1; version 2 names the transaction tx_json, and takes its hash out.
	var v1 map[string]any
	if err := json.Unmarshal(whole(t, "ws_transaction"), &v1); err != nil {
		t.Fatal(err)
	}
	tx := v1["transaction"].(map[string]any)
	v1["hash"], v1["tx_json"] = tx["hash"], tx
	delete(tx, "hash")
	delete(v1, "transaction")
	v2, err := json.Marshal(v1)
	if err != nil {
		t.Fatal(err)
	}
	f, err := decodeFrame(v2)
	if err != nil {
		t.Fatal(err)
	}
	byStream, err := f.transaction().Validated(0)
	if err != nil {
		t.Fatal(err)
	}
	var a, b, want map[string]any
	for into, from := range map[*map[string]any]json.RawMessage{&a: byTx.Body, &b: byStream.Body, &want: raw} {
		if err := json.Unmarshal(from, into); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("by tx\n%s\nby stream\n%s", byTx.Body, byStream.Body)
	}
	want["engine_result"], want["engine_result_code"], want["engine_result_message"] = "tesSUCCESS", 0.0, finalResult
	if !reflect.DeepEqual(b, want) {
		t.Errorf("by stream\n%s\nthe node's\n%s", byStream.Body, raw)
	}
	if byStream.CTID != "C000000500010000" || byStream.LedgerIndex != 5 || !byStream.Succeeded() {
		t.Errorf("got %+v", byStream)
	}
}

func TestValidatedRefuses(t *testing.T) {
	var status TxStatus
	if err := decodeTx(result(t, "ws_tx"), "CED9368CC42ED8376C2887AB8DBC46FC7543521921BDA61580FB8F091329ED44", &status); err != nil {
		t.Fatal(err)
	}
	meta := string(status.Tx.Meta)
	tests := map[string]func(*Transaction){
		"no hash":              func(t *Transaction) { t.Hash = "" },
		"no ledger":            func(t *Transaction) { t.ledgerIndex = nil },
		"a ledger with a dot":  func(t *Transaction) { t.ledgerIndex = json.RawMessage("5.0") },
		"a ledger of 33 bits":  func(t *Transaction) { t.ledgerIndex = json.RawMessage("4294967301") },
		"no ledger hash":       func(t *Transaction) { t.LedgerHash = "" },
		"no close time":        func(t *Transaction) { t.CloseTimeISO = "" },
		"no metadata":          func(t *Transaction) { t.Meta = nil },
		"null metadata":        func(t *Transaction) { t.Meta = json.RawMessage("null") },
		"no transaction":       func(t *Transaction) { t.TxJSON = json.RawMessage("null") },
		"a provisional result": func(t *Transaction) { t.Meta = json.RawMessage(strings.Replace(meta, "tesSUCCESS", "terPRE_SEQ", 1)) },
		"an unknown result":    func(t *Transaction) { t.Meta = json.RawMessage(strings.Replace(meta, "tesSUCCESS", "tecNEW", 1)) },
		"two results":          func(t *Transaction) { t.EngineResult = "tecDUPLICATE" },
		"no result":            func(t *Transaction) { t.Meta = json.RawMessage(strings.Replace(meta, "tesSUCCESS", "", 1)) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			broken := *status.Tx
			change(&broken)
			if v, err := broken.Validated(0); err == nil {
				t.Errorf("passed as %+v", v)
			}
		})
	}
}

func TestCTID(t *testing.T) {
	tests := []struct {
		ledger, index, network uint32
		want                   string
	}{
		{5, 1, 0, "C000000500010000"},
		{0x0FFFFFFF, 0xFFFF, 0xFFFF, "CFFFFFFFFFFFFFFF"},
		{0x10000000, 0, 0, ""},
		{1, 0x10000, 0, ""},
		{1, 0, 0x10000, ""},
	}
	for _, tt := range tests {
		if got := ctid(tt.ledger, tt.index, tt.network); got != tt.want {
			t.Errorf("ctid(%d, %d, %d) = %q, want %q", tt.ledger, tt.index, tt.network, got, tt.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for in, want := range map[string]any{"0": uint32(0), "7": uint32(7), "4294967295": uint32(1<<32 - 1),
		"": nil, "null": nil, "-1": nil, "4294967296": nil, "7.0": nil, "7.9": nil, `"7"`: nil, "1e3": nil, "[]": nil} {
		var got uint32
		if err := number(json.RawMessage(in), "n", &got); (err == nil) != (want != nil) || err == nil && got != want {
			t.Errorf("number(%s) = %d, %v; want %v", in, got, err, want)
		}
	}
	for in, want := range map[string]any{"0": int64(0), "10": int64(10), "100000000000000000": int64(maxDrops),
		"": nil, "100000000000000001": nil, "-1": nil, "1.5": nil, "1e3": nil, "ten": nil, "99999999999999999999999": nil} {
		var got int64
		if err := drops(in, "d", &got); (err == nil) != (want != nil) || err == nil && got != want {
			t.Errorf("drops(%s) = %d, %v; want %v", in, got, err, want)
		}
	}
	for in, want := range map[string]any{"1e-05": int64(10), "0.2": int64(200_000), "1": int64(1_000_000), "0.00001": int64(10), "1E-6": int64(1),
		"2.5e1": int64(25_000_000), "0": int64(0), "1.50": int64(1_500_000), "100000000000": int64(maxDrops),
		"": nil, "1e-7": nil, "0.0000001": nil, "-1": nil, "1e99": nil, "1e999999999999": nil, "null": nil, `"1"`: nil, "1e12": nil, ".": nil} {
		var got int64
		if err := xrpToDrops(json.RawMessage(in), "x", &got); (err == nil) != (want != nil) || err == nil && got != want {
			t.Errorf("xrpToDrops(%s) = %d, %v; want %v", in, got, err, want)
		}
	}
}

// Whatever a node sends, a decoder returns an error or something whole.
func FuzzAnswers(f *testing.F) {
	for _, r := range readLines[recorded](f, "testdata/answers.jsonl") {
		f.Add([]byte(r.Answer))
	}
	for _, s := range []string{"", "null", "{}", "[]", `{"result":null}`, `{"result":{}}`, `{"result":{"status":"success"}}`, `{"result":{"status":"error"}}`,
		`{"id":1,"type":"response","status":"success"}`, strings.Repeat(`{"result":`, 500)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if frame, err := decodeFrame(data); err == nil {
			if l, err := frame.ledger(); err == nil && (l.Index == 0 || len(l.Hash) != 64) {
				t.Errorf("a ledger %+v", l)
			}
			checkValidated(t, frame.transaction())
		}
		raw, err := decodeHTTP("x", data)
		if err != nil {
			var node *NodeError
			var answer *AnswerError
			if !errors.As(err, &node) && !errors.As(err, &answer) {
				t.Errorf("error of type %T", err)
			}
			return
		}
		var info ServerInfo
		var ledger model.Ledger
		var fee Fee
		var account AccountInfo
		var status TxStatus
		var page credentialsAnswer
		var pinned pin
		var history accountTxAnswer
		if decodeServerInfo(raw, &info) == nil && info.CompleteLedgers == "" {
			t.Error("server_info without ledgers")
		}
		if decodeServerState(raw, &ledger, new(nodeState)) == nil && (ledger.Index == 0 || len(ledger.Hash) != 64 || ledger.BaseFee < 0) {
			t.Errorf("a ledger %+v", ledger)
		}
		if decodeFee(raw, &fee) == nil && (fee.Base < 0 || fee.Base > maxDrops || fee.OpenLedger < 0) {
			t.Errorf("a fee %+v", fee)
		}
		if decodeAccountInfo(raw, testIssuer, validatedIndex, &account) == nil && (account.Sequence == 0 || account.Address != testIssuer) {
			t.Errorf("an account %+v", account)
		}
		if decodeTx(raw, strings.Repeat("A", 64), &status) == nil && status.Tx != nil {
			checkValidated(t, status.Tx)
		}
		if decodeCredentials(raw, testIssuer, &pinned, &page) == nil {
			for _, e := range page.Entries {
				if c, err := e.credential(testIssuer); err == nil && (c.Subject == "" || c.Issuer == "" || len(c.Type) == 0 || len(c.Type) > 64 || len(c.URI) > 256) {
					t.Errorf("a credential %+v", c)
				}
			}
		}
		if decodeAccountTx(raw, testIssuer, 1, 2, &history) == nil {
			for _, tx := range history.Transactions {
				checkValidated(t, tx.transaction())
			}
		}
		if c, err := decodeCredential(raw, testAlice, testIssuer, "K"); err == nil && (c.Subject != testAlice || c.Type != "K") {
			t.Errorf("a credential %+v", c)
		}
		if s, err := decodeSubmit(raw, strings.Repeat("A", 64)); err == nil && s.EngineResult == "" {
			t.Error("a submission without a result")
		}
	})
}

func checkValidated(t *testing.T, tx *Transaction) {
	t.Helper()
	v, err := tx.Validated(0)
	if err != nil {
		return
	}
	if !json.Valid(v.Body) || len(v.Hash) != 64 || !v.Succeeded() && !strings.HasPrefix(v.EngineResult, "tec") {
		t.Errorf("a result %+v", v)
	}
	_, _, _ = tx.sender()
	_ = fmt.Sprint(v)
}
