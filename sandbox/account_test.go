package sandbox

import (
	"context"
	"fmt"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// testAccount is a funded account that signs with one family of keys.
type testAccount struct {
	id   codec.AccountID
	pub  []byte
	priv codec.PrivateKey
	next uint32
}

// newTestAccount funds an account, and closes the ledger that does.
func newTestAccount(t testing.TB, s *Server, kt codec.KeyType, name string) *testAccount {
	t.Helper()
	sum := codec.Sha512Half([]byte(name))
	pub, priv := codec.DeriveKeypair(codec.Seed(sum[:16]), kt)
	a := &testAccount{id: codec.AccountIDFromPublicKey(pub), pub: pub, priv: priv}
	if _, err := s.Fund(context.Background(), a.id.String(), 1_000_000*1_000_000); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accept(context.Background()); err != nil {
		t.Fatal(err)
	}
	a.next = uint32(s.node.Closed().Entry(engine.AccountKey(a.id)).Uint(codec.SfSequence))
	return a
}

// sign makes a signed transaction of the account's next sequence.
func (a *testAccount) sign(t testing.TB, kind codec.TxType, fill func(*codec.Object)) *codec.Tx {
	t.Helper()
	o := codec.NewObject()
	o.SetUint(codec.SfTransactionType, uint64(kind))
	o.SetAccount(codec.SfAccount, a.id)
	o.SetDrops(codec.SfFee, 10)
	o.SetUint(codec.SfSequence, uint64(a.next))
	fill(o)
	a.next++
	tx, err := signObject(o, nil, a.pub, a.priv)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// credential makes a signed CredentialCreate; without a type it has one of its own.
func (a *testAccount) credential(t testing.TB, subject codec.AccountID, kind []byte) *codec.Tx {
	t.Helper()
	if kind == nil {
		kind = fmt.Appendf(nil, "type %d", a.next)
	}
	return a.sign(t, codec.TtCredentialCreate, func(o *codec.Object) {
		o.SetAccount(codec.SfSubject, subject)
		o.SetBlob(codec.SfCredentialType, kind)
	})
}
