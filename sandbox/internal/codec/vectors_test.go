package codec

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// record is one line of a vector file, with where it stands.
type record struct {
	file     string
	line     int
	raw      map[string]any
	request  map[string]any // params[0] of an HTTP request, or the message that was sent
	response map[string]any // result of an HTTP answer, or the message that was received
}

func vectorFiles(tb testing.TB) []string {
	tb.Helper()
	var files []string
	for _, pattern := range []string{"../../testdata/vectors/*.jsonl", "../../testdata/vectors/*/*.jsonl"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			tb.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 13 {
		tb.Fatalf("only %d vector files", len(files))
	}
	return files
}

func records(tb testing.TB) []record {
	tb.Helper()
	var all []record
	for _, name := range vectorFiles(tb) {
		f, err := os.Open(name)
		if err != nil {
			tb.Fatal(err)
		}
		scanner := bufio.NewScanner(f)
		scanner.Buffer(nil, 16<<20)
		for line := 1; scanner.Scan(); line++ {
			r := record{file: filepath.Base(name), line: line}
			d := json.NewDecoder(bytes.NewReader(scanner.Bytes()))
			d.UseNumber()
			if err := d.Decode(&r.raw); err != nil {
				tb.Fatalf("%s:%d: %v", name, line, err)
			}
			if req, ok := r.raw["request"].(map[string]any); ok {
				if params, _ := req["params"].([]any); len(params) > 0 {
					r.request, _ = params[0].(map[string]any)
				}
			}
			if resp, ok := r.raw["response"].(map[string]any); ok {
				r.response, _ = resp["result"].(map[string]any)
			}
			if sent, ok := r.raw["sent"].(map[string]any); ok {
				r.request = sent
			}
			if received, ok := r.raw["received"].(map[string]any); ok {
				r.response = received
			}
			all = append(all, r)
		}
		if err := scanner.Err(); err != nil {
			tb.Fatal(err)
		}
		f.Close()
	}
	return all
}

// walk calls f for every object within v.
func walk(v any, f func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(v)
		for _, x := range v {
			walk(x, f)
		}
	case []any:
		for _, x := range v {
			walk(x, f)
		}
	}
}

// plain turns what JSON gives into what decoding that text gives.
func plain(tb testing.TB, v any) any {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var out any
	if err := d.Decode(&out); err != nil {
		tb.Fatal(err)
	}
	return out
}

// vectorBlobs collects what the recorded node was sent and what it answered in binary, each once.
func vectorBlobs(tb testing.TB) (txs, metas, entries [][]byte) {
	tb.Helper()
	seen := map[string]bool{}
	add := func(list *[][]byte, v any) {
		s, ok := v.(string)
		if !ok || seen[s] {
			return
		}
		seen[s] = true
		if b, err := hex.DecodeString(s); err == nil && len(b) >= MinTxSize {
			*list = append(*list, b)
		}
	}
	for _, r := range records(tb) {
		walk(r.raw, func(m map[string]any) {
			add(&txs, m["tx_blob"])
			add(&metas, m["meta"])
			add(&metas, m["meta_blob"])
			if _, ok := m["index"]; ok {
				add(&entries, m["data"])
			}
			if _, ok := m["node_binary"]; ok {
				add(&entries, m["node_binary"])
			}
			if _, ok := m["tx"].(string); ok {
				add(&txs, m["tx"])
			}
		})
	}
	return txs, metas, entries
}

func seedOf(name string) Seed {
	h := sha256.Sum256([]byte("vector:" + name))
	return h[:16]
}

