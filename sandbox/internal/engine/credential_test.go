package engine

import (
	"bytes"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

func credentialOf(party *codec.Field, a codec.AccountID, credentialType string) func(*codec.Object) {
	return all(acctField(party, a), blobField(codec.SfCredentialType, []byte(credentialType)))
}

func TestCredentialRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(10_000_000, "issuer", "alice", "bob")
	w.fund(GenesisReserve+GenesisReserveInc-1, "poor")
	issuer, alice, poor, nobody := w.acct("issuer").id, w.acct("alice").id, w.acct("poor").id, w.acct("nobody").id
	w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(alice, "open"))
	w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(alice, "taken"))
	w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(poor, "open"))
	w.do("alice", codec.TtCredentialAccept, TesSuccess, credentialOf(codec.SfIssuer, issuer, "taken"))
	w.do("poor", codec.TtAccountSet, TesSuccess)
	w.close()
	past := uint64(w.n.Closed().CloseTime) - 1
	long := string(bytes.Repeat([]byte{'x'}, 65))
	const create, accept, del = codec.TtCredentialCreate, codec.TtCredentialAccept, codec.TtCredentialDelete
	for _, c := range []struct {
		name, who string
		kind      codec.TxType
		want      TER
		fields    func(*codec.Object)
	}{
		{"create: a flag", "issuer", create, TemInvalidFlag, all(createFor(alice, "a"), uintField(codec.SfFlags, 1))},
		{"create: no subject", "issuer", create, TemMalformed, createFor(codec.AccountID{}, "a")},
		{"create: no type", "issuer", create, TemMalformed, createFor(alice, "")},
		{"create: too long a type", "issuer", create, TemMalformed, createFor(alice, long)},
		{"create: an empty URI", "issuer", create, TemMalformed, all(createFor(alice, "a"), blobField(codec.SfURI, nil))},
		{"create: too long a URI", "issuer", create, TemMalformed, all(createFor(alice, "a"), blobField(codec.SfURI, make([]byte, 257)))},
		{"create: for nobody", "issuer", create, TecNoTarget, createFor(nobody, "a")},
		{"create: there is one", "issuer", create, TecDuplicate, createFor(alice, "open")},
		{"create: there is one, and it would be late", "issuer", create, TecDuplicate, all(createFor(alice, "open"), uintField(codec.SfExpiration, past-100))},
		{"create: late", "issuer", create, TecExpired, all(createFor(alice, "a"), uintField(codec.SfExpiration, 0))},
		{"create: late goes before poor", "poor", create, TecExpired, all(createFor(alice, "a"), uintField(codec.SfExpiration, 0))},
		{"create: poor", "poor", create, TecInsufficientReserve, createFor(alice, "a")},
		{"accept: a flag", "alice", accept, TemInvalidFlag, all(credentialOf(codec.SfIssuer, issuer, "open"), uintField(codec.SfFlags, 1))},
		{"accept: no issuer", "alice", accept, TemInvalidAccountID, credentialOf(codec.SfIssuer, codec.AccountID{}, "open")},
		{"accept: no type", "alice", accept, TemMalformed, credentialOf(codec.SfIssuer, issuer, "")},
		{"accept: too long a type", "alice", accept, TemMalformed, credentialOf(codec.SfIssuer, issuer, long)},
		{"accept: nobody's", "alice", accept, TecNoIssuer, credentialOf(codec.SfIssuer, nobody, "open")},
		{"accept: none", "alice", accept, TecNoEntry, credentialOf(codec.SfIssuer, issuer, "a")},
		{"accept: another's", "bob", accept, TecNoEntry, credentialOf(codec.SfIssuer, issuer, "open")},
		{"accept: twice", "alice", accept, TecDuplicate, credentialOf(codec.SfIssuer, issuer, "taken")},
		{"accept: poor", "poor", accept, TecInsufficientReserve, credentialOf(codec.SfIssuer, issuer, "open")},
		{"delete: a flag", "issuer", del, TemInvalidFlag, all(credentialOf(codec.SfSubject, alice, "open"), uintField(codec.SfFlags, 1))},
		{"delete: neither party", "issuer", del, TemMalformed, blobField(codec.SfCredentialType, []byte("open"))},
		{"delete: a zero subject", "issuer", del, TemInvalidAccountID, credentialOf(codec.SfSubject, codec.AccountID{}, "open")},
		{"delete: a zero issuer and no type", "issuer", del, TemInvalidAccountID, credentialOf(codec.SfIssuer, codec.AccountID{}, "")},
		{"delete: no type", "issuer", del, TemMalformed, credentialOf(codec.SfSubject, alice, "")},
		{"delete: none", "issuer", del, TecNoEntry, credentialOf(codec.SfSubject, alice, "a")},
		{"delete: the wrong way round", "issuer", del, TecNoEntry, credentialOf(codec.SfIssuer, alice, "open")},
		{"delete: a third party", "bob", del, TecNoPermission, all(acctField(codec.SfSubject, alice), credentialOf(codec.SfIssuer, issuer, "open"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.TB = t
			seq := w.n.NextSequence(w.acct(c.who).id)
			fee := w.n.Closed().Entry(AccountKey(w.acct(c.who).id)).Drops(codec.SfBalance)
			w.do(c.who, c.kind, c.want, c.fields)
			w.close()
			if !c.want.IsTec() {
				return
			}
			if r := w.last(c.who); r.Result != c.want || len(r.Meta.Array(codec.SfAffectedNodes)) != 1 {
				t.Errorf("in the ledger: %s, %d nodes", r.Result, len(r.Meta.Array(codec.SfAffectedNodes)))
			}
			if o := w.root(c.who); o.Uint(codec.SfSequence) != uint64(seq)+1 || o.Drops(codec.SfBalance) != fee-10 {
				t.Error("a failed transaction takes fee and sequence, no more")
			}
		})
	}
}

