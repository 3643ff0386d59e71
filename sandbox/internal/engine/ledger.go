package engine

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/shamap"
)

// Constants of a ledger (rippled's Ledger.cpp, LedgerTiming.h, Protocol.h).
const (
	genesisDrops      = 100_000_000_000 * 1_000_000 // all XRP there is, in drops
	closeResolution   = 10                          // seconds to which a close time is rounded
	skipListLength    = 256                         // hashes that the short skip list keeps
	GenesisBaseFee    = 10                          // drops
	GenesisReserve    = 1_000_000                   // drops an account
	GenesisReserveInc = 200_000                     // drops an owned entry
)

// GenesisSeed is the well-known seed of the account that holds all XRP in a
// fresh stand-alone ledger (secp256k1).
const GenesisSeed = "snoPBrXtMeMyMHUVTgbuqAfg1SUTb"

// GenesisAccount is that account.
var GenesisAccount = func() codec.AccountID {
	a, ok := codec.ParseAccountID("rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh")
	if !ok {
		panic("the genesis address does not parse")
	}
	return a
}()

// Header is a ledger's header. In an open ledger Hash, TxHash, StateHash and
// CloseTime are zero.
type Header struct {
	Seq             uint32
	Drops           uint64 // XRP in existence, in drops
	Hash            codec.Hash256
	ParentHash      codec.Hash256
	TxHash          codec.Hash256 // root of the transaction tree
	StateHash       codec.Hash256 // root of the state tree
	ParentCloseTime uint32        // seconds since the Ripple Epoch
	CloseTime       uint32        // seconds since the Ripple Epoch
	Resolution      uint8         // seconds
	CloseFlags      uint8
}

// AppendRaw appends the header's serialized form, which `ledger_data` shows
// and over which the ledger's hash is taken.
func (h *Header) AppendRaw(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, h.Seq)
	dst = binary.BigEndian.AppendUint64(dst, h.Drops)
	dst = append(dst, h.ParentHash[:]...)
	dst = append(dst, h.TxHash[:]...)
	dst = append(dst, h.StateHash[:]...)
	dst = binary.BigEndian.AppendUint32(dst, h.ParentCloseTime)
	dst = binary.BigEndian.AppendUint32(dst, h.CloseTime)
	return append(dst, h.Resolution, h.CloseFlags)
}

func (h *Header) computeHash() codec.Hash256 {
	return codec.Sha512Half(codec.PrefixLedger[:], h.AppendRaw(nil))
}

// Fees are the ledger's fee settings, in drops.
type Fees struct {
	Base       int64
	Reserve    int64 // of an account that owns nothing
	ReserveInc int64 // more of it for each entry owned
}

// accountReserve is what an account with that many owned entries must hold.
func (f Fees) accountReserve(owned uint32) int64 { return f.Reserve + int64(owned)*f.ReserveInc }

// Ledger is a closed ledger, or a snapshot of the open one (Open). It never
// changes.
type Ledger struct {
	Header
	Open  bool
	State *shamap.Map // key -> serialized entry

	fees    Fees
	txs     *shamap.Map // closed: id -> VL(transaction) VL(metadata)
	pending []*codec.Tx // open: as they came
}

// Fees are the fee settings of the ledger's FeeSettings entry.
func (l *Ledger) Fees() Fees { return l.fees }

// Entry reads a ledger entry; nil when there is none. The object is the
// caller's own.
func (l *Ledger) Entry(key codec.Hash256) *codec.Object {
	raw, ok := l.State.Get(key)
	if !ok {
		return nil
	}
	o, err := codec.ParseObject(raw)
	if err != nil {
		panic(fmt.Sprintf("ledger entry %s of our own making does not parse: %v", key, err))
	}
	return o
}

// Has tells whether there is an entry with that key.
func (l *Ledger) Has(key codec.Hash256) bool { return l.State.Has(key) }

// TxCount is the number of transactions in the ledger.
func (l *Ledger) TxCount() int {
	if l.Open {
		return len(l.pending)
	}
	return l.txs.Len()
}

// Txs are the ledger's transactions, ascending by id.
func (l *Ledger) Txs() iter.Seq[*TxRecord] {
	return func(yield func(*TxRecord) bool) {
		if l.Open {
			for _, t := range sortedByID(l.pending) {
				if !yield(&TxRecord{Tx: t, LedgerSeq: l.Seq}) {
					return
				}
			}
			return
		}
		for id, data := range l.txs.All() {
			if !yield(l.record(id, data)) {
				return
			}
		}
	}
}

// Tx reads one transaction of a closed ledger; nil when it is not in it.
func (l *Ledger) Tx(id codec.Hash256) *TxRecord {
	if l.Open {
		return nil
	}
	data, ok := l.txs.Get(id)
	if !ok {
		return nil
	}
	return l.record(id, data)
}

func (l *Ledger) record(id codec.Hash256, data []byte) *TxRecord {
	blob, rest, err := codec.SplitVL(data)
	if err == nil {
		var meta []byte
		if meta, _, err = codec.SplitVL(rest); err == nil {
			var r *TxRecord
			if r, err = newRecord(blob, meta, l.Seq, l.CloseTime); err == nil {
				r.LedgerHash = l.Hash
				return r
			}
		}
	}
	panic(fmt.Sprintf("transaction %s of ledger %d, which we closed, does not parse: %v", id, l.Seq, err))
}

