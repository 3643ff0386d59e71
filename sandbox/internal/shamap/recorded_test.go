package shamap

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// recorded is one map of a ledger that rippled closed: its entries, serialized,
// and its hash as the ledger's header has it.
type recorded struct {
	Source, Kind, Hash string
	Entries            []struct{ Key, Data string }
}

func readRecorded(t *testing.T) (all []recorded) {
	t.Helper()
	f, err := os.Open("testdata/recorded.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%d maps, %v", len(all), err)
	}
	return all
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordedHashes(t *testing.T) {
	kinds := map[string]Kind{StateMap.String(): StateMap, TxMetaMap.String(): TxMetaMap}
	for _, r := range readRecorded(t) {
		t.Run(r.Source, func(t *testing.T) {
			kind, ok := kinds[r.Kind]
			if !ok {
				t.Fatalf("no kind %q", r.Kind)
			}
			e := New(kind).Edit()
			for _, entry := range r.Entries {
				e.Put([32]byte(unhex(t, entry.Key)), unhex(t, entry.Data))
			}
			if got := e.Map().Hash(); got != [32]byte(unhex(t, r.Hash)) {
				t.Errorf("hash of %d entries: got %X, want %s", e.Len(), got, r.Hash)
			}
		})
	}
}

// TestTransactionSetLeaf holds the hash of a leaf without metadata equal to the
// transaction's id, which is its key.
func TestTransactionSetLeaf(t *testing.T) {
	checked := 0
	for _, r := range readRecorded(t) {
		if r.Kind != TxMetaMap.String() {
			continue
		}
		for _, entry := range r.Entries {
			data := unhex(t, entry.Data)
			blob := data[1:]
			switch size := int(data[0]); {
			case size <= 192:
				blob = blob[:size]
			default:
				blob = data[2:][:193+(size-193)<<8+int(data[1])]
			}
			l := &leaf{data: blob}
			newHasher(TxSetMap).leaf(l)
			if l.hash != [32]byte(unhex(t, entry.Key)) {
				t.Errorf("%s: leaf of transaction %s hashes to %X", r.Source, entry.Key, l.hash)
			}
			checked++
		}
	}
	if checked == 0 {
		t.Fatal("no transaction recorded")
	}
}
