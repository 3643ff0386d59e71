package engine

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// signer is an account whose key the tests hold.
type signer struct {
	id   codec.AccountID
	pub  []byte
	priv codec.PrivateKey
	next uint32
}

// named gives the account whose seed the first 16 bytes of SHA-256("vector:" + name) are.
func named(name string, kt codec.KeyType) *signer {
	sum := sha256.Sum256([]byte("vector:" + name))
	pub, priv := codec.DeriveKeypair(codec.Seed(sum[:16]), kt)
	return &signer{id: codec.AccountIDFromPublicKey(pub), pub: pub, priv: priv}
}

func genesisSigner(t testing.TB) *signer {
	t.Helper()
	seed, kt, err := codec.SeedFromString(GenesisSeed)
	if err != nil {
		t.Fatal(err)
	}
	pub, priv := codec.DeriveKeypair(seed, kt)
	return &signer{id: codec.AccountIDFromPublicKey(pub), pub: pub, priv: priv, next: 1}
}

// tx signs a transaction of the account with its next sequence and a fee of 10
// drops; fields may set others.
func (s *signer) tx(t testing.TB, kind codec.TxType, fields func(o *codec.Object)) *codec.Tx {
	t.Helper()
	o := codec.NewObject()
	o.SetUint(codec.SfTransactionType, uint64(kind))
	o.SetAccount(codec.SfAccount, s.id)
	o.SetUint(codec.SfSequence, uint64(s.next))
	o.SetDrops(codec.SfFee, 10)
	o.SetBlob(codec.SfSigningPubKey, s.pub)
	if fields != nil {
		fields(o)
	}
	if o.Uint(codec.SfSequence) == uint64(s.next) {
		s.next++
	}
	o.SetBlob(codec.SfTxnSignature, codec.Sign(s.priv, s.pub, codec.SigningData(o)))
	tx, err := codec.ParseTx(o.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func pay(to codec.AccountID, drops int64) func(*codec.Object) {
	return func(o *codec.Object) {
		o.SetAccount(codec.SfDestination, to)
		o.SetDrops(codec.SfAmount, drops)
	}
}

func createFor(subject codec.AccountID, credentialType string) func(*codec.Object) {
	return func(o *codec.Object) {
		o.SetAccount(codec.SfSubject, subject)
		o.SetBlob(codec.SfCredentialType, []byte(credentialType))
	}
}

// testClock is a clock that tests set.
type testClock struct{ t time.Time }

func (c *testClock) now() time.Time { return c.t }

func newTestNode(t testing.TB, cfg Config) (*Node, *testClock) {
	t.Helper()
	clock := &testClock{t: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	cfg.Now = clock.now
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return n, clock
}

func mustSubmit(t testing.TB, n *Node, tx *codec.Tx, want TER) SubmitResult {
	t.Helper()
	got := n.Submit(tx, false)
	if got.Result != want {
		t.Fatalf("%s: got %s, want %s", tx.Type, got.Result, want)
	}
	return got
}

func mustClose(t testing.TB, n *Node) *Ledger {
	t.Helper()
	l, err := n.Close(nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// fund gives an account that many drops and closes a ledger.
func fund(t testing.TB, n *Node, g *signer, drops int64, accounts ...*signer) {
	t.Helper()
	for _, a := range accounts {
		mustSubmit(t, n, g.tx(t, codec.TtPayment, pay(a.id, drops)), TesSuccess)
	}
	mustClose(t, n)
	for _, a := range accounts {
		a.next = uint32(n.Closed().Entry(AccountKey(a.id)).Uint(codec.SfSequence))
	}
}
