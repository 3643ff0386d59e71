package engine

import (
	"bytes"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

func TestPaymentRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice", "bob", "gate")
	w.do("bob", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfRequireDest))
	w.close()
	alice, bob, gate, nobody := w.acct("alice").id, w.acct("bob").id, w.acct("gate").id, w.acct("nobody").id
	usd := func(f *codec.Field, issuer codec.AccountID) func(*codec.Object) {
		return issuedAmount(f, 1e15, "USD", issuer)
	}
	eur := func(f *codec.Field, issuer codec.AccountID) func(*codec.Object) {
		return issuedAmount(f, 1e15, "EUR", issuer)
	}
	mpt := func(f *codec.Field) func(*codec.Object) {
		raw := make([]byte, 33)
		raw[0], raw[8], raw[32] = 0x60, 1, 9
		return blobField(f, raw)
	}
	to := func(a codec.AccountID) func(*codec.Object) { return acctField(codec.SfDestination, a) }
	paths := func(count, length int) func(*codec.Object) {
		var b []byte
		for i := range count {
			if i > 0 {
				b = append(b, 0xFF)
			}
			for range length {
				b = append(append(b, 1), gate[:]...)
			}
		}
		return blobField(codec.SfPaths, append(b, 0))
	}
	via := func(nodes ...[]byte) func(*codec.Object) {
		return blobField(codec.SfPaths, append(bytes.Join(nodes, nil), 0))
	}
	through := func(a codec.AccountID) []byte { return append([]byte{codec.PathAccount}, a[:]...) }
	change := func(code string, issuer codec.AccountID) []byte {
		b := append([]byte{codec.PathCurrency | codec.PathIssuer}, make([]byte, 20)...)
		copy(b[13:], code)
		return append(b, issuer[:]...)
	}
	toXRP := append([]byte{codec.PathCurrency}, make([]byte, 20)...)
	sendXRP := func(o *codec.Object) { o.SetDrops(codec.SfSendMax, 100) }
	flags := func(f uint64) func(*codec.Object) { return uintField(codec.SfFlags, f) }
	ids := func(h ...codec.Hash256) func(*codec.Object) {
		return func(o *codec.Object) { o.SetHashes(codec.SfCredentialIDs, h) }
	}
	many := make([]codec.Hash256, 9)
	for i := range many {
		many[i][0] = byte(i + 1)
	}
	for _, c := range []struct {
		name   string
		want   TER
		fields func(*codec.Object)
	}{
		{"more than all XRP", TemBadAmount, pay(bob, genesisDrops+1)},
		{"nothing", TemBadAmount, pay(bob, 0)},
		{"less than nothing", TemBadAmount, pay(bob, -1)},
		{"no destination", TemDstNeeded, pay(codec.AccountID{}, 1)},
		{"too much goes before no destination", TemBadAmount, pay(codec.AccountID{}, genesisDrops+1)},
		{"no destination goes before nothing", TemDstNeeded, pay(codec.AccountID{}, 0)},
		{"to oneself", TemRedundant, pay(alice, 1)},
		{"an issued currency to oneself", TemRedundant, all(to(alice), usd(codec.SfAmount, gate))},
		{"an unknown flag", TemInvalidFlag, all(pay(bob, 1), flags(1))},
		{"the flag that every transaction may have", TecDstTagNeeded, all(pay(bob, 1), flags(tfFullyCanonicalSig))},
		{"XRP with SendMax", TemBadSendXRPMax, all(pay(bob, 1), func(o *codec.Object) { o.SetDrops(codec.SfSendMax, 1) })},
		{"SendMax of nothing", TemBadAmount, all(pay(bob, 1), func(o *codec.Object) { o.SetDrops(codec.SfSendMax, 0) })},
		{"XRP with paths", TemBadSendXRPPaths, all(pay(bob, 1), paths(1, 1))},
		{"XRP in part", TemBadSendXRPPartial, all(pay(bob, 1), flags(tfPartialPayment))},
		{"XRP with a quality limit", TemBadSendXRPLimit, all(pay(bob, 1), flags(tfLimitQuality))},
		{"XRP without default path", TemBadSendXRPNoDirect, all(pay(bob, 1), flags(tfNoRippleDirect))},
		{"DeliverMin of a whole payment", TemBadAmount, all(pay(bob, 5), func(o *codec.Object) { o.SetDrops(codec.SfDeliverMin, 1) })},
		{"the currency that spells XRP", TemBadCurrency, all(to(gate), issuedAmount(codec.SfAmount, 1e15, "XRP", gate))},
		{"DeliverMin of another issuer", TemBadAmount, all(to(gate), flags(tfPartialPayment), usd(codec.SfAmount, gate), usd(codec.SfDeliverMin, bob))},
		{"DeliverMin above the amount", TemBadAmount, all(to(gate), flags(tfPartialPayment), usd(codec.SfAmount, gate), issuedAmount(codec.SfDeliverMin, 2e15, "USD", gate))},
		{"a multi-purpose token without an issuance", TecObjectNotFound, all(to(gate), mpt(codec.SfAmount))},
		{"a multi-purpose token with paths", TemMalformed, all(to(gate), mpt(codec.SfAmount), paths(1, 1))},
		{"a multi-purpose token with a flag of other payments", TemInvalidFlag, all(to(gate), mpt(codec.SfAmount), flags(tfLimitQuality))},
		{"a domain of zero", TemMalformed, all(pay(bob, 1), domainID(codec.Hash256{}))},
		{"a domain that does not exist", TecNoPermission, all(pay(gate, 1), domainID(codec.Hash256{1}))},
		{"paid for with a multi-purpose token", TemMalformed, all(pay(bob, 1), mpt(codec.SfSendMax))},
		{"an empty list of credentials", TemMalformed, all(pay(bob, 1), ids())},
		{"nine credentials", TemMalformed, all(pay(bob, 1), ids(many...))},
		{"a credential twice", TemMalformed, all(pay(bob, 1), ids(many[0], many[0]))},
		{"too little to make an account", TecNoDstInsufXRP, pay(nobody, GenesisReserve-1)},
		{"an issued currency to nobody", TecNoDst, all(to(nobody), usd(codec.SfAmount, gate))},
		{"no tag", TecDstTagNeeded, pay(bob, 1)},
		{"no tag goes before bad credentials", TecDstTagNeeded, all(pay(bob, 1), ids(many[0]))},
		{"a credential that is none", TecBadCredentials, all(pay(gate, 1), ids(many[0]))},
		{"an entry that is no credential", TecBadCredentials, all(pay(gate, 1), ids(AccountKey(alice)))},
		{"more than the reserve lets", TecUnfundedPayment, pay(gate, 100_000_000-GenesisReserve+1)},
		{"an issued currency without a trust line", TecPathDry, all(to(gate), usd(codec.SfAmount, gate))},
		{"one's own currency without a trust line", TecPathDry, all(to(gate), usd(codec.SfAmount, alice))},
		{"XRP for what the destination issues, without an offer", TecPathPartial, all(to(gate), usd(codec.SfAmount, gate), func(o *codec.Object) { o.SetDrops(codec.SfSendMax, 100) })},
		{"the same in part", TecPathDry, all(to(gate), flags(tfPartialPayment), usd(codec.SfAmount, gate), func(o *codec.Object) { o.SetDrops(codec.SfSendMax, 100) })},
		{"one's own currency for XRP, without an offer", TecPathPartial, all(pay(gate, 7), usd(codec.SfSendMax, alice))},
		{"another's currency for XRP, without a trust line", TecPathDry, all(pay(gate, 7), usd(codec.SfSendMax, bob))},
		{"one's own for another's, without an offer", TecPathPartial, all(to(gate), usd(codec.SfAmount, gate), eur(codec.SfSendMax, alice))},
		{"XRP for what somebody issues who is not there", TecNoIssuer, all(to(gate), usd(codec.SfAmount, nobody), sendXRP)},
		{"one's own for the same", TecNoIssuer, all(to(gate), usd(codec.SfAmount, nobody), eur(codec.SfSendMax, alice))},
		{"XRP for what another issues", TecPathDry, all(to(gate), usd(codec.SfAmount, alice), sendXRP)},
		{"without default path, and without paths", TemRippleEmpty, all(to(gate), flags(tfNoRippleDirect), usd(codec.SfAmount, gate))},
		{"without default path, by a book", TecPathPartial, all(to(gate), flags(tfNoRippleDirect), usd(codec.SfAmount, gate), sendXRP, via(change("USD", gate)))},
		{"an amount of no account's", TemBadPath, all(to(gate), usd(codec.SfAmount, noAccount))},
		{"SendMax of no account's", TemBadPath, all(to(gate), usd(codec.SfAmount, gate), eur(codec.SfSendMax, noAccount))},
		{"a path over no account", TemBadPath, all(to(gate), usd(codec.SfAmount, gate), via(through(noAccount)))},
		{"an account with a currency", TemBadPath, all(to(gate), usd(codec.SfAmount, gate), via(append([]byte{0x11}, append(gate[:], make([]byte, 20)...)...)))},
		{"XRP with an issuer", TemBadPath, all(to(gate), usd(codec.SfAmount, gate), via(append([]byte{0x30}, append(make([]byte, 20), gate[:]...)...)))},
		{"a path over the sender", TemBadPath, all(to(gate), usd(codec.SfAmount, gate), via(through(alice)))},
		{"XRP over an account", TemBadPath, all(to(gate), usd(codec.SfAmount, gate), sendXRP, via(through(bob)))},
		{"XRP for XRP", TemBadPath, all(to(gate), usd(codec.SfAmount, gate), sendXRP, via(toXRP))},
		{"back to the XRP it began with", TemBadPathLoop, all(to(gate), usd(codec.SfAmount, gate), sendXRP, via(change("EUR", bob), toXRP))},
		{"a book twice", TemBadPathLoop, all(to(gate), usd(codec.SfAmount, gate), sendXRP, via(change("EUR", bob), change("EUR", gate), change("EUR", bob)))},
		{"XRP in the middle, and on to an account", TemBadPath, all(to(gate), usd(codec.SfAmount, gate), eur(codec.SfSendMax, alice), via(toXRP, through(bob)))},
		{"a path over a book of nobody's", TecPathPartial, all(to(gate), usd(codec.SfAmount, gate), sendXRP, via(change("EUR", nobody)))},
		{"a path over a book of nobody's alone", TecNoIssuer, all(to(gate), flags(tfNoRippleDirect), usd(codec.SfAmount, gate), sendXRP, via(change("EUR", nobody)))},
		{"a path that needs a trust line, beside one that needs an offer", TecPathPartial, all(to(gate), usd(codec.SfAmount, gate), sendXRP, via(change("EUR", bob), through(gate)))},
		{"one's own currency over XRP", TecPathPartial, all(to(gate), usd(codec.SfAmount, gate), usd(codec.SfSendMax, alice), flags(tfNoRippleDirect), via(toXRP, change("USD", gate)))},
		{"six paths of eight", TecPathDry, all(to(gate), usd(codec.SfAmount, gate), paths(6, 8))},
		{"seven paths", TelBadPathCount, all(to(gate), usd(codec.SfAmount, gate), paths(7, 1))},
		{"a path of nine", TelBadPathCount, all(to(gate), usd(codec.SfAmount, gate), paths(1, 9))},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.TB = t
			before := w.n.Closed()
			r := w.do("alice", codec.TtPayment, c.want, c.fields)
			if r.Applied != c.want.IsTec() {
				t.Errorf("applied: %v", r.Applied)
			}
			w.close()
			if c.want.IsTec() {
				if got := w.last("alice"); got.Result != c.want || len(got.Meta.Array(codec.SfAffectedNodes)) != 1 {
					t.Errorf("in the ledger it is %s, with %d nodes", got.Result, len(got.Meta.Array(codec.SfAffectedNodes)))
				}
			} else if before.StateHash == w.n.Closed().StateHash || w.n.Closed().TxCount() != 0 {
				t.Error("it is in the ledger")
			}
			// What the fee took is given back, so that each case finds the same balance.
			if d := 100_000_000 - w.root("alice").Drops(codec.SfBalance); d > 0 {
				mustSubmit(t, w.n, w.g.tx(t, codec.TtPayment, pay(alice, d)), TesSuccess)
				w.close()
			}
		})
	}
}

