package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/store"
)

// settleWorld is a ledger and a journal with signed operations.
type settleWorld struct {
	t      *testing.T
	node   *sandbox.Server
	client *ledger.Client
	seed   ledger.Seed
	where  []string
	dir    string
	types  int
}

func newSettleWorld(t *testing.T) *settleWorld {
	t.Helper()
	node, err := sandbox.Start(t.Context(), sandbox.Config{Listen: "127.0.0.1:0", Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close(t.Context()) })
	issuing, err := node.Fund(t.Context(), "", 1_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	w := &settleWorld{t: t, node: node, dir: t.TempDir()}
	if w.seed, err = ledger.ParseSeed(issuing.Seed.Reveal()); err != nil {
		t.Fatal(err)
	}
	if w.client, err = ledger.New(ledger.Config{URL: node.URL(), Logger: discard}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	w.where = []string{"--data-dir=" + w.dir, "--xrpl-network=" + node.URL()}
	w.close(1)
	return w
}

func (w *settleWorld) close(n int) {
	w.t.Helper()
	for range n {
		if _, err := w.node.Accept(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *settleWorld) store() *store.Store {
	w.t.Helper()
	st, err := store.Open(w.t.Context(), store.Config{Path: journalFile(w.dir), Logger: discard})
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

func (w *settleWorld) sign(tx model.Transaction, sequence, last uint32) ledger.Signed {
	w.t.Helper()
	signed, err := w.seed.Sign(tx, ledger.Terms{Account: w.seed.Address(), Sequence: sequence, Fee: 10, LastLedgerSequence: last})
	if err != nil {
		w.t.Fatal(err)
	}
	return signed
}

func (w *settleWorld) submit(signed ledger.Signed) {
	w.t.Helper()
	if _, err := w.client.Submit(w.t.Context(), signed); err != nil {
		w.t.Fatal(err)
	}
	w.close(1)
}

// signed stores an operation with a blob. Where used is set, another transaction has used its sequence long before.
func (w *settleWorld) signed(used bool) (model.Operation, uint32) {
	w.t.Helper()
	account, err := w.client.AccountInfo(w.t.Context(), w.seed.Address())
	if err != nil {
		w.t.Fatal(err)
	}
	w.types++
	typ := model.CredentialType(fmt.Sprint("T", w.types))
	if used {
		w.submit(w.sign(model.CredentialCreate{Subject: w.seed.Address(), Type: typ + "x"}, account.Sequence, 10_000))
		w.close(40)
	}
	now, err := w.client.Ledger(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	st := w.store()
	defer st.Close()
	op, _, err := st.Create(w.t.Context(), model.Operation{Issuer: w.seed.Address(), Kind: model.KindIssue, Subject: w.seed.Address(), Type: typ, Actor: "t"})
	if err != nil {
		w.t.Fatal(err)
	}
	fence, err := st.TakeLane(w.t.Context(), w.seed.Address(), "t", time.Millisecond)
	if err != nil {
		w.t.Fatal(err)
	}
	s := w.sign(op.Transaction(), account.Sequence, now.Index+8)
	err = st.Sign(w.t.Context(), fence, []model.Attempt{{Operation: op.ID, Hash: s.Hash, Blob: s.Blob, Sequence: s.Sequence, LastLedgerSequence: s.LastLedgerSequence,
		FirstLedger: now.Index, Fee: s.Fee}})
	if err != nil {
		w.t.Fatal(err)
	}
	if op, err = st.Operation(w.t.Context(), op.ID); err != nil {
		w.t.Fatal(err)
	}
	return op, now.Index
}

func (w *settleWorld) settle(op model.Operation, args ...string) (string, int) {
	w.t.Helper()
	_, log, status := command(w.t, append(append([]string{"operation", "settle", string(op.ID)}, args...), w.where...)...)
	return log, status
}

// refused says that a command refuses, and leaves the operation as it was.
func (w *settleWorld) refused(op model.Operation, want string, args ...string) {
	w.t.Helper()
	if log, status := w.settle(op, args...); status != 1 || !strings.Contains(log, want) {
		w.t.Errorf("%v: %d %s", args, status, log)
	}
	st := w.store()
	defer st.Close()
	if now, err := st.Operation(w.t.Context(), op.ID); err != nil || now.State != op.State {
		w.t.Errorf("%v: it is %s, %v", args, now.State, err)
	}
}

// TestOperationSettle settles what no node can decide, in each way, and refuses all else.
func TestOperationSettle(t *testing.T) {
	t.Parallel()
	w := newSettleWorld(t)
	open, _ := w.signed(true)
	w.refused(open, "wait", "--as=expired", "--reason=x")
	unused := newSettleWorld(t)
	op, _ := unused.signed(false)
	unused.close(10)
	unused.refused(op, "is unused in validated ledger", "--as=expired", "--reason=x")
	validated := newSettleWorld(t)
	op, _ = validated.signed(false)
	validated.submit(ledger.Signed{Blob: op.Attempts[0].Blob, Hash: op.Attempts[0].Hash})
	validated.refused(op, "is in a validated ledger", "--as=expired", "--reason=x")

	for _, tt := range []struct {
		args   func(first uint32) []string
		state  model.State
		result string
		code   model.Code
	}{
		{func(first uint32) []string { return []string{"--as=succeeded", fmt.Sprint("--ledger=", first+2)} }, model.StateSucceeded, "tesSUCCESS", ""},
		{func(first uint32) []string {
			return []string{"--as=failed", "--result=tecDUPLICATE", fmt.Sprint("--ledger=", first+8)}
		}, model.StateFailed, "tecDUPLICATE", "tecDUPLICATE"},
		{func(uint32) []string { return []string{"--as=expired"} }, model.StateExpired, "", model.CodeNotValidated},
	} {
		op, first := w.signed(true)
		w.close(10)
		args := append(tt.args(first), "--reason=seen on an explorer")
		if tt.result != "" {
			w.refused(op, "--ledger must be from", append(args, fmt.Sprint("--ledger=", first))...)
			w.refused(op, "--ledger must be from", append(args, fmt.Sprint("--ledger=", first+9))...)
			w.refused(op, "has no transaction", append(args, "--hash="+strings.Repeat("0", 64))...)
		}
		if log, status := w.settle(op, args...); status != 0 || !strings.Contains(log, "is settled as "+string(tt.state)) {
			t.Fatalf("%v: %d %s", args, status, log)
		}
		st := w.store()
		ended, err := st.Operation(t.Context(), op.ID)
		if err != nil || ended.State != tt.state || (ended.Result != nil) != (tt.result != "") {
			t.Fatalf("%v: %+v, %v", args, ended, err)
		}
		if tt.result != "" && (ended.Result.EngineResult != tt.result || ended.Result.Hash != op.Attempts[0].Hash || !json.Valid(ended.Result.Body)) {
			t.Errorf("%v: %+v", args, ended.Result)
		}
		if tt.code != "" && (ended.Failure == nil || ended.Failure.Code != tt.code) {
			t.Errorf("%v: %+v", args, ended.Failure)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		w.refused(ended, "only a signed one is settled", args...)
	}
	out, _, _ := command(t, "audit", "export", w.where[0])
	if n := strings.Count(out, `"operation.settle"`); n != 3 || strings.Count(out, "seen on an explorer") != 3 {
		t.Errorf("%d entries:\n%s", n, out)
	}
	if _, log, status := command(t, "audit", "verify", w.where[0]); status != 0 {
		t.Errorf("%d %s", status, log)
	}
}

// TestOperationUse says what is wrong with the words of a command, and touches nothing.
func TestOperationUse(t *testing.T) {
	t.Parallel()
	where, _ := auditLog(t, 1)
	id := "01JD8Q4Z7T9XW3V5K2M6N8P0RS"
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"operation"}, "must be followed by settle"},
		{[]string{"operation", "mend", id}, "must be followed by settle"},
		{[]string{"operation", "settle", "--as=expired", "--reason=x"}, "ID must be"},
		{[]string{"operation", "settle", id, "--reason=x"}, "--as must be"},
		{[]string{"operation", "settle", id, "--as=cancelled", "--reason=x"}, "--as must be"},
		{[]string{"operation", "settle", id, "--as=expired"}, "--reason must"},
		{[]string{"operation", "settle", id, "--as=expired", "--reason= "}, "--reason must"},
		{[]string{"operation", "settle", id, "--as=succeeded", "--reason=x"}, "--ledger must"},
		{[]string{"operation", "settle", id, "--as=expired", "--ledger=4", "--reason=x"}, "--ledger must"},
		{[]string{"operation", "settle", id, "--as=failed", "--ledger=4", "--reason=x"}, "--result must"},
		{[]string{"operation", "settle", id, "--as=failed", "--ledger=4", "--result=temBAD_FEE", "--reason=x"}, "--result must"},
		{[]string{"operation", "settle", id, "--as=succeeded", "--ledger=4", "--result=tecDUPLICATE", "--reason=x"}, "--result must"},
		{[]string{"operation", "settle", id, id, "--as=expired", "--reason=x"}, "words too many"},
	} {
		if _, log, status := command(t, append(tt.args, where, "--xrpl-network=http://127.0.0.1:1")...); status != 2 || !strings.Contains(log, tt.want) {
			t.Errorf("%v: %d %s", tt.args, status, log)
		}
	}
	if _, log, status := command(t, "operation", "settle", id, "--as=expired", "--reason=x", where, "--xrpl-network=http://127.0.0.1:1"); status != 1 || !strings.Contains(log, "there is no operation") {
		t.Errorf("%d %s", status, log)
	}
}
