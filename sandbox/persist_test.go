package sandbox

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/journal"
)

// kept makes a stored ledger of five closed ones after ledger 2, and tells their headers.
func kept(t *testing.T, dir string) (headers []engine.Header, issuer *testAccount) {
	t.Helper()
	s, err := Start(context.Background(), Config{Listen: "127.0.0.1:0", DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	issuer = newTestAccount(t, s, codec.Ed25519, "issuer")
	subject := newTestAccount(t, s, codec.Secp256k1, "subject")
	for range 3 {
		if r := s.node.Submit(issuer.credential(t, subject.id, nil), false); !r.Result.IsTes() {
			t.Fatal(r.Result)
		}
		if _, err := s.Accept(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for seq := uint32(2); seq <= s.node.Closed().Seq; seq++ {
		headers = append(headers, s.node.LedgerBySeq(seq).Header)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	return headers, issuer
}

// A ledger outlives its server: the same headers, transactions and state, and it goes on from there.
func TestKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	headers, issuer := kept(t, dir)
	s := startServer(t, Config{DataDir: dir})
	if got := s.node.Closed().Seq; got != 7 {
		t.Fatal(got)
	}
	for _, h := range headers {
		if l := s.node.LedgerBySeq(h.Seq); l == nil || l.Header != h {
			t.Errorf("ledger %d is not what it was", h.Seq)
		}
	}
	n := 0
	for range s.node.AccountTxs(issuer.id, 2, 7, true) {
		n++
	}
	if n != 4 {
		t.Errorf("%d transactions", n)
	}
	if r := s.node.Submit(issuer.credential(t, engine.GenesisAccount, nil), false); !r.Result.IsTes() {
		t.Error(r.Result)
	}
	if _, err := s.Accept(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := Start(context.Background(), Config{Listen: "127.0.0.1:0", DataDir: dir}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Error(err)
	}
}

// What several signed, and the list of those who did, outlive the server too.
func TestKeptSigners(t *testing.T) {
	dir := t.TempDir()
	s, err := Start(context.Background(), Config{Listen: "127.0.0.1:0", DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	issuer := newTestAccount(t, s, codec.Ed25519, "issuer")
	signer := newTestAccount(t, s, codec.Secp256k1, "signer")
	entry := codec.NewObject()
	entry.SetAccount(codec.SfAccount, signer.id)
	entry.SetUint(codec.SfSignerWeight, 3)
	entry.SetHash(codec.SfWalletLocator, codec.Hash256{9})
	list := issuer.sign(t, codec.TtSignerListSet, func(o *codec.Object) {
		o.SetUint(codec.SfSignerQuorum, 3)
		o.SetArray(codec.SfSignerEntries, []codec.Element{{Field: codec.SfSignerEntry, Object: entry}})
	})
	together := issuer.sign(t, codec.TtAccountSet, func(o *codec.Object) {
		o.SetDrops(codec.SfFee, 20)
	}).Clone()
	together.SetBlob(codec.SfSigningPubKey, nil)
	together.Delete(codec.SfTxnSignature)
	one := codec.NewObject()
	one.SetAccount(codec.SfAccount, signer.id)
	one.SetBlob(codec.SfSigningPubKey, signer.pub)
	one.SetBlob(codec.SfTxnSignature, codec.Sign(signer.priv, signer.pub, codec.MultiSigningData(together, signer.id)))
	together.SetArray(codec.SfSigners, []codec.Element{{Field: codec.SfSigner, Object: one}})
	tx, err := codec.NewTx(together)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.CheckSignature(); err != nil {
		t.Fatal(err)
	}
	for _, tx := range []*codec.Tx{list, tx} {
		if r := s.node.Submit(tx, false); !r.Result.IsTes() {
			t.Fatal(r.Result)
		}
		if _, err := s.Accept(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	closed := s.node.Closed()
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	again := startServer(t, Config{DataDir: dir}).node
	key := engine.SignerListKey(issuer.id)
	if l := again.Closed(); l.Hash != closed.Hash || l.Entry(key) == nil || !l.Entry(key).Same(closed.Entry(key)) {
		t.Error("the list is not what it was")
	}
	if r, _ := again.Lookup(tx.ID); r == nil || len(r.Tx.Array(codec.SfSigners)) != 1 {
		t.Error("what several signed is gone")
	}
}

// A last ledger that was not written whole is dropped with a warning; damage elsewhere stops the start and says what to do.
func TestKeptDamage(t *testing.T) {
	dir := t.TempDir()
	headers, _ := kept(t, dir)
	path := filepath.Join(dir, storeName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	start := func(cfg Config) (*Server, error) {
		log.Reset()
		cfg.Listen, cfg.DataDir, cfg.Logger = "127.0.0.1:0", dir, slog.New(slog.NewTextHandler(&log, nil))
		return Start(context.Background(), cfg)
	}

	rewrite(whole[:len(whole)-7])
	s, err := start(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if l := s.node.Closed(); l.Seq != 6 || l.Header != headers[4] || !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("ledger %d, log %q", l.Seq, log.String())
	}
	// It goes on from the ledger before.
	if _, err := s.Accept(context.Background()); err != nil {
		t.Error(err)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}

	damaged := bytes.Clone(whole)
	damaged[len(damaged)/2] ^= 1
	rewrite(damaged)
	if _, err := start(Config{}); err == nil || !strings.Contains(err.Error(), "move the file away") {
		t.Error(err)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, damaged) {
		t.Error("the damaged file was changed", err)
	}

	rewrite(whole)
	other := uint32(7)
	if _, err := start(Config{GenesisCloseTime: &other}); err == nil || !strings.Contains(err.Error(), "name another data directory") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Start(ctx, Config{Listen: "127.0.0.1:0", DataDir: dir}); err == nil {
		t.Error("a start that was called off went on")
	}
	rewrite([]byte("something else"))
	if s, err := start(Config{}); err == nil {
		t.Error("a foreign file was taken for a ledger")
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// A ledger of an earlier release is refused with instructions, and its file stays as it is.
func TestLedgerOfAnEarlierRelease(t *testing.T) {
	for _, first := range []string{"G\x01\x00\x00\x00\x07", "G\x02\x00\x00\x00\x07PermissionedDomains"} {
		dir := t.TempDir()
		path := filepath.Join(dir, storeName)
		store, err := journal.Open(path, journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Replay(func([]byte) error { return errors.New("a record in a new file") }); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(store.Append([]byte(first)), store.Close()); err != nil {
			t.Fatal(err)
		}
		before := readFile(t, path)
		_, err = Start(context.Background(), Config{Listen: "127.0.0.1:0", DataDir: dir})
		var old *OldLedgerError
		if !errors.As(err, &old) || old.Path != path || !strings.Contains(err.Error(), "move the file away") {
			t.Errorf("%q: %v", first, err)
		}
		if !bytes.Equal(before, readFile(t, path)) {
			t.Errorf("%q: the file was changed", first)
		}
	}
}

// Ledgers close when the ticker says so, and not else.
func TestTicks(t *testing.T) {
	ticks := make(chan time.Time)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := startServer(t, Config{Ticks: ticks, Now: func() time.Time { return now }})
	for want := uint32(3); want < 6; want++ {
		next := s.hub.nextClose()
		ticks <- now
		<-next
		if got := s.node.Closed().Seq; got != want {
			t.Errorf("ledger %d, not %d", got, want)
		}
	}
	// The clock's time is told.
	if got := ledgerTime(s.node.LedgerBySeq(2).CloseTime); got.Sub(now).Abs() > 10*time.Second {
		t.Errorf("ledger 2 closed at %v", got)
	}
}

// The server ends with its context.
func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s, err := Start(ctx, Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.Wait(); err != nil {
		t.Error(err)
	}
	startServer(t, Config{Listen: s.Addr()}) // its address is free again
}
