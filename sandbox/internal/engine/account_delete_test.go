package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

var deleteFee = feeOf(GenesisReserveInc)

// grow closes ledgers until accounts that are there now can be deleted.
func (w *world) grow() {
	w.Helper()
	for range deleteSeqDelta + 1 {
		mustClose(w, w.n)
	}
}

// TestAccountDeleteRefusals: every refusal, and which of two goes before the
// other.
func TestAccountDeleteRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice", "bob", "tagged", "closed", "young")
	w.do("tagged", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfRequireDest))
	w.do("tagged", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfDepositAuth))
	w.do("closed", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfDepositAuth))
	w.grow()
	alice := w.acct("alice").id
	// Tickets of a ledger may be as old as the account, and make it young.
	w.do("young", codec.TtTicketCreate, TesSuccess, uintField(codec.SfTicketCount, 250))
	w.close()

	to := func(a codec.AccountID) func(*codec.Object) { return acctField(codec.SfDestination, a) }
	toNamed := func(name string) func(*codec.Object) { return to(w.acct(name).id) }
	ids := func(h ...codec.Hash256) func(*codec.Object) {
		return func(o *codec.Object) { o.SetHashes(codec.SfCredentialIDs, h) }
	}
	tag := uintField(codec.SfDestinationTag, 5)
	for _, c := range []struct {
		name, who string
		want      TER
		fields    func(*codec.Object)
	}{
		{"a flag", "alice", TemInvalidFlag, all(toNamed("bob"), uintField(codec.SfFlags, 1))},
		{"a flag goes before the fee", "alice", TemInvalidFlag, all(toNamed("bob"), uintField(codec.SfFlags, 1), feeOf(-1))},
		{"the fee goes before oneself", "alice", TemBadFee, all(to(alice), feeOf(-1))},
		{"to oneself", "alice", TemDstIsSrc, to(alice)},
		{"to oneself goes before credentials", "alice", TemDstIsSrc, all(to(alice), ids())},
		{"no credentials", "alice", TemMalformed, all(toNamed("bob"), ids())},
		{"a credential twice", "alice", TemMalformed, all(toNamed("bob"), ids(codec.Hash256{1}, codec.Hash256{1}))},
		{"too little", "alice", TelInsufFeeP, all(toNamed("bob"), feeOf(GenesisReserveInc-1))},
		{"to nobody", "alice", TecNoDst, all(toNamed("nobody"), ids(codec.Hash256{1}))},
		{"without a tag", "alice", TecDstTagNeeded, all(toNamed("tagged"), ids(codec.Hash256{1}))},
		{"not a credential", "alice", TecBadCredentials, all(toNamed("tagged"), tag, ids(codec.Hash256{1}))},
		{"not a credential, where none is asked for", "alice", TecBadCredentials, all(toNamed("bob"), ids(AccountKey(alice)))},
		{"no permission", "alice", TecNoPermission, all(toNamed("tagged"), tag)},
		{"no permission goes before the time", "young", TecNoPermission, toNamed("closed")},
		{"too young", "young", TecTooSoon, toNamed("bob")},
	} {
		w.Run(c.name, func(t *testing.T) {
			w.TB = t
			w.do(c.who, codec.TtAccountDelete, c.want, deleteFee, c.fields)
		})
	}
	w.TB = t
	w.close()
	if n := w.root("alice").Uint(codec.SfOwnerCount); n != 0 || !w.n.Closed().Has(AccountKey(alice)) {
		t.Error("a refused deletion changed the account")
	}
	w.grow()
	w.do("alice", codec.TtAccountDelete, TesSuccess, deleteFee, toNamed("bob"), tag)
	w.close()
	if w.n.Closed().Has(AccountKey(alice)) {
		t.Error("it is still there")
	}
}

// TestAccountDeleteAge: the ledger must be 255 ahead of the sequence.
func TestAccountDeleteAge(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice")
	for {
		next := w.n.NextSequence(w.acct("alice").id)
		if open := w.n.Current().Seq; next+deleteSeqDelta <= open {
			w.do("alice", codec.TtAccountDelete, TesSuccess, deleteFee, acctField(codec.SfDestination, w.g.id))
			break
		} else if next+deleteSeqDelta == open+1 {
			// Its own sequence is used up, and the account is a ledger too young again.
			w.do("alice", codec.TtAccountDelete, TecTooSoon, deleteFee, acctField(codec.SfDestination, w.g.id))
			w.close()
		}
		mustClose(t, w.n)
	}
	w.close()
	if r := w.last("alice"); !r.Result.IsTes() || r.Tx.Uint(codec.SfSequence)+deleteSeqDelta != uint64(r.LedgerSeq) {
		t.Errorf("%s with sequence %d in ledger %d", r.Result, r.Tx.Uint(codec.SfSequence), r.LedgerSeq)
	}
}

