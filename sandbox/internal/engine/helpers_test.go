package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
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
	if !o.Has(codec.SfSigners) {
		o.SetBlob(codec.SfTxnSignature, codec.Sign(s.priv, s.pub, codec.SigningData(o)))
	}
	tx, err := codec.ParseTx(o.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// multiSigned replaces the signature by those of signers, in the order that a
// ledger wants; it goes after all other fields. The fee is that of so many.
func multiSigned(signers ...*signer) func(*codec.Object) {
	return func(o *codec.Object) {
		if o.Drops(codec.SfFee) == 10 {
			o.SetDrops(codec.SfFee, 10*int64(1+len(signers)))
		}
		o.SetBlob(codec.SfSigningPubKey, nil)
		sorted := slices.Clone(signers)
		slices.SortFunc(sorted, func(a, b *signer) int { return compareAccounts(a.id, b.id) })
		list := make([]codec.Element, len(sorted))
		for i, s := range sorted {
			one := codec.NewObject()
			one.SetAccount(codec.SfAccount, s.id)
			one.SetBlob(codec.SfSigningPubKey, s.pub)
			one.SetBlob(codec.SfTxnSignature, codec.Sign(s.priv, s.pub, codec.MultiSigningData(o, s.id)))
			list[i] = codec.Element{Field: codec.SfSigner, Object: one}
		}
		o.SetArray(codec.SfSigners, list)
	}
}

// withKeyOf is a signer who signs with the key of another.
func (s *signer) withKeyOf(other *signer) *signer {
	return &signer{id: s.id, pub: other.pub, priv: other.priv}
}

// weighed is an entry of a signer list.
type weighed struct {
	id     codec.AccountID
	weight uint64
}

// signerList are the fields of a SignerListSet.
func signerList(quorum uint64, entries ...weighed) func(*codec.Object) {
	return func(o *codec.Object) {
		o.SetUint(codec.SfSignerQuorum, quorum)
		if entries == nil {
			return
		}
		list := make([]codec.Element, len(entries))
		for i, e := range entries {
			one := codec.NewObject()
			one.SetAccount(codec.SfAccount, e.id)
			one.SetUint(codec.SfSignerWeight, e.weight)
			list[i] = codec.Element{Field: codec.SfSignerEntry, Object: one}
		}
		o.SetArray(codec.SfSignerEntries, list)
	}
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

// world is a node with named, funded accounts, whose invariants are checked at
// every close.
type world struct {
	testing.TB
	n     *Node
	clock *testClock
	g     *signer
	accts map[string]*signer
}

func newWorld(t testing.TB, cfg Config) *world {
	t.Helper()
	n, clock := newTestNode(t, cfg)
	return &world{TB: t, n: n, clock: clock, g: genesisSigner(t), accts: map[string]*signer{}}
}

// acct is the account of that name, funded or not; those that start with an r
// are secp256k1.
func (w *world) acct(name string) *signer {
	a := w.accts[name]
	if a == nil {
		kt := codec.Ed25519
		if name[0] == 'r' {
			kt = codec.Secp256k1
		}
		a = named(name, kt)
		w.accts[name] = a
	}
	return a
}

// fund makes accounts with so many drops each, in a ledger of their own.
func (w *world) fund(drops int64, names ...string) {
	w.Helper()
	all := make([]*signer, len(names))
	for i, name := range names {
		all[i] = w.acct(name)
	}
	fund(w, w.n, w.g, drops, all...)
	checkNode(w, w.n)
}

// do submits a transaction of a named account, with its next sequence, and
// wants a result.
func (w *world) do(who string, kind codec.TxType, want TER, fields ...func(*codec.Object)) SubmitResult {
	w.Helper()
	a := w.acct(who)
	a.next = w.n.NextSequence(a.id)
	got := w.n.Submit(a.tx(w, kind, all(fields...)), false)
	if got.Result != want {
		w.Fatalf("%s by %s: %s, want %s", kind, who, got.Result, want)
	}
	return got
}

// close closes a ledger and tells its transactions' results by id.
func (w *world) close() *Ledger {
	w.Helper()
	l := mustClose(w, w.n)
	checkNode(w, w.n)
	return l
}

// closeAt moves the clock on before.
func (w *world) closeAfter(d time.Duration) *Ledger {
	w.Helper()
	w.clock.t = w.clock.t.Add(d)
	return w.close()
}

// root is an account's root in the last closed ledger.
func (w *world) root(who string) *codec.Object {
	w.Helper()
	o := w.n.Closed().Entry(AccountKey(w.acct(who).id))
	if o == nil {
		w.Fatalf("no account %s", who)
	}
	return o
}

// last is what became of an account's last transaction in the closed ledger.
func (w *world) last(who string) *TxRecord {
	w.Helper()
	var found *TxRecord
	for r := range w.n.Closed().Txs() {
		if r.Tx.AccountID() == w.acct(who).id && (found == nil || r.Index > found.Index) {
			found = r
		}
	}
	if found == nil {
		w.Fatalf("no transaction of %s in ledger %d", who, w.n.Closed().Seq)
	}
	return found
}

// node is the metadata's node about a key; nil when the transaction left it alone.
func nodeOf(r *TxRecord, key codec.Hash256) (*codec.Field, *codec.Object) {
	for _, e := range r.Meta.Array(codec.SfAffectedNodes) {
		if e.Object.Hash(codec.SfLedgerIndex) == key {
			return e.Field, e.Object
		}
	}
	return nil, nil
}

func all(fields ...func(*codec.Object)) func(*codec.Object) {
	return func(o *codec.Object) {
		for _, f := range fields {
			f(o)
		}
	}
}

func uintField(f *codec.Field, v uint64) func(*codec.Object) {
	return func(o *codec.Object) { o.SetUint(f, v) }
}

func blobField(f *codec.Field, b []byte) func(*codec.Object) {
	return func(o *codec.Object) { o.SetBlob(f, b) }
}

func hashField(f *codec.Field, h codec.Hash256) func(*codec.Object) {
	return func(o *codec.Object) { o.SetHash(f, h) }
}

func acctField(f *codec.Field, a codec.AccountID) func(*codec.Object) {
	return func(o *codec.Object) { o.SetAccount(f, a) }
}

func feeOf(drops int64) func(*codec.Object) {
	return func(o *codec.Object) { o.SetDrops(codec.SfFee, drops) }
}

// signedBy replaces the signing key; the engine looks at it, not at the signature.
func signedBy(a *signer) func(*codec.Object) { return blobField(codec.SfSigningPubKey, a.pub) }

func byTicket(n uint32) func(*codec.Object) {
	return all(uintField(codec.SfSequence, 0), uintField(codec.SfTicketSequence, uint64(n)))
}

// issued is an amount of an issued currency, as a field's raw 48 bytes would have it.
func issuedAmount(f *codec.Field, mantissa uint64, currency string, issuer codec.AccountID) func(*codec.Object) {
	raw := make([]byte, 48)
	binary.BigEndian.PutUint64(raw, 1<<63|1<<62|uint64(97-15)<<54|mantissa)
	copy(raw[20:], currency)
	copy(raw[28:], issuer[:])
	return blobField(f, raw)
}