// Every submitted transaction parses, serializes to the same bytes, hashes to the recorded hash, renders to the
// recorded JSON, and its signature holds unless the node said otherwise.
func TestVectorTransactions(t *testing.T) {
	submitted, compared := 0, 0
	for _, r := range records(t) {
		text, _ := r.request["tx_blob"].(string)
		if text == "" || r.response == nil || r.response["engine_result"] == nil && r.response["error_exception"] == nil || r.response["applied"] == false && r.response["accepted"] == nil {
			continue
		}
		blob, err := hex.DecodeString(text)
		if err != nil {
			continue
		}
		submitted++
		exception, _ := r.response["error_exception"].(string)
		tx, err := ParseTx(blob)
		if err == nil && exception != "" {
			if err = tx.LocalChecks(); err == nil {
				err = tx.CheckSignature()
			}
			if err == nil || exception != "fails local checks: "+err.Error() {
				t.Errorf("%s:%d: %v, want %s", r.file, r.line, err, exception)
			}
			continue
		}
		if exception != "" {
			if err.Error() != exception {
				t.Errorf("%s:%d: %v, want %s", r.file, r.line, err, exception)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s:%d: %v", r.file, r.line, err)
			continue
		}
		if got := tx.Append(nil); !bytes.Equal(got, blob) || !bytes.Equal(tx.Blob, blob) {
			t.Errorf("%s:%d: serialized\n%X want\n%X", r.file, r.line, got, blob)
		}
		if err := tx.LocalChecks(); err != nil {
			t.Errorf("%s:%d: %v", r.file, r.line, err)
		}
		if err := tx.CheckSignature(); err != nil {
			t.Errorf("%s:%d: %v", r.file, r.line, err)
		}
		want, ok := r.response["tx_json"].(map[string]any)
		if !ok {
			continue
		}
		if want["hash"] != nil && tx.ID.String() != want["hash"] {
			t.Errorf("%s:%d: hash %s, want %s", r.file, r.line, tx.ID, want["hash"])
		}
		for _, k := range []string{"hash", "inLedger", "ledger_index", "ctid", "DeliverMax"} {
			delete(want, k)
		}
		if got := plain(t, tx.JSON()); !reflect.DeepEqual(got, plain(t, want)) {
			t.Errorf("%s:%d: JSON\n%v want\n%v", r.file, r.line, got, want)
		}
		compared++
	}
	if submitted < 500 || compared < 500 {
		t.Errorf("%d transactions, %d with JSON", submitted, compared)
	}
}

// Every object that the node answered in binary serializes to the same bytes.
func TestVectorObjects(t *testing.T) {
	_, metas, entries := vectorBlobs(t)
	if len(metas) < 1 || len(entries) < 4 {
		t.Errorf("%d metadata objects, %d entries", len(metas), len(entries))
	}
	for _, b := range append(metas, entries...) {
		o, err := ParseObject(b)
		if err != nil {
			t.Errorf("%X: %v", b, err)
			continue
		}
		if got := o.Append(nil); !bytes.Equal(got, b) {
			t.Errorf("serialized\n%X want\n%X", got, b)
		}
	}
}

func TestVectorAccounts(t *testing.T) {
	seed, kind, err := SeedFromString("snoPBrXtMeMyMHUVTgbuqAfg1SUTb")
	if err != nil || kind != Secp256k1 {
		t.Fatal(kind, err)
	}
	pub, priv := DeriveKeypair(seed, kind)
	if got := AccountIDFromPublicKey(pub).String(); got != "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh" {
		t.Errorf("genesis account %s", got)
	}
	if got := EncodeSeed(seed, kind); got != "snoPBrXtMeMyMHUVTgbuqAfg1SUTb" {
		t.Errorf("seed %s", got)
	}
	if sig := Sign(priv, pub, []byte("x")); !Verify(pub, []byte("x"), sig) || Verify(pub, []byte("y"), sig) {
		t.Error("signature")
	}
	text, err := os.ReadFile("../../testdata/vectors/01_lifecycle.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]KeyType{"issuer": Ed25519, "alice": Ed25519, "bob": Secp256k1} {
		pub, priv := DeriveKeypair(seedOf(name), kind)
		id := AccountIDFromPublicKey(pub).String()
		if !strings.Contains(string(text), id) {
			t.Errorf("%s: %s is not in the vectors", name, id)
		}
		if sig := Sign(priv, pub, []byte("x")); !Verify(pub, []byte("x"), sig) {
			t.Errorf("%s: signature", name)
		}
		again, k, err := SeedFromString(EncodeSeed(seedOf(name), kind))
		if err != nil || k != kind || !bytes.Equal(again, seedOf(name)) {
			t.Errorf("%s: seed %v %v", name, k, err)
		}
	}
}
