package engine

import (
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// kindsField names kinds of credentials, in the order given.
func kindsField(f *codec.Field, kinds ...CredentialKind) func(*codec.Object) {
	return func(o *codec.Object) {
		list := []codec.Element{}
		for _, k := range kinds {
			inner := codec.NewObject()
			inner.SetAccount(codec.SfIssuer, k.Issuer)
			inner.SetBlob(codec.SfCredentialType, k.Type)
			list = append(list, codec.Element{Field: codec.SfCredential, Object: inner})
		}
		o.SetArray(f, list)
	}
}

func kind(issuer codec.AccountID, credentialType string) CredentialKind {
	return CredentialKind{Issuer: issuer, Type: []byte(credentialType)}
}

func manyKinds(issuer codec.AccountID, n int) []CredentialKind {
	kinds := make([]CredentialKind, n)
	for i := range kinds {
		kinds[i] = kind(issuer, fmt.Sprintf("T%02d", n-i))
	}
	return kinds
}

// foreignElement is an array with one element of another kind: rippled reads of
// it what it would of a Credential.
func foreignElement(f *codec.Field, fields ...func(*codec.Object)) func(*codec.Object) {
	return func(o *codec.Object) {
		inner := codec.NewObject()
		all(fields...)(inner)
		o.SetArray(f, []codec.Element{{Field: codec.SfMemo, Object: inner}})
	}
}

// refused submits what must be refused, and holds the ledger to what a refusal
// leaves: the fee taken for a tec, nothing for others.
func refused(t *testing.T, w *world, who string, txKind codec.TxType, want TER, fields func(*codec.Object)) {
	t.Helper()
	w.TB = t
	before := w.n.Closed().Entry(AccountKey(w.acct(who).id))
	w.do(who, txKind, want, fields)
	w.close()
	after := w.root(who)
	if !want.IsTec() {
		if w.n.Closed().TxCount() != 0 || !after.Same(before) {
			t.Error("it is in the ledger")
		}
		return
	}
	if r := w.last(who); r.Result != want || len(r.Meta.Array(codec.SfAffectedNodes)) != 1 {
		t.Errorf("in the ledger: %s, %d nodes", r.Result, len(r.Meta.Array(codec.SfAffectedNodes)))
	}
	if after.Uint(codec.SfSequence) != before.Uint(codec.SfSequence)+1 || after.Drops(codec.SfBalance) != before.Drops(codec.SfBalance)-10 {
		t.Error("a failed transaction takes fee and sequence, no more")
	}
}

// Keys, from the field's documentation and from their definition (Indexes.cpp,
// hash_append.h).
func TestPreauthKeys(t *testing.T) {
	id := func(s string) codec.AccountID {
		a, ok := codec.ParseAccountID(s)
		if !ok {
			t.Fatal(s)
		}
		return a
	}
	for want, got := range map[string]codec.Hash256{
		"4A255038CC3ADCC1A9C91509279B59908251728D0DAADB248FFE297D0F7E068C": DepositPreauthKey(id("rsUiUMpnrgxQp24dJYZDhmV4bE3aBtQyt8"), id("rEhxGqkqPPSxQ3P25J66ft5TwpzV14k2de")),
		"46813BE38B798B3752CA590D44E7FEADB17485649074403AD1761A2835CE91FF": DIDKey(id("rpfqJrXg5uidNo2ZsRhRY6TiF1cvYmV9Fg")),
	} {
		if got.String() != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	owner, a, b := named("owner", codec.Ed25519).id, named("a", codec.Ed25519).id, named("b", codec.Ed25519).id
	kinds := []CredentialKind{kind(a, "y"), kind(b, "x"), kind(a, "x"), kind(a, "xx")}
	sorted, unique := SortCredentialKinds(kinds)
	if !unique || !slices.IsSortedFunc(sorted, compareKinds) || compareKinds(kinds[0], kind(a, "y")) != 0 {
		t.Fatal("not sorted, or sorted in place")
	}
	half := func(b []byte) []byte {
		h := sha512.Sum512(b)
		return h[:32]
	}
	list := append([]byte{0, 'P'}, owner[:]...)
	for _, k := range sorted {
		list = append(list, half(append(slices.Clone(k.Issuer[:]), k.Type...))...)
	}
	list = binary.BigEndian.AppendUint64(list, 4)
	if got := DepositPreauthCredentialsKey(owner, sorted); got != codec.Hash256(half(list)) {
		t.Error(got)
	}
	if _, unique := SortCredentialKinds([]CredentialKind{kind(a, "x"), kind(b, "x"), kind(a, "x")}); unique {
		t.Error("a kind twice went through")
	}
}

func TestDepositPreauthRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(20_000_000, "owner", "alice", "issuer")
	w.fund(GenesisReserve+GenesisReserveInc-1, "poor")
	owner, alice, issuer, nobody := w.acct("owner").id, w.acct("alice").id, w.acct("issuer").id, w.acct("nobody").id
	const auth, unauth = 0, 1
	f := []*codec.Field{codec.SfAuthorizeCredentials, codec.SfUnauthorizeCredentials}
	w.do("owner", codec.TtDepositPreauth, TesSuccess, acctField(codec.SfAuthorize, alice))
	w.do("owner", codec.TtDepositPreauth, TesSuccess, kindsField(f[auth], kind(issuer, "b"), kind(issuer, "a")))
	w.close()
	flag := uintField(codec.SfFlags, 1)
	long := string(make([]byte, maxCredentialTypeLength+1))
	type refusal struct {
		name, who string
		want      TER
		fields    func(*codec.Object)
	}
	cases := []refusal{
		{"a flag goes before no field", "owner", TemInvalidFlag, flag},
		{"no field", "owner", TemMalformed, all()},
		{"two fields", "owner", TemMalformed, all(acctField(codec.SfAuthorize, alice), acctField(codec.SfUnauthorize, alice))},
		{"two fields of both kinds", "owner", TemMalformed, all(acctField(codec.SfAuthorize, codec.AccountID{}), kindsField(f[unauth]))},
		{"two lists", "owner", TemMalformed, all(kindsField(f[auth], kind(issuer, "a")), kindsField(f[unauth], kind(issuer, "a")))},
		{"nobody", "owner", TemInvalidAccountID, acctField(codec.SfAuthorize, codec.AccountID{})},
		{"nobody, taken back", "owner", TemInvalidAccountID, acctField(codec.SfUnauthorize, codec.AccountID{})},
		{"oneself", "owner", TemCannotPreauthSelf, acctField(codec.SfAuthorize, owner)},
		{"oneself, taken back", "owner", TecNoEntry, acctField(codec.SfUnauthorize, owner)},
		{"no account", "owner", TecNoTarget, acctField(codec.SfAuthorize, nobody)},
		{"twice", "owner", TecDuplicate, acctField(codec.SfAuthorize, alice)},
		{"not authorized", "owner", TecNoEntry, acctField(codec.SfUnauthorize, issuer)},
		{"another's", "alice", TecNoEntry, acctField(codec.SfUnauthorize, alice)},
		{"credentials of no account", "owner", TecNoIssuer, kindsField(f[auth], kind(issuer, "a"), kind(nobody, "a"))},
		{"the same credentials in another order", "owner", TecDuplicate, kindsField(f[auth], kind(issuer, "a"), kind(issuer, "b"))},
		{"fewer credentials", "owner", TecNoEntry, kindsField(f[unauth], kind(issuer, "a"))},
		{"another's credentials", "alice", TecNoEntry, kindsField(f[unauth], kind(issuer, "a"), kind(issuer, "b"))},
		{"poor", "poor", TecInsufficientReserve, acctField(codec.SfAuthorize, alice)},
		{"poor, by credentials", "poor", TecInsufficientReserve, kindsField(f[auth], kind(issuer, "a"))},
		{"poor and no account", "poor", TecNoTarget, acctField(codec.SfAuthorize, nobody)},
	}
	for i, verb := range []string{"authorize", "unauthorize"} {
		cases = append(cases, []refusal{
			{verb + ": an empty list", "owner", TemArrayEmpty, kindsField(f[i])},
			{verb + ": nine", "owner", TemArrayTooLarge, kindsField(f[i], manyKinds(issuer, 9)...)},
			{verb + ": no issuer", "owner", TemInvalidAccountID, kindsField(f[i], kind(codec.AccountID{}, ""))},
			{verb + ": no type", "owner", TemMalformed, kindsField(f[i], kind(issuer, ""), kind(codec.AccountID{}, "a"))},
			{verb + ": too long a type", "owner", TemMalformed, kindsField(f[i], kind(issuer, long))},
			{verb + ": one twice", "owner", TemMalformed, kindsField(f[i], kind(issuer, "a"), kind(issuer, "b"), kind(issuer, "a"))},
			{verb + ": no Credential", "owner", TefException, foreignElement(f[i], blobField(codec.SfMemoData, []byte{1}))},
			{verb + ": no Credential, without a type", "owner", TefException, foreignElement(f[i], acctField(codec.SfIssuer, issuer))},
			{verb + ": no Credential, and no issuer's", "owner", TemInvalidAccountID, foreignElement(f[i], acctField(codec.SfIssuer, codec.AccountID{}))},
		}...)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { refused(t, w, c.who, codec.TtDepositPreauth, c.want, c.fields) })
	}
}

