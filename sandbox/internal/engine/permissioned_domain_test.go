package engine

import (
	"slices"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

func accepted(kinds ...CredentialKind) func(*codec.Object) {
	return kindsField(codec.SfAcceptedCredentials, kinds...)
}

func domainID(h codec.Hash256) func(*codec.Object) { return hashField(codec.SfDomainID, h) }

// The first ledger lists the enabled amendments in the order of their ids, and no retired one.
func TestAmendments(t *testing.T) {
	at := uint32(848_597_020)
	n, err := New(Config{GenesisCloseTime: &at})
	if err != nil {
		t.Fatal(err)
	}
	ids := n.Closed().Entry(AmendmentsKey()).Hashes(codec.SfAmendments)
	if len(ids) != len(enabledNames) || !slices.IsSortedFunc(ids, compareHashes) || !slices.Contains(ids, codec.Sha512Half([]byte("Credentials"))) {
		t.Errorf("%d amendments in the ledger", len(ids))
	}
	for _, a := range RetiredAmendments() {
		if slices.Contains(ids, a.ID) {
			t.Errorf("%s is retired, and the ledger lists it", a.Name)
		}
	}
}

func TestPermissionedDomainRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(20_000_000, "alice", "bob", "issuer")
	w.fund(GenesisReserve+GenesisReserveInc+9, "poor")
	alice, issuer, nobody := w.acct("alice").id, w.acct("issuer").id, w.acct("nobody").id
	seq := w.n.NextSequence(alice)
	w.do("alice", codec.TtPermissionedDomainSet, TesSuccess, accepted(kind(issuer, "a")))
	w.close()
	domain := PermissionedDomainKey(alice, seq)
	const set, del = codec.TtPermissionedDomainSet, codec.TtPermissionedDomainDelete
	flag := uintField(codec.SfFlags, 1)
	one := accepted(kind(issuer, "a"))
	long := string(make([]byte, maxCredentialTypeLength+1))
	for _, c := range []struct {
		name, who string
		kind      codec.TxType
		want      TER
		fields    func(*codec.Object)
	}{
		{"a flag goes before a bad fee", "alice", set, TemInvalidFlag, all(flag, feeOf(-1), accepted())},
		{"a flag goes before an empty list", "alice", set, TemInvalidFlag, all(flag, accepted())},
		{"an empty list", "alice", set, TemArrayEmpty, all(accepted(), domainID(codec.Hash256{}))},
		{"eleven", "alice", set, TemArrayTooLarge, accepted(manyKinds(issuer, 11)...)},
		{"no issuer", "alice", set, TemInvalidAccountID, accepted(kind(codec.AccountID{}, ""))},
		{"no type", "alice", set, TemMalformed, accepted(kind(issuer, ""))},
		{"too long a type", "alice", set, TemMalformed, accepted(kind(issuer, long))},
		{"one twice", "alice", set, TemMalformed, accepted(kind(issuer, "a"), kind(alice, "a"), kind(issuer, "a"))},
		{"no Credential", "alice", set, TefException, foreignElement(codec.SfAcceptedCredentials, blobField(codec.SfMemoData, []byte{1}))},
		{"domain zero", "alice", set, TemMalformed, all(one, domainID(codec.Hash256{}))},
		{"an issuer that is no account", "alice", set, TecNoIssuer, all(accepted(kind(issuer, "a"), kind(nobody, "a")), domainID(codec.Hash256{1}))},
		{"no domain", "alice", set, TecNoEntry, all(one, domainID(codec.Hash256{1}))},
		{"an entry that is no domain", "alice", set, TecNoEntry, all(one, domainID(AccountKey(alice)))},
		{"another's domain", "bob", set, TecNoPermission, all(one, domainID(domain))},
		{"poor", "poor", set, TecInsufficientReserve, one},
		{"delete: a flag", "alice", del, TemInvalidFlag, all(flag, domainID(codec.Hash256{}))},
		{"delete: domain zero", "alice", del, TemMalformed, domainID(codec.Hash256{})},
		{"delete: no domain", "alice", del, TecNoEntry, domainID(codec.Hash256{1})},
		{"delete: an entry that is no domain", "alice", del, TecNoEntry, domainID(AccountKey(alice))},
		{"delete: another's domain", "bob", del, TecNoPermission, domainID(domain)},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, w, c.who, c.kind, c.want, c.fields) })
	}
}