// TestAccountDelete: an account goes with all that it may take along, over
// several pages of its directory, and leaves no trace with others.
func TestAccountDelete(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice", "bob", "carol", "heir")
	alice, bob, carol, heir := w.acct("alice").id, w.acct("bob").id, w.acct("carol").id, w.acct("heir").id
	// 20 by alice about bob, of which bob takes half; 20 by carol about alice, of
	// which she takes half; one of hers about herself; tickets; a signer list.
	for i := range 20 {
		w.do("alice", codec.TtCredentialCreate, TesSuccess, createFor(bob, fmt.Sprint("by", i)))
		w.do("carol", codec.TtCredentialCreate, TesSuccess, createFor(alice, fmt.Sprint("about", i)))
		if i%2 == 0 {
			w.do("bob", codec.TtCredentialAccept, TesSuccess, acctField(codec.SfIssuer, alice), blobField(codec.SfCredentialType, fmt.Append(nil, "by", i)))
			w.do("alice", codec.TtCredentialAccept, TesSuccess, acctField(codec.SfIssuer, carol), blobField(codec.SfCredentialType, fmt.Append(nil, "about", i)))
		}
	}
	w.do("alice", codec.TtCredentialCreate, TesSuccess, createFor(alice, "self"))
	w.do("alice", codec.TtTicketCreate, TesSuccess, uintField(codec.SfTicketCount, 40))
	w.do("alice", codec.TtSignerListSet, TesSuccess, signerList(1, weighed{bob, 1}))
	w.do("bob", codec.TtCredentialCreate, TesSuccess, createFor(carol, "stays"))
	w.close()
	w.grow()
	w.grow() // her sequence is some 70 ahead
	ticket := w.n.NextSequence(alice) - 2
	for !w.n.Current().Has(TicketKey(alice, ticket)) {
		ticket--
	}
	had, before := w.root("alice").Drops(codec.SfBalance), w.root("heir").Drops(codec.SfBalance)
	w.do("alice", codec.TtAccountDelete, TesSuccess, deleteFee, acctField(codec.SfDestination, heir), byTicket(ticket))
	l := w.close() // checkNode finds whatever points to what is gone
	if l.Has(AccountKey(alice)) || l.Has(OwnerDirKey(alice)) || l.Has(SignerListKey(alice)) {
		t.Fatal("something of it is left")
	}
	r := w.last("alice")
	if r.Result != TesSuccess {
		t.Fatal(r.Result)
	}
	left := had - GenesisReserveInc
	if got := r.Meta.Drops(codec.SfDeliveredAmount); got != left || w.root("heir").Drops(codec.SfBalance) != before+left {
		t.Errorf("delivered %d, want %d", got, left)
	}
	kind, node := nodeOf(r, AccountKey(alice))
	final, prev := node.Object(codec.SfFinalFields), node.Object(codec.SfPreviousFields)
	if kind != codec.SfDeletedNode || final.Drops(codec.SfBalance) != 0 || final.Uint(codec.SfOwnerCount) != 0 ||
		final.Has(codec.SfTicketCount) || prev.Uint(codec.SfTicketCount) != 40 || prev.Drops(codec.SfBalance) != had {
		t.Errorf("the account: %v", node.JSON())
	}
	if w.root("bob").Uint(codec.SfOwnerCount) != 1 || w.root("carol").Uint(codec.SfOwnerCount) != 0 {
		t.Errorf("bob owns %d, carol %d", w.root("bob").Uint(codec.SfOwnerCount), w.root("carol").Uint(codec.SfOwnerCount))
	}
	if !l.Has(CredentialKey(carol, bob, []byte("stays"))) {
		t.Error("another's credential went with it")
	}

	// The address is free again; its sequence begins with the ledger's.
	w.do("bob", codec.TtPayment, TesSuccess, pay(alice, 2_000_000))
	w.close()
	if root := w.root("alice"); root.Uint(codec.SfSequence) != uint64(w.n.Closed().Seq) || root.Uint(codec.SfOwnerCount) != 0 {
		t.Errorf("made again: %v", root.JSON())
	}
}

// TestAccountDeleteBlocks: it keeps all else of the account out of the queue,
// and frees the free key reset of the one that is paid.
func TestAccountDeleteBlocks(t *testing.T) {
	w := newWorld(t, Config{Capacity: 5})
	w.fund(100_000_000, "alice", "bob")
	w.do("bob", codec.TtSetRegularKey, TesSuccess, feeOf(0))
	w.grow()
	if w.root("bob").Uint(codec.SfFlags)&lsfPasswordSpent == 0 {
		t.Fatal("the free reset is not spent")
	}
	for range 6 {
		w.do("bob", codec.TtAccountSet, TesSuccess)
	}
	w.do("alice", codec.TtAccountDelete, TerQueued, deleteFee, acctField(codec.SfDestination, w.acct("bob").id))
	w.do("alice", codec.TtAccountSet, TelCanNotQueueBlocked)
	w.close()
	w.close()
	if w.n.Closed().Has(AccountKey(w.acct("alice").id)) {
		t.Error("the queue kept it")
	}
	if w.root("bob").Uint(codec.SfFlags)&lsfPasswordSpent != 0 {
		t.Error("the reset is still spent")
	}
}