// TestPaymentToFrozen: XRP does not flow over paths to an account that has
// frozen all that it issues (View.cpp, checkFreeze); straight to it, it does.
func TestPaymentToFrozen(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice", "gate")
	w.do("gate", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfGlobalFreeze))
	w.close()
	alice, gate := w.acct("alice").id, w.acct("gate").id
	w.do("alice", codec.TtPayment, TecPathDry, pay(gate, 7), issuedAmount(codec.SfSendMax, 1e15, "USD", alice))
	w.do("alice", codec.TtPayment, TesSuccess, pay(gate, 7))
}

func TestPayment(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice")
	alice, bob := w.acct("alice").id, w.acct("bob").id
	w.do("alice", codec.TtPayment, TesSuccess, pay(bob, GenesisReserve))
	w.close()
	r := w.last("alice")
	if kind, node := nodeOf(r, AccountKey(bob)); kind != codec.SfCreatedNode ||
		node.Object(codec.SfNewFields).Uint(codec.SfSequence) != uint64(w.n.Closed().Seq) ||
		node.Object(codec.SfNewFields).Drops(codec.SfBalance) != GenesisReserve {
		t.Error("the new account's node is wrong")
	}
	if got := w.root("alice").Drops(codec.SfBalance); got != 99_000_000-10 {
		t.Errorf("alice has %d", got)
	}
	// The reserve may go for the fee, but not be sent.
	w.do("alice", codec.TtPayment, TesSuccess, pay(bob, 99_000_000-10-GenesisReserve))
	w.close()
	if got := w.root("alice").Drops(codec.SfBalance); got != GenesisReserve-10 {
		t.Errorf("alice has %d", got)
	}
	w.do("alice", codec.TtPayment, TecUnfundedPayment, pay(bob, 1))
	// A fee above the reserve counts instead of it.
	w.do("bob", codec.TtPayment, TecUnfundedPayment, pay(alice, 90_000_000), feeOf(20_000_000))
	w.close()
}

