package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// randomWalk drives a node with right and wrong transactions of all types.
type randomWalk struct {
	t        testing.TB
	rng      *rand.Rand
	n        *Node
	clock    *testClock
	g        *signer // with all XRP
	accounts []*signer
	sent     []*codec.Tx
}

func (w *randomWalk) pick() *signer { return w.accounts[w.rng.IntN(len(w.accounts))] }

func (w *randomWalk) chance(percent int) bool { return w.rng.IntN(100) < percent }

// sequence sets the sequence or a ticket, mostly one that fits.
func (w *randomWalk) sequence(o *codec.Object, who *signer) {
	next := w.n.NextSequence(who.id)
	switch {
	case w.chance(15):
		open := w.n.Current()
		for s := max(next, 40) - 40; s < next; s++ {
			if open.Has(TicketKey(who.id, s)) && w.chance(50) {
				next = s
				break
			}
		}
		o.SetUint(codec.SfSequence, 0)
		o.SetUint(codec.SfTicketSequence, uint64(next))
	case w.chance(5):
		o.SetUint(codec.SfSequence, uint64(next)+uint64(w.rng.IntN(4)))
	case w.chance(2):
		o.SetUint(codec.SfSequence, uint64(max(next, 1)-1))
	default:
		o.SetUint(codec.SfSequence, uint64(next))
	}
}

func (w *randomWalk) transaction() *codec.Tx {
	who := w.pick()
	var kind codec.TxType
	var fields func(o *codec.Object)
	typ := func() []byte { return fmt.Appendf(nil, "T%d", w.rng.IntN(40)) }
	switch w.rng.IntN(20) {
	case 0, 1, 19:
		kind = codec.TtPayment
		fields = pay(w.pick().id, []int64{1, 1000, 999_999, 1_000_000, 5_000_000, 900_000_000_000}[w.rng.IntN(6)])
		if w.chance(40) {
			fields = all(fields, idsField(w.credentials(who)...))
		}
	case 14, 15:
		kind = codec.TtDepositPreauth
		fields = w.preauth()
	case 16:
		kind = codec.TtDIDSet
		fields = func(o *codec.Object) {
			for _, f := range didFields {
				if w.chance(50) {
					o.SetBlob(f, make([]byte, []int{0, 0, 1, 2, 256, 257}[w.rng.IntN(6)]))
				}
			}
		}
		if w.chance(20) {
			kind, fields = codec.TtDIDDelete, all()
		}
	case 17, 18:
		kind = codec.TtPermissionedDomainSet
		fields = all(accepted(w.kinds(11)...))
		if w.chance(40) {
			fields = all(fields, domainID(w.domain()))
		}
		if w.chance(30) {
			kind, fields = codec.TtPermissionedDomainDelete, domainID(w.domain())
		}
	case 2, 3, 4, 5:
		kind = codec.TtCredentialCreate
		fields = func(o *codec.Object) {
			o.SetAccount(codec.SfSubject, w.pick().id)
			o.SetBlob(codec.SfCredentialType, typ())
			if w.chance(30) {
				o.SetUint(codec.SfExpiration, uint64(int(w.n.Closed().CloseTime)+w.rng.IntN(60)-10))
			}
			if w.chance(20) {
				o.SetBlob(codec.SfURI, []byte("https://example.org"))
			}
		}
	case 6, 7:
		kind = codec.TtCredentialAccept
		fields = func(o *codec.Object) {
			o.SetAccount(codec.SfIssuer, w.pick().id)
			o.SetBlob(codec.SfCredentialType, typ())
		}
	case 8, 9:
		kind = codec.TtCredentialDelete
		fields = func(o *codec.Object) {
			if w.chance(60) {
				o.SetAccount(codec.SfSubject, w.pick().id)
			}
			if w.chance(60) || !o.Has(codec.SfSubject) {
				o.SetAccount(codec.SfIssuer, w.pick().id)
			}
			o.SetBlob(codec.SfCredentialType, typ())
		}
	case 10:
		kind = codec.TtTicketCreate
		fields = func(o *codec.Object) { o.SetUint(codec.SfTicketCount, uint64(w.rng.IntN(8))) }
	case 11:
		kind = codec.TtSignerListSet
		fields = w.signerList()
	case 12:
		kind = codec.TtAccountDelete
		fields = func(o *codec.Object) {
			o.SetAccount(codec.SfDestination, w.pick().id)
			if w.chance(40) {
				o.SetDrops(codec.SfFee, GenesisReserveInc)
			}
		}
	default:
		if w.chance(30) {
			kind = codec.TtSetRegularKey
			fields = func(o *codec.Object) {
				if w.chance(60) {
					o.SetAccount(codec.SfRegularKey, w.pick().id)
				}
				if w.chance(50) {
					o.SetDrops(codec.SfFee, 0)
				}
			}
			break
		}
		kind = codec.TtAccountSet
		fields = func(o *codec.Object) {
			o.SetUint([]*codec.Field{codec.SfSetFlag, codec.SfClearFlag}[w.rng.IntN(2)], uint64(w.rng.IntN(17)))
			if w.chance(30) {
				o.SetBlob(codec.SfDomain, make([]byte, w.rng.IntN(3)))
			}
			if w.chance(30) {
				o.SetUint(codec.SfTickSize, uint64(w.rng.IntN(18)))
			}
		}
	}
	return who.tx(w.t, kind, func(o *codec.Object) {
		o.SetDrops(codec.SfFee, []int64{10, 10, 10, 10, 12, 500, 20_000, 9}[w.rng.IntN(8)])
		fields(o)
		w.sequence(o, who)
		if w.chance(10) {
			o.SetUint(codec.SfLastLedgerSequence, uint64(w.n.Closed().Seq)+uint64(w.rng.IntN(5)))
		}
		if w.chance(15) {
			multiSigned(w.signersOf(who)...)(o)
		}
	})
}