// TxRecord is a transaction as it stands in a ledger.
type TxRecord struct {
	Tx         *codec.Tx
	Meta       *codec.Object // nil in an open ledger
	MetaBlob   []byte        // Meta as serialized
	LedgerSeq  uint32
	LedgerHash codec.Hash256
	CloseTime  uint32 // of its ledger, seconds since the Ripple Epoch
	Index      uint32 // TransactionIndex
	Result     TER
}

func newRecord(blob, metaBlob []byte, seq, closeTime uint32) (*TxRecord, error) {
	tx, err := codec.ParseTx(blob)
	if err != nil {
		return nil, fmt.Errorf("transaction: %w", err)
	}
	meta, err := codec.ParseObject(metaBlob)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	return &TxRecord{
		Tx: tx, Meta: meta, MetaBlob: metaBlob, LedgerSeq: seq, CloseTime: closeTime,
		Index:  uint32(meta.Uint(codec.SfTransactionIndex)),
		Result: TER(meta.Uint(codec.SfTransactionResult)),
	}, nil
}

// genesis makes ledger 1 as rippled does for `--start`: one account with all
// XRP, the amendments, the fees.
func genesis() *Ledger {
	state := shamap.New(shamap.StateMap).Edit()

	acct := newAccountRoot(GenesisAccount, 1)
	acct.SetDrops(codec.SfBalance, genesisDrops)
	state.Put(AccountKey(GenesisAccount), acct.Append(nil))

	am := codec.NewObject()
	am.SetUint(codec.SfLedgerEntryType, uint64(codec.LtAmendments))
	am.SetUint(codec.SfFlags, 0)
	ids := make([]codec.Hash256, len(enabledAmendments))
	for i, a := range enabledAmendments {
		ids[i] = a.ID
	}
	am.SetHashes(codec.SfAmendments, ids)
	state.Put(AmendmentsKey(), am.Append(nil))

	fee := codec.NewObject()
	fee.SetUint(codec.SfLedgerEntryType, uint64(codec.LtFeeSettings))
	fee.SetUint(codec.SfFlags, 0)
	fee.SetDrops(codec.SfBaseFeeDrops, GenesisBaseFee)
	fee.SetDrops(codec.SfReserveBaseDrops, GenesisReserve)
	fee.SetDrops(codec.SfReserveIncrementDrops, GenesisReserveInc)
	state.Put(FeeKey(), fee.Append(nil))

	l := &Ledger{
		Header: Header{Seq: 1, Drops: genesisDrops, Resolution: closeResolution},
		State:  state.Map(),
		txs:    shamap.New(shamap.TxMetaMap),
	}
	l.seal()
	return l
}

// seal fills in what follows from the content: the roots, the hash, the fees.
func (l *Ledger) seal() {
	l.StateHash = l.State.Hash()
	l.TxHash = l.txs.Hash()
	l.Hash = l.computeHash()
	l.fees = readFees(l.State)
}

func readFees(state *shamap.Map) Fees {
	raw, ok := state.Get(FeeKey())
	if !ok {
		return Fees{Base: GenesisBaseFee, Reserve: GenesisReserve, ReserveInc: GenesisReserveInc}
	}
	o, err := codec.ParseObject(raw)
	if err != nil {
		panic(fmt.Sprintf("FeeSettings of our own making does not parse: %v", err))
	}
	return Fees{
		Base:       o.Drops(codec.SfBaseFeeDrops),
		Reserve:    o.Drops(codec.SfReserveBaseDrops),
		ReserveInc: o.Drops(codec.SfReserveIncrementDrops),
	}
}

// updateSkipList writes the parent's hash into the LedgerHashes entries of the
// ledger seq that is being built (Ledger::updateSkipList): every ledger into
// the list of the last 256, every 256th into its long list.
func updateSkipList(state *shamap.Editor, seq uint32, parentHash codec.Hash256) {
	prev := seq - 1
	add := func(key codec.Hash256, bound int) {
		var o *codec.Object
		var hashes []codec.Hash256
		if raw, ok := state.Get(key); ok {
			var err error
			if o, err = codec.ParseObject(raw); err != nil {
				panic(fmt.Sprintf("LedgerHashes of our own making does not parse: %v", err))
			}
			hashes = o.Hashes(codec.SfHashes)
		} else {
			o = codec.NewObject()
			o.SetUint(codec.SfLedgerEntryType, uint64(codec.LtLedgerHashes))
			o.SetUint(codec.SfFlags, 0)
		}
		if bound > 0 && len(hashes) >= bound {
			hashes = hashes[len(hashes)-bound+1:]
		}
		o.SetHashes(codec.SfHashes, append(append(make([]codec.Hash256, 0, len(hashes)+1), hashes...), parentHash))
		o.SetUint(codec.SfLastLedgerSequence, uint64(prev))
		state.Put(key, o.Append(nil))
	}
	if prev&0xff == 0 {
		add(SkipKeyFor(prev), 0)
	}
	add(SkipKey(), skipListLength)
}

// roundCloseTime rounds to the nearest multiple of the resolution, halves up.
func roundCloseTime(t uint32) uint32 {
	if t == 0 {
		return 0
	}
	t += closeResolution / 2
	return t - t%closeResolution
}