// TestDepositPreauthLife: given and taken back, with reserves, directories and
// metadata.
func TestDepositPreauthLife(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(GenesisReserve+2*GenesisReserveInc+10, "owner")
	w.fund(20_000_000, "alice", "issuer", "other")
	owner, alice, issuer, other := w.acct("owner").id, w.acct("alice").id, w.acct("issuer").id, w.acct("other").id
	key := DepositPreauthKey(owner, alice)
	w.do("owner", codec.TtDepositPreauth, TesSuccess, acctField(codec.SfAuthorize, alice))
	w.close()
	field, node := nodeOf(w.last("owner"), key)
	if field != codec.SfCreatedNode {
		t.Fatal(field)
	}
	if n := node.Object(codec.SfNewFields); n.Account(codec.SfAccount) != owner || n.Account(codec.SfAuthorize) != alice || n.Len() != 2 {
		t.Errorf("new fields %v", n.JSON())
	}
	// The authorized account sees it in its history, but does not own it.
	if !slices.Contains(w.last("owner").Affected(), alice) || w.root("alice").Uint(codec.SfOwnerCount) != 0 || w.n.Closed().Has(OwnerDirKey(alice)) {
		t.Error("what it is to alice")
	}
	// The reserve is that of the balance before the fee.
	list := []CredentialKind{kind(other, "a"), kind(issuer, "b"), kind(issuer, "a")}
	w.do("owner", codec.TtDepositPreauth, TesSuccess, kindsField(codec.SfAuthorizeCredentials, list...))
	w.close()
	sorted, _ := SortCredentialKinds(list)
	set := DepositPreauthCredentialsKey(owner, sorted)
	o := w.n.Closed().Entry(set)
	if o == nil || !slices.EqualFunc(credentialKinds(o, codec.SfAuthorizeCredentials), sorted, func(a, b CredentialKind) bool { return compareKinds(a, b) == 0 }) {
		t.Fatal("not in the ledger's order")
	}
	if n := w.root("owner").Uint(codec.SfOwnerCount); n != 2 {
		t.Errorf("owns %d", n)
	}
	w.do("owner", codec.TtDepositPreauth, TecInsufficientReserve, acctField(codec.SfAuthorize, other))
	w.do("owner", codec.TtDepositPreauth, TesSuccess, acctField(codec.SfUnauthorize, alice))
	w.close()
	field, node = nodeOf(w.last("owner"), key)
	if field != codec.SfDeletedNode || !node.Object(codec.SfFinalFields).Has(codec.SfPreviousTxnID) || w.n.Closed().Has(key) {
		t.Error("the one by account was not deleted")
	}
	w.do("owner", codec.TtDepositPreauth, TesSuccess, kindsField(codec.SfUnauthorizeCredentials, sorted[2], sorted[0], sorted[1]))
	w.close()
	if w.n.Closed().Has(set) || w.n.Closed().Has(OwnerDirKey(owner)) || w.root("owner").Uint(codec.SfOwnerCount) != 0 {
		t.Error("something is left behind")
	}
	// An element of another kind is written as what it stands for.
	w.do("alice", codec.TtDepositPreauth, TesSuccess, foreignElement(codec.SfAuthorizeCredentials,
		acctField(codec.SfIssuer, issuer), blobField(codec.SfCredentialType, []byte("a"))))
	w.do("alice", codec.TtDepositPreauth, TesSuccess, kindsField(codec.SfAuthorizeCredentials, manyKinds(issuer, 8)...))
	w.close()
	if o := w.n.Closed().Entry(DepositPreauthCredentialsKey(alice, []CredentialKind{kind(issuer, "a")})); o == nil ||
		o.Array(codec.SfAuthorizeCredentials)[0].Field != codec.SfCredential {
		t.Error("it is not a Credential")
	}
}

