package sandbox

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// The definitions are those that the codec works with, and their hash is over their text.
func TestDefinitions(t *testing.T) {
	w := newTown(t)
	r := w.ask(t, "server_definitions", `{}`)
	for path, want := range map[string]string{
		"TYPES/Done": "-1", "TYPES/Unknown": "-2", "TYPES/NotPresent": "0", "TYPES/Metadata": "10004", "TYPES/Hash512": "23",
		"LEDGER_ENTRY_TYPES/Invalid": "-1", "LEDGER_ENTRY_TYPES/Credential": "129", "LEDGER_ENTRY_TYPES/SignerList": "83",
		"TRANSACTION_TYPES/Invalid": "-1", "TRANSACTION_TYPES/CredentialCreate": "58", "TRANSACTION_TYPES/UNLModify": "102",
		"TRANSACTION_RESULTS/tesSUCCESS": "0", "TRANSACTION_RESULTS/tecBAD_CREDENTIALS": "193", "TRANSACTION_RESULTS/telENV_RPC_FAILED": "-383",
		"TRANSACTION_RESULTS/temBAD_TRANSFER_FEE": "-251", "TRANSACTION_RESULTS/tefINVALID_LEDGER_FIX_TYPE": "-178", "TRANSACTION_RESULTS/terNO_AMM": "-87",
	} {
		kind, name, _ := strings.Cut(path, "/")
		if got := text(r, kind, name); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	// What the engine answers is in the list, under the same number.
	codes := codec.ResultCodes()
	for code := engine.TER(-399); code < 256; code++ {
		if name := code.String(); name != "-" && codes[name] != int(code) {
			t.Errorf("%s is %d, in the definitions %d", name, code, codes[name])
		}
	}
	fields := map[string]map[string]any{}
	last := int64(0)
	for i, f := range r["FIELDS"].([]any) {
		name, field := f.([]any)[0].(string), f.([]any)[1].(map[string]any)
		fields[name] = field
		nth, err := field["nth"].(json.Number).Int64()
		if err != nil {
			t.Fatal(err)
		}
		code := int64(codec.SerializedTypes()[field["type"].(string)])<<16 + nth
		if i > 6 && code <= last {
			t.Errorf("%s is out of order", name)
		}
		last = code
	}
	for name, want := range map[string]string{
		"Generic":       `{"isSerialized":true,"isSigningField":true,"isVLEncoded":false,"nth":0,"type":"Unknown"}`,
		"TxnSignature":  `{"isSerialized":true,"isSigningField":false,"isVLEncoded":true,"nth":4,"type":"Blob"}`,
		"hash":          `{"isSerialized":false,"isSigningField":false,"isVLEncoded":false,"nth":257,"type":"Hash256"}`,
		"Metadata":      `{"isSerialized":false,"isSigningField":false,"isVLEncoded":false,"nth":257,"type":"Metadata"}`,
		"CredentialIDs": `{"isSerialized":true,"isSigningField":true,"isVLEncoded":true,"nth":5,"type":"Vector256"}`,
		"Signers":       `{"isSerialized":true,"isSigningField":false,"isVLEncoded":false,"nth":3,"type":"STArray"}`,
	} {
		if got := text(map[string]any{"f": fields[name]}, "f"); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}

	// Hashed anew: as rippled writes them, without the hash itself.
	hash := r["hash"].(string)
	delete(r, "hash")
	delete(r, "status")
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	v, err := rjson.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := codec.Sha512Half(rjson.Append(nil, v)).String(); got != hash {
		t.Errorf("hash %s, of what was told %s", hash, got)
	}
	same := w.ask(t, "server_definitions", `{"hash":"`+hash+`"}`)
	if text(same, "hash") != `"`+hash+`"` || len(same) != 2 {
		t.Errorf("%v", same)
	}
	if other := w.ask(t, "server_definitions", `{"hash":"`+w.credentials[0].ID.String()+`"}`); text(other, "hash") != `"`+hash+`"` || text(other, "FIELDS") == "" {
		t.Error("another's hash is taken for ours")
	}
	for _, bad := range []string{`5`, `"12"`, `"` + hash[1:] + `x"`} {
		w.refused(t, "server_definitions", `{"hash":`+bad+`}`, "invalidParams", "Invalid field 'hash'.")
	}
}