// kinds are up to so many kinds of credentials, now and then one of them twice
// or of nobody's.
func (w *randomWalk) kinds(most int) []CredentialKind {
	kinds := make([]CredentialKind, w.rng.IntN(most+1))
	for i := range kinds {
		kinds[i] = kind(w.pick().id, fmt.Sprintf("T%d", w.rng.IntN(40)))
		if w.chance(2) {
			kinds[i].Issuer = codec.AccountID{9}
		}
	}
	return kinds
}

// credentials are keys of some credentials of an account, or of anything.
func (w *randomWalk) credentials(who *signer) []codec.Hash256 {
	var ids []codec.Hash256
	open := w.n.Current()
	for range 80 {
		key := CredentialKey(who.id, w.pick().id, fmt.Appendf(nil, "T%d", w.rng.IntN(40)))
		if len(ids) < 3 && open.Has(key) && (w.chance(5) || !slices.Contains(ids, key)) {
			ids = append(ids, key)
		}
	}
	if w.chance(5) {
		ids = append(ids, AccountKey(who.id))
	}
	return ids
}

// preauth is what a DepositPreauth may say: often the credentials that some
// account holds, so that payments find them.
func (w *randomWalk) preauth() func(*codec.Object) {
	switch w.rng.IntN(4) {
	case 0:
		return acctField(codec.SfAuthorize, w.pick().id)
	case 1:
		return acctField(codec.SfUnauthorize, w.pick().id)
	}
	f := []*codec.Field{codec.SfAuthorizeCredentials, codec.SfAuthorizeCredentials, codec.SfUnauthorizeCredentials}[w.rng.IntN(3)]
	kinds := w.kinds(9)
	if w.chance(70) {
		kinds = nil
		for _, id := range w.credentials(w.pick()) {
			if o := w.n.Current().Entry(id); o != nil && o.Has(codec.SfIssuer) {
				kinds = append(kinds, CredentialKind{Issuer: o.Account(codec.SfIssuer), Type: o.Blob(codec.SfCredentialType)})
			}
		}
	}
	return kindsField(f, kinds...)
}

// domain is the key of a domain of some account, if one of its first
// transactions made it.
func (w *randomWalk) domain() codec.Hash256 {
	a := w.pick().id
	open := w.n.Current()
	for s := w.n.NextSequence(a); s > 0; s-- {
		if key := PermissionedDomainKey(a, s); open.Has(key) && w.chance(50) {
			return key
		}
	}
	return codec.Hash256{byte(w.rng.IntN(2))}
}

// signersOf are some who sign for an account: mostly of those who may.
func (w *randomWalk) signersOf(who *signer) []*signer {
	may := func(codec.AccountID) bool { return w.chance(40) }
	if list := w.n.Current().Entry(SignerListKey(who.id)); list != nil && w.chance(80) {
		may = func(id codec.AccountID) bool {
			return slices.ContainsFunc(list.Array(codec.SfSignerEntries), func(e codec.Element) bool {
				return e.Object.Account(codec.SfAccount) == id
			})
		}
	}
	var by []*signer
	for _, s := range w.accounts {
		if s != who && may(s.id) {
			by = append(by, s)
		}
	}
	return by
}

// signerList sets a list of some of the accounts, or deletes it.
func (w *randomWalk) signerList() func(*codec.Object) {
	if w.chance(25) {
		return signerList(0)
	}
	var entries []weighed
	for _, s := range w.accounts {
		if w.chance(50) {
			weight := uint64(1 + w.rng.IntN(9))
			if w.chance(5) {
				weight = 0
			}
			entries = append(entries, weighed{s.id, weight})
		}
	}
	return signerList(uint64(w.rng.IntN(6)), entries...)
}

func newRandomWalk(t testing.TB, seed uint64, cfg Config) *randomWalk {
	n, clock := newTestNode(t, cfg)
	g := genesisSigner(t)
	w := &randomWalk{t: t, rng: rand.New(rand.NewPCG(seed, 7)), n: n, clock: clock, g: g}
	for i := range 6 {
		w.accounts = append(w.accounts, named(fmt.Sprintf("walk%d", i), codec.KeyType(i%2)))
	}
	drops := []int64{1_000_000_000, 3_000_000, 1_500_000, 20_000_000, 1_000_000}
	for i, d := range drops { // the last account is not funded at first
		mustSubmit(t, n, g.tx(t, codec.TtPayment, func(o *codec.Object) {
			pay(w.accounts[i].id, d)(o)
			o.SetDrops(codec.SfFee, 10)
		}), TesSuccess)
	}
	mustClose(t, n)
	if seed%2 == 1 { // old enough for the accounts to be deleted
		for range deleteSeqDelta {
			mustClose(t, n)
		}
	}
	return w
}