func idsField(ids ...codec.Hash256) func(*codec.Object) {
	return func(o *codec.Object) { o.SetHashes(codec.SfCredentialIDs, ids) }
}

// TestPaymentWithCredentials: to an account that wants deposits authorized, with
// and without what it authorizes.
func TestPaymentWithCredentials(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(50_000_000, "gate", "alice", "bob", "issuer")
	gate, alice, bob, issuer := w.acct("gate").id, w.acct("alice").id, w.acct("bob").id, w.acct("issuer").id
	soon := uint64(w.n.Closed().CloseTime) + 100
	for _, c := range []struct {
		subject codec.AccountID
		who     string
		types   string
	}{{alice, "alice", "abce"}, {bob, "bob", "ad"}} {
		for _, kind := range c.types {
			expires := all()
			if kind == 'e' {
				expires = uintField(codec.SfExpiration, soon)
			}
			w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(c.subject, string(kind)), expires)
			if kind != 'd' {
				w.do(c.who, codec.TtCredentialAccept, TesSuccess, credentialOf(codec.SfIssuer, issuer, string(kind)))
			}
		}
	}
	w.do("gate", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfDepositAuth))
	w.do("gate", codec.TtDepositPreauth, TesSuccess, kindsField(codec.SfAuthorizeCredentials, kind(issuer, "b"), kind(issuer, "a")))
	w.do("gate", codec.TtDepositPreauth, TesSuccess, kindsField(codec.SfAuthorizeCredentials, kind(issuer, "e")))
	w.close()
	of := func(subject codec.AccountID, credentialType string) codec.Hash256 {
		return CredentialKey(subject, issuer, []byte(credentialType))
	}
	a, b, c, e := of(alice, "a"), of(alice, "b"), of(alice, "c"), of(alice, "e")
	for _, p := range []struct {
		name, who string
		want      TER
		fields    func(*codec.Object)
	}{
		{"no credentials", "alice", TecNoPermission, all()},
		{"too few", "alice", TecNoPermission, idsField(a)},
		{"too many", "alice", TecNoPermission, idsField(a, b, c)},
		{"those of another set", "alice", TecNoPermission, idsField(a, e)},
		{"another's", "bob", TecBadCredentials, idsField(a, b)},
		{"not accepted", "bob", TecBadCredentials, idsField(of(bob, "d"))},
		{"an entry of another kind", "alice", TecBadCredentials, idsField(AccountKey(alice))},
		{"none that there is", "alice", TecBadCredentials, idsField(a, codec.Hash256{1})},
		{"not enough money goes before no permission", "alice", TecUnfundedPayment, func(o *codec.Object) { o.SetDrops(codec.SfAmount, 50_000_000) }},
		{"the right ones, of another subject", "bob", TecNoPermission, idsField(of(bob, "a"))},
	} {
		t.Run(p.name, func(t *testing.T) { refused(t, w, p.who, codec.TtPayment, p.want, all(pay(gate, 2_000_000), p.fields)) })
	}
	w.TB = t
	before := w.root("gate").Drops(codec.SfBalance)
	w.do("alice", codec.TtPayment, TesSuccess, pay(gate, 2_000_000), idsField(b, a))
	w.do("alice", codec.TtPayment, TesSuccess, pay(gate, 1_000_000), idsField(e))
	// Needless credentials are checked, and no hindrance; they do not replace the account's own right.
	w.do("alice", codec.TtPayment, TesSuccess, pay(issuer, 1), idsField(c))
	w.do("alice", codec.TtPayment, TecBadCredentials, pay(issuer, 1), idsField(of(bob, "a")))
	w.do("gate", codec.TtDepositPreauth, TesSuccess, acctField(codec.SfAuthorize, bob))
	w.do("bob", codec.TtPayment, TesSuccess, pay(gate, 5), idsField(of(bob, "a")))
	w.close()
	if got := w.root("gate").Drops(codec.SfBalance); got != before+3_000_005-10 {
		t.Errorf("gate has %d, had %d", got, before)
	}

	// What has expired fails the payment and is deleted, in the open ledger and in the closed one, wherever the payment goes.
	w.closeAfter(3 * time.Minute)
	w.close()
	w.do("alice", codec.TtPayment, TecExpired, pay(gate, 2_000_000), idsField(a, e, b))
	if w.n.Current().Has(e) {
		t.Error("it stands in the open ledger")
	}
	w.close()
	r := w.last("alice")
	if field, _ := nodeOf(r, e); field != codec.SfDeletedNode || r.Result != TecExpired || w.n.Closed().Has(e) || !w.n.Closed().Has(a) {
		t.Error("the expired one, and no other, is deleted")
	}
	if n := w.root("alice").Uint(codec.SfOwnerCount); n != 3 {
		t.Errorf("alice owns %d", n)
	}
	w.do("alice", codec.TtPayment, TecBadCredentials, pay(gate, 2_000_000), idsField(e))
	w.close()
}

