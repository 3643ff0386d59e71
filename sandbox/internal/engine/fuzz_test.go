package engine

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// recordedSubmissions are the transactions of a recording, with nil where a
// ledger closes.
func recordedSubmissions(t testing.TB, name string) [][]byte {
	t.Helper()
	file, err := os.Open(filepath.Join(vectorsDir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var out [][]byte
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var step struct {
			Request struct {
				Method string `json:"method"`
				Params []struct {
					Blob string `json:"tx_blob"`
				} `json:"params"`
			} `json:"request"`
		}
		if json.Unmarshal(lines.Bytes(), &step) != nil {
			continue
		}
		switch step.Request.Method {
		case "ledger_accept":
			out = append(out, nil)
		case "submit":
			if blob, err := hex.DecodeString(step.Request.Params[0].Blob); err == nil && len(blob) > 0 {
				out = append(out, blob)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// laterTransactions are of the types that no recording has, by the genesis
// account.
func laterTransactions(t testing.TB) []*codec.Tx {
	t.Helper()
	g := genesisSigner(t)
	list := []CredentialKind{kind(g.id, "a"), kind(g.id, "b")}
	return []*codec.Tx{
		g.tx(t, codec.TtDepositPreauth, acctField(codec.SfAuthorize, named("alice", codec.Ed25519).id)),
		g.tx(t, codec.TtDepositPreauth, acctField(codec.SfUnauthorize, g.id)),
		g.tx(t, codec.TtDepositPreauth, kindsField(codec.SfAuthorizeCredentials, list...)),
		g.tx(t, codec.TtDepositPreauth, kindsField(codec.SfUnauthorizeCredentials, list...)),
		g.tx(t, codec.TtDIDSet, all(text(codec.SfURI, "u"), text(codec.SfDIDDocument, ""), text(codec.SfData, "d"))),
		g.tx(t, codec.TtDIDDelete, nil),
		g.tx(t, codec.TtPermissionedDomainSet, accepted(list...)),
		g.tx(t, codec.TtPermissionedDomainSet, all(accepted(list...), domainID(PermissionedDomainKey(g.id, 7)))),
		g.tx(t, codec.TtPermissionedDomainDelete, domainID(PermissionedDomainKey(g.id, 7))),
		g.tx(t, codec.TtPayment, all(pay(codec.AccountID{1}, 2_000_000), idsField(CredentialKey(g.id, g.id, []byte("a"))))),
	}
}

// FuzzSubmit submits changed transactions to a node that has a history: there
// is no panic, the invariants hold, and what was closed comes out the same when
// it is replayed.
func FuzzSubmit(f *testing.F) {
	var stored [][]byte
	at := uint32(848_000_000)
	base, err := New(Config{GenesisCloseTime: &at, Commit: func(p []byte) error { stored = append(stored, p); return nil }})
	if err != nil {
		f.Fatal(err)
	}
	history := recordedSubmissions(f, "20_random_31.jsonl")
	closes, from := 0, 0
	for i, blob := range history {
		if blob == nil {
			mustClose(f, base)
			if closes++; closes == 6 {
				from = i + 1
				break
			}
			continue
		}
		tx, err := codec.ParseTx(blob)
		if err != nil {
			f.Fatal(err)
		}
		base.Submit(tx, false)
	}
	for _, blob := range history[from:min(from+40, len(history))] {
		f.Add(blob, false)
	}
	for _, name := range []string{"03_submit_errors.jsonl", "04_malformed.jsonl", "05_tickets.jsonl"} {
		for _, blob := range recordedSubmissions(f, name) {
			f.Add(blob, true)
		}
	}
	// The kinds that no recording has.
	g, other := genesisSigner(f), named("alice", codec.Ed25519)
	for _, tx := range append(laterTransactions(f),
		g.tx(f, codec.TtSignerListSet, signerList(2, weighed{other.id, 1}, weighed{codec.AccountID{1}, 65535})),
		g.tx(f, codec.TtSignerListSet, signerList(0)),
		g.tx(f, codec.TtAccountSet, multiSigned(other)),
		g.tx(f, codec.TtAccountDelete, all(acctField(codec.SfDestination, other.id), feeOf(GenesisReserveInc))),
	) {
		f.Add(tx.Blob, false)
	}
	f.Fuzz(func(t *testing.T, blob []byte, failHard bool) {
		tx, err := codec.ParseTx(blob)
		if err != nil || tx.LocalChecks() != nil {
			return
		}
		var last []byte
		n, err := New(Config{GenesisCloseTime: &at, Capacity: 2, Commit: func(p []byte) error { last = p; return nil }})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range stored {
			if err := n.Replay(p); err != nil {
				t.Fatal(err)
			}
		}
		// The account's next sequence makes it go further.
		fitting := tx.Clone()
		if !fitting.Has(codec.SfTicketSequence) {
			fitting.SetUint(codec.SfSequence, uint64(n.NextSequence(tx.AccountID())))
		}
		again, err := codec.NewTx(fitting)
		if err != nil {
			t.Fatalf("with another sequence it is no transaction: %v", err)
		}
		for _, one := range []*codec.Tx{tx, again, tx} {
			if r := n.Submit(one, failHard); r.Result.String() == "-" || r.Applied && !r.Result.IsTes() && !r.Result.IsTec() {
				t.Fatalf("%+v", r)
			}
		}
		checkNode(t, n)
		for range 2 {
			before := n.Closed()
			l := mustClose(t, n)
			checkNode(t, n)
			other := &Node{cfg: n.cfg, closed: before, ledgers: map[uint32]*Ledger{before.Seq: before}, byHash: map[codec.Hash256]uint32{},
				queue: newTxQueue(2), txLedger: map[codec.Hash256]uint32{}, byAcct: map[codec.AccountID][]txRef{}, first: before.Seq}
			if err := other.Replay(last); err != nil || other.closed.Hash != l.Hash {
				t.Fatalf("replayed: %v", err)
			}
		}
	})
}
