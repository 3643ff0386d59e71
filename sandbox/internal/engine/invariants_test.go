package engine

import (
	"bytes"
	"slices"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/shamap"
)

// held is where a directory says that an entry is.
type heldAt struct {
	owner codec.AccountID
	key   codec.Hash256
}

// checkLedger holds a ledger to what is true of every one: drops neither
// appear nor vanish, reserves are counted right, directories and entries agree,
// and the tree's hash is that of a tree built anew.
func checkLedger(t testing.TB, l *Ledger) {
	t.Helper()
	var balances uint64
	roots := map[codec.AccountID]*codec.Object{}
	pages := map[codec.Hash256]*codec.Object{}
	owned, tickets := map[codec.AccountID]uint64{}, map[codec.AccountID]uint64{}
	lists := map[codec.Hash256]*codec.Object{} // of signers: they do not say whose
	links := map[heldAt]uint64{}               // what entries say: where they are listed
	anew := shamap.New(shamap.StateMap).Edit()
	for k, raw := range l.State.All() {
		key := codec.Hash256(k)
		anew.Put(k, bytes.Clone(raw))
		o, kind, err := codec.ParseEntry(raw)
		if err != nil {
			t.Fatalf("entry %s: %v", key, err)
		}
		if !bytes.Equal(o.Append(nil), raw) {
			t.Fatalf("entry %s is not canonical", key)
		}
		switch kind {
		case codec.LtAccountRoot:
			a := o.Account(codec.SfAccount)
			if AccountKey(a) != key || o.Drops(codec.SfBalance) < 0 {
				t.Fatalf("account %s: key %s, balance %d", a, key, o.Drops(codec.SfBalance))
			}
			balances += uint64(o.Drops(codec.SfBalance))
			roots[a] = o
		case codec.LtDirectoryNode:
			pages[key] = o
		case codec.LtTicket:
			a := o.Account(codec.SfAccount)
			owned[a]++
			tickets[a]++
			links[heldAt{a, key}] = o.Uint(codec.SfOwnerNode)
			if TicketKey(a, uint32(o.Uint(codec.SfTicketSequence))) != key {
				t.Fatalf("ticket %s has another's key", key)
			}
		case codec.LtCredential:
			issuer, subject := o.Account(codec.SfIssuer), o.Account(codec.SfSubject)
			if CredentialKey(subject, issuer, o.Blob(codec.SfCredentialType)) != key {
				t.Fatalf("credential %s has another's key", key)
			}
			if o.Uint(codec.SfFlags)&lsfAccepted != 0 {
				owned[subject]++
			} else {
				owned[issuer]++
			}
			links[heldAt{issuer, key}] = o.Uint(codec.SfIssuerNode)
			if subject != issuer {
				links[heldAt{subject, key}] = o.Uint(codec.SfSubjectNode)
			}
		case codec.LtDepositPreauth:
			a := o.Account(codec.SfAccount)
			want := DepositPreauthKey(a, o.Account(codec.SfAuthorize))
			if o.Has(codec.SfAuthorizeCredentials) {
				want = DepositPreauthCredentialsKey(a, checkKindsOf(t, key, o, codec.SfAuthorizeCredentials, maxPreauthCredentials))
			}
			if want != key || o.Has(codec.SfAuthorize) == o.Has(codec.SfAuthorizeCredentials) {
				t.Fatalf("preauthorization %s has another's key, or is of neither kind or of both", key)
			}
			owned[a]++
			links[heldAt{a, key}] = o.Uint(codec.SfOwnerNode)
		case codec.LtDID:
			a := o.Account(codec.SfAccount)
			present, empty, long := countDIDFields(o)
			if DIDKey(a) != key || present == 0 || empty > 0 || long > 0 {
				t.Fatalf("DID %s has another's key, or bad fields: %d, %d empty, %d too long", key, present, empty, long)
			}
			owned[a]++
			links[heldAt{a, key}] = o.Uint(codec.SfOwnerNode)
		case codec.LtPermissionedDomain:
			// rippled's ValidPermissionedDomain.
			a := o.Account(codec.SfOwner)
			checkKindsOf(t, key, o, codec.SfAcceptedCredentials, maxPermissionedDomainCredentials)
			if PermissionedDomainKey(a, uint32(o.Uint(codec.SfSequence))) != key {
				t.Fatalf("domain %s has another's key", key)
			}
			owned[a]++
			links[heldAt{a, key}] = o.Uint(codec.SfOwnerNode)
		case codec.LtSignerList:
			checkSignerList(t, o)
			lists[key] = o
		case codec.LtAmendments, codec.LtFeeSettings, codec.LtLedgerHashes:
		default:
			t.Fatalf("entry %s is a %s", key, kind)
		}
	}
	burnt := uint64(0)
	for _, tx := range l.pending {
		burnt += uint64(tx.Fee())
	}
	if balances+burnt != l.Drops {
		t.Fatalf("ledger %d: balances of %d and open fees of %d, drops %d", l.Seq, balances, burnt, l.Drops)
	}
	for a, o := range roots {
		if list := lists[SignerListKey(a)]; list != nil {
			owned[a]++
			links[heldAt{a, SignerListKey(a)}] = list.Uint(codec.SfOwnerNode)
			delete(lists, SignerListKey(a))
		} else if o.Uint(codec.SfFlags)&lsfDisableMaster != 0 && !o.Has(codec.SfRegularKey) {
			t.Fatalf("ledger %d: nobody can sign for account %s", l.Seq, a)
		}
		if o.Uint(codec.SfOwnerCount) != owned[a] || o.Uint(codec.SfTicketCount) != tickets[a] {
			t.Fatalf("ledger %d: account %s counts %d entries and %d tickets, owns %d and %d",
				l.Seq, a, o.Uint(codec.SfOwnerCount), o.Uint(codec.SfTicketCount), owned[a], tickets[a])
		}
		checkDirectory(t, l, a, pages, links)
	}
	if len(pages) != 0 || len(links) != 0 || len(lists) != 0 {
		t.Fatalf("ledger %d: %d pages in no directory, %d entries on no page, %d signer lists of nobody", l.Seq, len(pages), len(links), len(lists))
	}
	if !l.Open {
		checkRoots(t, l)
	}
	if !l.Open {
		if got := codec.Hash256(anew.Map().Hash()); got != l.StateHash {
			t.Fatalf("ledger %d: state hash %s, of a tree built anew %s", l.Seq, l.StateHash, got)
		}
		if l.computeHash() != l.Hash {
			t.Fatalf("ledger %d: its hash is not that of its header", l.Seq)
		}
	}
}