// TestPaymentFee is about the fee alone: at the balance, above it, and above
// all there is.
func TestPaymentFee(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(1_000_000, "alice")
	w.do("alice", codec.TtAccountSet, TerInsufFeeB, feeOf(1_000_001))
	w.do("alice", codec.TtAccountSet, TemBadFee, feeOf(-1))
	w.do("alice", codec.TtAccountSet, TemBadFee, feeOf(genesisDrops+1))
	w.do("alice", codec.TtAccountSet, TesSuccess, feeOf(1_000_000))
	w.do("alice", codec.TtAccountSet, TerInsufFeeB)
	w.close()
	if got := w.root("alice").Drops(codec.SfBalance); got != 0 {
		t.Errorf("alice has %d", got)
	}

	fresh := newWorld(t, Config{})
	if got := fresh.n.Submit(fresh.g.tx(t, codec.TtAccountSet, feeOf(genesisDrops)), false); got.Result != TefInvariantFailed || got.Applied {
		t.Errorf("all XRP as a fee: %s, applied %v", got.Result, got.Applied)
	}
}

// TestInsufficientFeeInClosedLedger: a balance that fell below the fee between
// the open and the closed ledger is taken as the fee.
func TestInsufficientFeeInClosedLedger(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(5_000_000, "alice")
	v := newView(w.n.Closed(), false)
	alice := w.acct("alice")
	tx := alice.tx(t, codec.TtAccountSet, feeOf(6_000_000))
	if r, applied := apply(v, tx, flagRetry); r != TecInsuffFee || applied {
		t.Errorf("while it may be tried again: %s, applied %v", r, applied)
	}
	if r, applied := apply(v, tx, 0); r != TecInsuffFee || !applied {
		t.Errorf("%s, applied %v", r, applied)
	}
	if got := v.read(AccountKey(alice.id)); got.Drops(codec.SfBalance) != 0 || got.Uint(codec.SfSequence) != uint64(alice.next) {
		t.Errorf("left with %d drops and sequence %d", got.Drops(codec.SfBalance), got.Uint(codec.SfSequence))
	}
	if want := w.n.Closed().Drops - 5_000_000; v.drops != want {
		t.Errorf("drops %d, want %d", v.drops, want)
	}
	if r, applied := apply(v, alice.tx(t, codec.TtAccountSet, nil), 0); r != TerInsufFeeB || applied {
		t.Errorf("with nothing left: %s, applied %v", r, applied)
	}
}