// TestAccountDeleteTooBig: a thousand entries go with an account, not one more.
func TestAccountDeleteTooBig(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(10_000_000_000, "alice", "bob")
	alice, bob := w.acct("alice").id, w.acct("bob").id
	for i := range maxDeletableEntries + 1 { // by another, so that the account's own sequence stays behind
		w.do("bob", codec.TtCredentialCreate, TesSuccess, createFor(alice, fmt.Sprint(i)))
	}
	w.grow()
	del := func(want TER) {
		w.do("alice", codec.TtAccountDelete, want, deleteFee, acctField(codec.SfDestination, bob))
	}
	del(TefTooBig)
	w.do("alice", codec.TtCredentialDelete, TesSuccess, acctField(codec.SfIssuer, bob), blobField(codec.SfCredentialType, []byte("0")))
	del(TesSuccess)
	if l := w.close(); l.Has(AccountKey(alice)) || l.Has(OwnerDirKey(bob)) || w.root("bob").Uint(codec.SfOwnerCount) != 0 {
		t.Error("something is left")
	}
	if n := len(w.last("alice").Meta.Array(codec.SfAffectedNodes)); n < maxDeletableEntries {
		t.Errorf("%d entries in the metadata", n)
	}
}

// TestAccountDeleteExpired: credentials that have expired are deleted, and the
// account stays.
func TestAccountDeleteExpired(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice", "bob", "issuer")
	alice, issuer := w.acct("alice").id, w.acct("issuer").id
	w.grow()
	w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(alice, "kyc"), uintField(codec.SfExpiration, uint64(w.n.Closed().CloseTime)+60))
	w.do("alice", codec.TtCredentialAccept, TesSuccess, acctField(codec.SfIssuer, issuer), blobField(codec.SfCredentialType, []byte("kyc")))
	w.close()
	w.closeAfter(time.Hour)
	key := CredentialKey(alice, issuer, []byte("kyc"))
	w.do("alice", codec.TtAccountDelete, TecExpired, deleteFee, acctField(codec.SfDestination, w.acct("bob").id),
		func(o *codec.Object) { o.SetHashes(codec.SfCredentialIDs, []codec.Hash256{key}) })
	l := w.close()
	if l.Has(key) || !l.Has(AccountKey(alice)) || w.last("alice").Meta.Has(codec.SfDeliveredAmount) {
		t.Error("the credential stays, or the account went")
	}
}

// TestAccountDeleteHoldings: preauthorizations and a DID go with the account, a
// domain keeps it; with the right credentials it may go to where deposits are
// authorized.
func TestAccountDeleteHoldings(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice", "heir", "issuer")
	alice, heir, issuer := w.acct("alice").id, w.acct("heir").id, w.acct("issuer").id
	domain := PermissionedDomainKey(alice, w.n.NextSequence(alice))
	w.do("alice", codec.TtPermissionedDomainSet, TesSuccess, accepted(kind(issuer, "a")))
	w.do("alice", codec.TtDepositPreauth, TesSuccess, acctField(codec.SfAuthorize, heir))
	w.do("alice", codec.TtDepositPreauth, TesSuccess, kindsField(codec.SfAuthorizeCredentials, manyKinds(issuer, 8)...))
	w.do("alice", codec.TtDIDSet, TesSuccess, text(codec.SfURI, "u"))
	w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(alice, "a"))
	w.do("alice", codec.TtCredentialAccept, TesSuccess, credentialOf(codec.SfIssuer, issuer, "a"))
	w.do("heir", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfDepositAuth))
	w.do("heir", codec.TtDepositPreauth, TesSuccess, kindsField(codec.SfAuthorizeCredentials, kind(issuer, "a")))
	w.close()
	w.grow()
	for range 8 { // as far as her sequence is ahead
		w.close()
	}
	named := idsField(CredentialKey(alice, issuer, []byte("a")))
	to := acctField(codec.SfDestination, heir)
	w.do("alice", codec.TtAccountDelete, TecNoPermission, deleteFee, to)
	w.do("alice", codec.TtAccountDelete, TecHasObligations, deleteFee, to, named)
	w.do("alice", codec.TtPermissionedDomainDelete, TesSuccess, domainID(domain))
	w.do("alice", codec.TtAccountDelete, TesSuccess, deleteFee, to, named)
	l := w.close()
	if l.Has(AccountKey(alice)) || l.Has(OwnerDirKey(alice)) || l.Has(DIDKey(alice)) || l.Has(DepositPreauthKey(alice, heir)) {
		t.Error("something of it is left")
	}
}

// TestDeletable: only what another branch of the ledger's rules calls no
// obligation goes with an account.
func TestDeletable(t *testing.T) {
	for _, kind := range []codec.LedgerEntryType{codec.LtEscrow, codec.LtPayChannel, codec.LtCheck, codec.LtRippleState, codec.LtNFTokenPage, codec.LtBridge, codec.LtPermissionedDomain} {
		if deletable[kind] != nil {
			t.Errorf("a %s would be deleted with its owner", kind)
		}
	}
}