// checkKindsOf holds an entry's list of credentials to what every one is: not
// empty, not too long, in order, each once.
func checkKindsOf(t testing.TB, key codec.Hash256, o *codec.Object, f *codec.Field, most int) []CredentialKind {
	t.Helper()
	kinds := credentialKinds(o, f)
	if r := checkKinds(o.Array(f), most); r != TesSuccess {
		t.Fatalf("entry %s: %s is %s", key, f, r)
	}
	if !slices.IsSortedFunc(kinds, compareKinds) {
		t.Fatalf("entry %s: %s is not in order", key, f)
	}
	return kinds
}

// checkSignerList: signers in order, none twice, who can reach the quorum.
func checkSignerList(t testing.TB, o *codec.Object) {
	t.Helper()
	var total uint64
	entries := o.Array(codec.SfSignerEntries)
	for i, e := range entries {
		if i > 0 && compareAccounts(entries[i-1].Object.Account(codec.SfAccount), e.Object.Account(codec.SfAccount)) >= 0 {
			t.Fatalf("signers out of order: %v", o.JSON())
		}
		total += e.Object.Uint(codec.SfSignerWeight)
	}
	if q := o.Uint(codec.SfSignerQuorum); q == 0 || total < q || o.Uint(codec.SfFlags) != lsfOneOwnerCount {
		t.Fatalf("a list that cannot be: %v", o.JSON())
	}
}