func TestDepositAuth(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(10_000_000, "alice", "vault", "issuer")
	w.fund(GenesisReserve, "poor")
	vault, poor := w.acct("vault").id, w.acct("poor").id
	for _, who := range []string{"vault", "poor"} {
		w.do(who, codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfDepositAuth))
	}
	w.close()
	w.do("alice", codec.TtPayment, TecNoPermission, pay(vault, 1))
	w.do("alice", codec.TtPayment, TecNoPermission, pay(poor, GenesisReserve+1))
	w.do("alice", codec.TtPayment, TesSuccess, pay(poor, GenesisReserve))
	w.do("alice", codec.TtPayment, TecNoPermission, pay(poor, 1))
	w.close()
	w.do("alice", codec.TtPayment, TecNoPermission, acctField(codec.SfDestination, vault), issuedAmount(codec.SfAmount, 1e15, "USD", vault))

	// A credential that is accepted but not preauthorized opens nothing.
	alice := w.acct("alice").id
	expires := w.n.Closed().CloseTime + 100
	w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(alice, "KYC"), uintField(codec.SfExpiration, uint64(expires)))
	w.close()
	id := CredentialKey(alice, w.acct("issuer").id, []byte("KYC"))
	with := func(o *codec.Object) { o.SetHashes(codec.SfCredentialIDs, []codec.Hash256{id}) }
	w.do("alice", codec.TtPayment, TecBadCredentials, pay(vault, 1), with)
	w.do("alice", codec.TtCredentialAccept, TesSuccess, acctField(codec.SfIssuer, w.acct("issuer").id), blobField(codec.SfCredentialType, []byte("KYC")))
	w.close()
	w.do("vault", codec.TtPayment, TecBadCredentials, pay(alice, 1), with)
	w.do("alice", codec.TtPayment, TecNoPermission, pay(vault, 1), with)
	w.do("alice", codec.TtPayment, TesSuccess, pay(w.acct("issuer").id, 2), with)
	w.close()
	if w.root("alice").Uint(codec.SfOwnerCount) != 1 {
		t.Error("alice does not carry the credential")
	}

	// Expired, it goes with the payment that names it, whomever it pays.
	w.closeAfter(200 * time.Second)
	w.close()
	w.do("alice", codec.TtPayment, TecExpired, pay(w.acct("issuer").id, 2), with)
	w.close()
	if w.n.Closed().Has(id) || w.root("alice").Uint(codec.SfOwnerCount) != 0 {
		t.Error("the expired credential still stands")
	}
	if kind, _ := nodeOf(w.last("alice"), id); kind != codec.SfDeletedNode {
		t.Error("the metadata does not tell of its end")
	}
	w.do("alice", codec.TtPayment, TecBadCredentials, pay(vault, 1), with)
}

// TestExpiredCredentialsOfSmallPayments: a payment that only lifts a poor
// account to its reserve looks at no credential.
func TestExpiredCredentialsOfSmallPayments(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(10_000_000, "alice", "issuer")
	w.fund(GenesisReserve, "poor")
	alice := w.acct("alice").id
	w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(alice, "KYC"), uintField(codec.SfExpiration, uint64(w.n.Closed().CloseTime+60)))
	w.close()
	w.do("alice", codec.TtCredentialAccept, TesSuccess, acctField(codec.SfIssuer, w.acct("issuer").id), blobField(codec.SfCredentialType, []byte("KYC")))
	w.closeAfter(100 * time.Second)
	w.close()
	id := CredentialKey(alice, w.acct("issuer").id, []byte("KYC"))
	with := func(o *codec.Object) { o.SetHashes(codec.SfCredentialIDs, []codec.Hash256{id}) }
	w.do("alice", codec.TtPayment, TesSuccess, pay(w.acct("poor").id, 1), with)
	w.close()
	if !w.n.Closed().Has(id) {
		t.Error("the credential is gone")
	}
	w.do("alice", codec.TtPayment, TecExpired, pay(w.acct("poor").id, 1), with)
}