func TestPermissionedDomainLife(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(GenesisReserve+GenesisReserveInc+10, "alice")
	w.fund(20_000_000, "bob", "issuer")
	alice, bob, issuer := w.acct("alice").id, w.acct("bob").id, w.acct("issuer").id
	seq := w.n.NextSequence(alice)
	key := PermissionedDomainKey(alice, seq)
	w.do("alice", codec.TtPermissionedDomainSet, TesSuccess, accepted(manyKinds(issuer, 10)...))
	w.close()
	field, node := nodeOf(w.last("alice"), key)
	if n := node.Object(codec.SfNewFields); field != codec.SfCreatedNode || n.Account(codec.SfOwner) != alice || n.Uint(codec.SfSequence) != uint64(seq) || n.Len() != 3 {
		t.Errorf("metadata of the creation: %v", node.JSON())
	}
	if w.root("alice").Uint(codec.SfOwnerCount) != 1 {
		t.Error("no reserve for it")
	}

	// Changed, with no reserve to spare: the whole list is another. Its own issuer may be the owner.
	w.do("alice", codec.TtPermissionedDomainSet, TesSuccess, accepted(kind(issuer, "x"), kind(alice, "y"), kind(bob, "z")), domainID(key))
	w.close()
	field, node = nodeOf(w.last("alice"), key)
	if field != codec.SfModifiedNode || len(node.Object(codec.SfPreviousFields).Array(codec.SfAcceptedCredentials)) != 10 ||
		len(node.Object(codec.SfFinalFields).Array(codec.SfAcceptedCredentials)) != 3 {
		t.Errorf("metadata of the change: %v", node.JSON())
	}
	w.do("alice", codec.TtPermissionedDomainSet, TesSuccess, accepted(kind(bob, "z"), kind(issuer, "x"), kind(alice, "y")), domainID(key))
	w.close()
	if field, _ := nodeOf(w.last("alice"), key); field != nil {
		t.Error("the same list in another order changed it")
	}

	w.do("alice", codec.TtPermissionedDomainDelete, TesSuccess, domainID(key))
	w.close()
	page := w.n.Closed().Entry(OwnerDirKey(alice))
	if w.n.Closed().Has(key) || w.root("alice").Uint(codec.SfOwnerCount) != 0 || page == nil || len(page.Hashes(codec.SfIndexes)) != 0 {
		t.Error("what is left of it")
	}

	// One account, several domains. Those made with tickets have the number of the ticket.
	w.do("bob", codec.TtTicketCreate, TesSuccess, uintField(codec.SfTicketCount, 3))
	w.close()
	first := w.n.NextSequence(bob) - 3
	for range 2 {
		w.do("bob", codec.TtPermissionedDomainSet, TesSuccess, accepted(kind(issuer, "x")))
	}
	w.do("bob", codec.TtPermissionedDomainSet, TesSuccess, accepted(kind(issuer, "x")), byTicket(first))
	w.do("bob", codec.TtPermissionedDomainSet, TesSuccess, accepted(kind(issuer, "x")), byTicket(first+1))
	w.close()
	byTicket2 := w.n.Closed().Entry(PermissionedDomainKey(bob, first+1))
	if n := w.root("bob").Uint(codec.SfOwnerCount); n != 4+1 || byTicket2 == nil || byTicket2.Uint(codec.SfSequence) != uint64(first+1) {
		t.Errorf("bob owns %d", n)
	}
	w.do("bob", codec.TtPermissionedDomainDelete, TesSuccess, domainID(PermissionedDomainKey(bob, first)), byTicket(first+2))
	w.close()
}