// checkRoots: an account comes by a successful payment alone, one at a time and
// with the ledger's sequence, and goes by a successful AccountDelete alone, one
// for each (InvariantCheck.cpp, ValidNewAccountRoot and AccountRootsNotDeleted).
func checkRoots(t testing.TB, l *Ledger) {
	t.Helper()
	for r := range l.Txs() {
		came, went := 0, 0
		for _, e := range r.Meta.Array(codec.SfAffectedNodes) {
			if codec.LedgerEntryType(e.Object.Uint(codec.SfLedgerEntryType)) != codec.LtAccountRoot {
				continue
			}
			switch e.Field {
			case codec.SfCreatedNode:
				came++
				if s := e.Object.Object(codec.SfNewFields).Uint(codec.SfSequence); s != uint64(l.Seq) {
					t.Fatalf("ledger %d: an account begins with the sequence %d", l.Seq, s)
				}
			case codec.SfDeletedNode:
				went++
				if left := e.Object.Object(codec.SfFinalFields).Drops(codec.SfBalance); left != 0 {
					t.Fatalf("ledger %d: %d drops went with an account", l.Seq, left)
				}
			}
		}
		mayCome := r.Result.IsTes() && r.Tx.Type == codec.TtPayment
		goes := r.Result.IsTes() && r.Tx.Type == codec.TtAccountDelete
		if came > 1 || came == 1 && !mayCome || (went == 1) != goes || went > 1 {
			t.Fatalf("ledger %d: %s, %s: %d accounts came, %d went", l.Seq, r.Tx.Type, r.Result, came, went)
		}
	}
}

// checkDirectory walks an account's directory, and takes what it finds out of
// pages and links.
func checkDirectory(t testing.TB, l *Ledger, a codec.AccountID, pages map[codec.Hash256]*codec.Object, links map[heldAt]uint64) {
	t.Helper()
	root := OwnerDirKey(a)
	if pages[root] == nil {
		return
	}
	last := pages[root].Uint(codec.SfIndexPrevious)
	for n, prev := uint64(0), uint64(0); ; {
		page := pages[PageKey(root, n)]
		if page == nil {
			t.Fatalf("ledger %d: directory of %s: page %d is missing", l.Seq, a, n)
		}
		delete(pages, PageKey(root, n))
		indexes := page.Hashes(codec.SfIndexes)
		if n != 0 && (len(indexes) == 0 || page.Uint(codec.SfIndexPrevious) != prev) || len(indexes) > dirPageEntries {
			t.Fatalf("ledger %d: directory of %s: page %d has %d entries and follows %d", l.Seq, a, n, len(indexes), page.Uint(codec.SfIndexPrevious))
		}
		if !slices.IsSortedFunc(indexes, compareHashes) {
			t.Fatalf("ledger %d: directory of %s: page %d is not in order", l.Seq, a, n)
		}
		if page.Account(codec.SfOwner) != a || page.Hash(codec.SfRootIndex) != root {
			t.Fatalf("ledger %d: page %d of %s names another directory", l.Seq, n, a)
		}
		for _, key := range indexes {
			at, ok := links[heldAt{a, key}]
			if !ok || at != n {
				t.Fatalf("ledger %d: directory of %s: page %d lists %s, which says %d, %v", l.Seq, a, n, key, at, ok)
			}
			delete(links, heldAt{a, key})
		}
		next := page.Uint(codec.SfIndexNext)
		if next == 0 {
			if last != n {
				t.Fatalf("ledger %d: directory of %s ends at page %d, its root says %d", l.Seq, a, n, last)
			}
			return
		}
		n, prev = next, n
	}
}

// checkNode holds the last closed and the open ledger to their invariants, and
// the queue to its own.
func checkNode(t testing.TB, n *Node) {
	t.Helper()
	closed, open := n.Closed(), n.Current()
	checkLedger(t, closed)
	checkLedger(t, open)
	if open.Seq != closed.Seq+1 || open.ParentHash != closed.Hash {
		t.Fatalf("open ledger %d stands on %s, closed is %d, %s", open.Seq, open.ParentHash, closed.Seq, closed.Hash)
	}
	q := n.queue
	inAccounts := 0
	for a, aq := range q.byAccount {
		inAccounts += len(aq.txs)
		for i, e := range aq.txs {
			if e.account != a || i > 0 && aq.txs[i-1].proxy.compare(e.proxy) >= 0 || !slices.Contains(q.byFee, e) {
				t.Fatalf("queue of %s is out of order at %d", a, i)
			}
		}
	}
	if inAccounts != len(q.byFee) || !slices.IsSortedFunc(q.byFee, func(a, b *queued) int {
		if q.less(b, a) {
			return 1
		}
		return -1
	}) {
		t.Fatalf("the queue has %d by fee, %d by account", len(q.byFee), inAccounts)
	}
}