// run goes so many steps, closing a ledger now and then.
func (w *randomWalk) run(steps int) {
	for range steps {
		switch {
		case w.chance(7):
			w.clock.t = w.clock.t.Add(time.Duration(w.rng.IntN(20)) * time.Second)
			// Accounts that are gone, or cannot pay any more, come back.
			w.g.next = w.n.NextSequence(w.g.id)
			w.n.Submit(w.g.tx(w.t, codec.TtPayment, pay(w.pick().id, 4_000_000)), false)
			mustClose(w.t, w.n)
			checkNode(w.t, w.n)
		case w.chance(5) && len(w.sent) > 0:
			w.n.Submit(w.sent[w.rng.IntN(len(w.sent))], w.chance(20))
		default:
			tx := w.transaction()
			w.sent = append(w.sent, tx)
			w.n.Submit(tx, w.chance(10))
		}
	}
	checkNode(w.t, w.n)
}

// TestRandomHistories walks at random and holds every ledger to the
// invariants; then the stored history must come out the same on another node.
func TestRandomHistories(t *testing.T) {
	seen, made := map[TER]int{}, map[codec.LedgerEntryType]int{} // by all walks
	deleted, together := 0, 0
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			var stored [][]byte
			cfg := Config{Commit: func(p []byte) error { stored = append(stored, p); return nil }}
			if seed%2 == 0 {
				cfg.Capacity = 8
			}
			at := uint32(848_000_000)
			cfg.GenesisCloseTime = &at
			w := newRandomWalk(t, seed, cfg)
			w.run(1000)
			for seq := uint32(3); seq <= w.n.Closed().Seq; seq++ {
				for r := range w.n.LedgerBySeq(seq).Txs() {
					seen[r.Result]++
					if r.Result.IsTes() && r.Tx.Type == codec.TtAccountDelete {
						deleted++
					}
					if r.Result.IsTes() && r.Tx.Has(codec.SfSigners) {
						together++
					}
					for _, e := range r.Meta.Array(codec.SfAffectedNodes) {
						if e.Field == codec.SfCreatedNode {
							made[codec.LedgerEntryType(e.Object.Uint(codec.SfLedgerEntryType))]++
						}
					}
				}
			}
			cfg.Commit = nil
			again, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range stored {
				if err := again.Replay(p); err != nil {
					t.Fatal(err)
				}
			}
			if again.Closed().Hash != w.n.Closed().Hash {
				t.Fatal("replayed to another ledger")
			}
			checkNode(t, again)
			got, want := again.FeeMetrics(), w.n.FeeMetrics()
			if got.TxPerLedger != want.TxPerLedger || got.MedianLevel != want.MedianLevel || got.QueueMax != want.QueueMax {
				t.Errorf("replayed to the metrics %+v, want %+v", got, want)
			}
			for _, a := range w.accounts {
				var x, y []codec.Hash256
				for r := range w.n.AccountTxs(a.id, 0, ^uint32(0), true) {
					x = append(x, r.Tx.ID)
				}
				for r := range again.AccountTxs(a.id, 0, ^uint32(0), false) {
					y = append([]codec.Hash256{r.Tx.ID}, y...)
				}
				if fmt.Sprint(x) != fmt.Sprint(y) || len(x) == 0 && w.n.Closed().Has(AccountKey(a.id)) {
					t.Errorf("%s: %d and %d transactions", a.id, len(x), len(y))
				}
			}
		})
	}
	for _, r := range []TER{TesSuccess, TecDuplicate, TecNoEntry, TecInsufficientReserve, TecUnfundedPayment, TecNoDst, TecTooSoon, TecNoPermission,
		TecBadCredentials, TecExpired, TecEmptyDID} {
		if seen[r] == 0 {
			t.Errorf("no walk came upon %s: %v", r, seen)
		}
	}
	for _, k := range []codec.LedgerEntryType{codec.LtCredential, codec.LtTicket, codec.LtDepositPreauth, codec.LtDID, codec.LtPermissionedDomain} {
		if made[k] == 0 {
			t.Errorf("no walk made a %s: %v", k, made)
		}
	}
	if deleted < 2 || together < 4 {
		t.Errorf("%d accounts deleted, %d transactions signed by several", deleted, together)
	}
}

// FuzzHistories walks at random from any seed, with small and large ledgers.
func FuzzHistories(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed, uint8(seed*3))
	}
	f.Fuzz(func(t *testing.T, seed uint64, capacity uint8) {
		newRandomWalk(t, seed, Config{Capacity: 5 + int(capacity)}).run(120)
	})
}