// TestCredentialLife: issued, accepted, deleted, with what each does to
// reserves, directories and metadata.
func TestCredentialLife(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(10_000_000, "issuer", "ralice")
	issuer, alice := w.acct("issuer").id, w.acct("ralice").id
	key := CredentialKey(alice, issuer, []byte("KYC"))
	counts := func(i, a uint64) {
		t.Helper()
		if got, also := w.root("issuer").Uint(codec.SfOwnerCount), w.root("ralice").Uint(codec.SfOwnerCount); got != i || also != a {
			t.Errorf("issuer owns %d, alice %d, want %d and %d", got, also, i, a)
		}
	}
	edge := uint64(w.n.Closed().CloseTime) // not past it yet: the ledger after this one still may
	w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(alice, "KYC"), uintField(codec.SfExpiration, edge), blobField(codec.SfURI, []byte("u")))
	w.close()
	counts(1, 0)
	if kind, node := nodeOf(w.last("issuer"), key); kind != codec.SfCreatedNode || node.Object(codec.SfNewFields).Has(codec.SfFlags) ||
		node.Object(codec.SfNewFields).Uint(codec.SfExpiration) != edge {
		t.Error("metadata of the creation")
	}
	if kind, _ := nodeOf(w.last("issuer"), OwnerDirKey(alice)); kind != codec.SfCreatedNode {
		t.Error("the subject's directory does not hold it")
	}
	if kind, _ := nodeOf(w.last("issuer"), AccountKey(alice)); kind != nil {
		t.Error("the subject's account is in the metadata")
	}
	// Expired by now: accepting deletes it.
	w.do("ralice", codec.TtCredentialAccept, TecExpired, credentialOf(codec.SfIssuer, issuer, "KYC"))
	w.close()
	counts(0, 0)
	if w.n.Closed().Has(key) || w.n.Closed().Has(OwnerDirKey(alice)) || w.n.Closed().Has(OwnerDirKey(issuer)) {
		t.Error("what has expired, or its directories, still stand")
	}
	r := w.last("ralice")
	if kind, node := nodeOf(r, key); kind != codec.SfDeletedNode || !node.Object(codec.SfFinalFields).Has(codec.SfPreviousTxnID) {
		t.Error("metadata of the expiration")
	}
	if kind, node := nodeOf(r, AccountKey(issuer)); kind != codec.SfModifiedNode || node.Object(codec.SfPreviousFields).Uint(codec.SfOwnerCount) != 1 {
		t.Error("the issuer's count did not fall")
	}

	w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(alice, "KYC"))
	w.do("ralice", codec.TtCredentialAccept, TesSuccess, credentialOf(codec.SfIssuer, issuer, "KYC"))
	w.close()
	counts(0, 1)
	if w.n.Closed().Entry(key).Uint(codec.SfFlags) != lsfAccepted {
		t.Error("not accepted")
	}
	w.do("issuer", codec.TtCredentialDelete, TesSuccess, credentialOf(codec.SfSubject, alice, "KYC"))
	w.close()
	counts(0, 0)

	// To oneself, and away again, named as issuer or subject or both.
	for _, parties := range []func(*codec.Object){
		acctField(codec.SfSubject, issuer), acctField(codec.SfIssuer, issuer),
		all(acctField(codec.SfSubject, issuer), acctField(codec.SfIssuer, issuer)),
	} {
		w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(issuer, "self"))
		w.close()
		counts(1, 0)
		if o := w.n.Closed().Entry(CredentialKey(issuer, issuer, []byte("self"))); o.Uint(codec.SfFlags) != lsfAccepted || o.Has(codec.SfSubjectNode) {
			t.Error("issued to oneself: it must be accepted and have no SubjectNode")
		}
		w.do("issuer", codec.TtCredentialAccept, TecDuplicate, credentialOf(codec.SfIssuer, issuer, "self"))
		w.do("issuer", codec.TtCredentialDelete, TesSuccess, parties, blobField(codec.SfCredentialType, []byte("self")))
		w.close()
		counts(0, 0)
	}

	// Once it has expired, anyone may delete it: accepted or not.
	w.fund(10_000_000, "stranger")
	soon := uint64(w.n.Closed().CloseTime) + 30
	for _, kind := range []string{"a", "b"} {
		w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(alice, kind), uintField(codec.SfExpiration, soon))
	}
	w.do("ralice", codec.TtCredentialAccept, TesSuccess, credentialOf(codec.SfIssuer, issuer, "a"))
	w.close()
	counts(1, 1)
	w.do("stranger", codec.TtCredentialDelete, TecNoPermission, acctField(codec.SfSubject, alice), credentialOf(codec.SfIssuer, issuer, "a"))
	w.closeAfter(time.Minute)
	w.close()
	for _, kind := range []string{"a", "b"} {
		w.do("stranger", codec.TtCredentialDelete, TesSuccess, acctField(codec.SfSubject, alice), credentialOf(codec.SfIssuer, issuer, kind))
	}
	w.close()
	counts(0, 0)
}

// TestCredentialReserve: exactly the reserve is enough, before the fee.
func TestCredentialReserve(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(GenesisReserve+GenesisReserveInc, "issuer", "alice")
	w.fund(10_000_000, "rich")
	w.do("rich", codec.TtCredentialCreate, TesSuccess, createFor(w.acct("alice").id, "a"))
	w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(w.acct("rich").id, "a"))
	w.do("alice", codec.TtCredentialAccept, TesSuccess, credentialOf(codec.SfIssuer, w.acct("rich").id, "a"))
	w.close()
	w.do("issuer", codec.TtCredentialCreate, TecInsufficientReserve, createFor(w.acct("rich").id, "b"))
	w.close()
}