// TestSmallDeposits: what lifts an account to its reserve needs no permission,
// and so no look at the credentials.
func TestSmallDeposits(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(GenesisReserve+10, "gate")
	w.fund(50_000_000, "alice", "issuer")
	gate, alice, issuer := w.acct("gate").id, w.acct("alice").id, w.acct("issuer").id
	w.do("gate", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfDepositAuth))
	expired := CredentialKey(alice, issuer, []byte("a"))
	w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(alice, "a"), uintField(codec.SfExpiration, uint64(w.n.Closed().CloseTime)+20))
	w.do("alice", codec.TtCredentialAccept, TesSuccess, credentialOf(codec.SfIssuer, issuer, "a"))
	w.close()
	w.closeAfter(time.Minute)
	w.close()
	w.do("alice", codec.TtPayment, TecNoPermission, pay(gate, GenesisReserve+1))
	w.do("alice", codec.TtPayment, TesSuccess, pay(gate, 1), idsField(expired))
	w.close()
	if !w.n.Closed().Has(expired) {
		t.Error("the credential of a small deposit was looked at")
	}
	w.do("alice", codec.TtPayment, TecNoPermission, pay(gate, 1)) // it is above its reserve now
	w.do("alice", codec.TtPayment, TecExpired, pay(gate, 1), idsField(expired))
	w.close()
}
