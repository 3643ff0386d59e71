package engine

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/shamap"
)

// view is a ledger under construction: the open one, or one that is being
// built to be closed. Views are owned by whoever holds the Node's lock.
type view struct {
	seq             uint32
	parentHash      codec.Hash256
	parentCloseTime uint32
	drops           uint64
	open            bool
	fees            Fees
	state           *shamap.Editor

	txs     map[codec.Hash256]*codec.Tx
	list    []*codec.Tx    // txs as they came; only ever appended to
	metas   *shamap.Editor // closed only: id -> VL(tx) VL(meta)
	records []*TxRecord    // closed only, by index
	parent  *view          // a fork's origin: its transactions count as here
	sim     *simulation    // set where a transaction is only tried (flagDryRun)
}

// newView begins the ledger after parent.
func newView(parent *Ledger, open bool) *view {
	v := &view{
		seq: parent.Seq + 1, parentHash: parent.Hash, parentCloseTime: parent.CloseTime, drops: parent.Drops,
		open: open, fees: parent.fees, state: parent.State.Edit(), txs: map[codec.Hash256]*codec.Tx{},
	}
	if !open {
		v.metas = shamap.New(shamap.TxMetaMap).Edit()
	}
	return v
}

// fork is a copy to try things on; adopt takes its changes over.
func (v *view) fork() *view {
	f := *v
	f.state = v.state.Map().Edit()
	f.txs = map[codec.Hash256]*codec.Tx{}
	f.list = nil
	f.parent = v
	return &f
}

func (v *view) adopt(f *view) {
	v.state = f.state
	for _, t := range f.list {
		v.addTx(t)
	}
}

func (v *view) addTx(t *codec.Tx) {
	v.txs[t.ID] = t
	v.list = append(v.list, t)
}

func (v *view) txExists(id codec.Hash256) bool {
	for w := v; w != nil; w = w.parent {
		if _, ok := w.txs[id]; ok {
			return true
		}
	}
	return false
}

func (v *view) txCount() int {
	n := 0
	for w := v; w != nil; w = w.parent {
		n += len(w.txs)
	}
	return n
}

func sortedByID(txs []*codec.Tx) []*codec.Tx {
	out := slices.Clone(txs)
	slices.SortFunc(out, func(a, b *codec.Tx) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return out
}

func (v *view) read(key codec.Hash256) *codec.Object {
	raw, ok := v.state.Get(key)
	if !ok {
		return nil
	}
	return mustParse(key, raw)
}

func (v *view) has(key codec.Hash256) bool { return v.state.Has(key) }

// snapshot makes the open ledger readable by others.
func (v *view) snapshot() *Ledger {
	return &Ledger{
		Header: Header{Seq: v.seq, Drops: v.drops, ParentHash: v.parentHash, ParentCloseTime: v.parentCloseTime, Resolution: closeResolution},
		Open:   true, State: v.state.Map(), fees: v.fees, pending: v.list[:len(v.list):len(v.list)],
	}
}

func mustParse(key codec.Hash256, raw []byte) *codec.Object {
	o, err := codec.ParseObject(raw)
	if err != nil {
		panic(fmt.Sprintf("ledger entry %s of our own making does not parse: %v", key, err))
	}
	return o
}

type action uint8

const (
	actCache action = iota
	actInsert
	actModify
	actErase
)

type item struct {
	act action
	raw []byte // as it stands in the view below; nil when it does not
	cur *codec.Object
}

// stateTable gathers one transaction's changes on top of a view, and turns
// them into metadata when they are written (rippled's ApplyStateTable).
type stateTable struct {
	base         *view
	items        map[codec.Hash256]*item
	threadedOnly map[codec.Hash256]*codec.Object
	delivered    *int64 // drops, for the metadata's DeliveredAmount
	scratch      []byte
}

func newStateTable(base *view) *stateTable {
	return &stateTable{base: base, items: make(map[codec.Hash256]*item, 8)}
}

// peek reads an entry; changes to the object count once update was called.
func (s *stateTable) peek(key codec.Hash256) *codec.Object {
	if it, ok := s.items[key]; ok {
		if it.act == actErase {
			return nil
		}
		return it.cur
	}
	raw, ok := s.base.state.Get(key)
	if !ok {
		return nil
	}
	it := &item{raw: raw, cur: mustParse(key, raw)}
	s.items[key] = it
	return it.cur
}

func (s *stateTable) has(key codec.Hash256) bool {
	if it, ok := s.items[key]; ok {
		return it.act != actErase
	}
	return s.base.has(key)
}

func (s *stateTable) update(key codec.Hash256) {
	it, ok := s.items[key]
	if !ok {
		panic("update of an entry that was not read: " + key.String())
	}
	if it.act == actCache {
		it.act = actModify
	}
}

func (s *stateTable) insert(key codec.Hash256, o *codec.Object) {
	if it, ok := s.items[key]; ok {
		if it.act != actErase {
			panic("insert over an entry: " + key.String())
		}
		it.act, it.cur = actModify, o
		return
	}
	s.items[key] = &item{act: actInsert, cur: o}
}

func (s *stateTable) erase(key codec.Hash256) {
	it, ok := s.items[key]
	if !ok {
		panic("erase of an entry that was not read: " + key.String())
	}
	if it.act == actInsert {
		delete(s.items, key)
		return
	}
	it.act = actErase
}

func (s *stateTable) discard() {
	clear(s.items)
	s.delivered = nil
}

// changed tells whether a modified entry is not what it was.
func (s *stateTable) changed(it *item) bool {
	s.scratch = it.cur.Append(s.scratch[:0])
	return !bytes.Equal(s.scratch, it.raw)
}

// serialized is an object's bytes, without room to grow.
func (s *stateTable) serialized(o *codec.Object) []byte {
	s.scratch = o.Append(s.scratch[:0])
	return bytes.Clone(s.scratch)
}

// size is the number of entries changed, for the bound on metadata.
func (s *stateTable) size() int {
	n := 0
	for _, it := range s.items {
		if it.act != actCache {
			n++
		}
	}
	return n
}

func (s *stateTable) sortedKeys() []codec.Hash256 {
	keys := make([]codec.Hash256, 0, len(s.items))
	for k := range s.items {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareHashes)
	return keys
}

// Field metadata bits (rippled's SField.h).
const (
	metaChangeOrig  = 1
	metaChangeNew   = 2
	metaDeleteFinal = 4
	metaCreate      = 8
	metaAlways      = 16
)

// write puts the changes into the view, and the transaction with them. In a
// closed ledger that comes with metadata, and entries are threaded: each
// points to the transaction that changed it last.
func (s *stateTable) write(tx *codec.Tx, result TER) {
	if !s.base.open {
		meta := s.threadAndDescribe(tx, result, s.base.metas.Len())
		blob := s.serialized(meta)
		s.base.records = append(s.base.records, &TxRecord{
			Tx: tx, Meta: meta, MetaBlob: blob, LedgerSeq: s.base.seq, Index: uint32(s.base.metas.Len()), Result: result,
		})
		data := codec.AppendVL(make([]byte, 0, len(tx.Blob)+len(blob)+6), tx.Blob)
		s.base.metas.Put(tx.ID, codec.AppendVL(data, blob))
	}
	for key, it := range s.items {
		switch it.act {
		case actInsert:
			s.base.state.Put(key, s.serialized(it.cur))
		case actModify:
			if s.changed(it) {
				s.base.state.Put(key, bytes.Clone(s.scratch))
			}
		case actErase:
			s.base.state.Delete(key)
		}
	}
	for key, o := range s.threadedOnly {
		s.base.state.Put(key, s.serialized(o))
	}
	s.base.addTx(tx)
}

// affected is one node of the metadata while it is put together.
type affected struct {
	kind             *codec.Field
	entryType        uint64
	prevTxn          codec.Hash256
	prevSeq          uint32
	threaded         bool
	previous, fields *codec.Object
	fieldsAs         *codec.Field
}

// threadAndDescribe points the changed entries to the transaction, and gives
// its metadata as the ledger's transaction of that index.
func (s *stateTable) threadAndDescribe(tx *codec.Tx, result TER, index int) *codec.Object {
	nodes := map[codec.Hash256]*affected{}
	node := func(key codec.Hash256, entry *codec.Object) *affected {
		n := nodes[key]
		if n == nil {
			n = &affected{kind: codec.SfModifiedNode, entryType: entry.Uint(codec.SfLedgerEntryType)}
			nodes[key] = n
		}
		return n
	}
	thread := func(key codec.Hash256, o *codec.Object) {
		prev := o.Hash(codec.SfPreviousTxnID)
		if prev == tx.ID {
			return
		}
		prevSeq := uint32(o.Uint(codec.SfPreviousTxnLgrSeq))
		o.SetHash(codec.SfPreviousTxnID, tx.ID)
		o.SetUint(codec.SfPreviousTxnLgrSeq, uint64(s.base.seq))
		if prev.IsZero() {
			return
		}
		if n := node(key, o); !n.threaded {
			n.threaded, n.prevTxn, n.prevSeq = true, prev, prevSeq
		}
	}
	// An account that changes through threading alone is not among the
	// transaction's own changes: its node in the metadata only names the
	// transaction before.
	threadAccount := func(a codec.AccountID) {
		key := AccountKey(a)
		if it, ok := s.items[key]; ok && it.act != actCache {
			if it.act != actErase {
				thread(key, it.cur)
			}
			return
		}
		o := s.threadedOnly[key]
		if o == nil {
			if o = s.base.read(key); o == nil {
				return
			}
			if s.threadedOnly == nil {
				s.threadedOnly = map[codec.Hash256]*codec.Object{}
			}
			s.threadedOnly[key] = o
		}
		thread(key, o)
	}
	threadOwners := func(o *codec.Object) {
		if codec.LedgerEntryType(o.Uint(codec.SfLedgerEntryType)) == codec.LtAccountRoot {
			return
		}
		if o.Has(codec.SfAccount) {
			threadAccount(o.Account(codec.SfAccount))
		}
		if o.Has(codec.SfDestination) {
			threadAccount(o.Account(codec.SfDestination))
		}
	}

	for _, key := range s.sortedKeys() {
		it := s.items[key]
		switch it.act {
		case actErase:
			orig := mustParse(key, it.raw)
			n := node(key, it.cur)
			n.kind = codec.SfDeletedNode
			threadOwners(orig)
			n.previous = changedFields(orig, it.cur)
			n.fieldsAs, n.fields = codec.SfFinalFields, fieldsWith(it.cur, metaAlways|metaDeleteFinal, false)
		case actModify:
			if !s.changed(it) {
				continue
			}
			orig := mustParse(key, it.raw)
			n := node(key, it.cur)
			if isThreaded(it.cur) {
				thread(key, it.cur)
			}
			n.previous = changedFields(orig, it.cur)
			n.fieldsAs, n.fields = codec.SfFinalFields, fieldsWith(it.cur, metaAlways|metaChangeNew, false)
		case actInsert:
			n := node(key, it.cur)
			n.kind = codec.SfCreatedNode
			threadOwners(it.cur)
			if isThreaded(it.cur) {
				thread(key, it.cur)
			}
			n.fieldsAs, n.fields = codec.SfNewFields, fieldsWith(it.cur, metaAlways|metaCreate, true)
		}
	}

	keys := make([]codec.Hash256, 0, len(nodes))
	for k := range nodes {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareHashes)
	list := make([]codec.Element, 0, len(keys))
	for _, k := range keys {
		n := nodes[k]
		o := codec.NewObject()
		o.SetUint(codec.SfLedgerEntryType, n.entryType)
		o.SetHash(codec.SfLedgerIndex, k)
		if n.threaded {
			o.SetHash(codec.SfPreviousTxnID, n.prevTxn)
			o.SetUint(codec.SfPreviousTxnLgrSeq, uint64(n.prevSeq))
		}
		if n.previous != nil {
			o.SetObject(codec.SfPreviousFields, n.previous)
		}
		if n.fields != nil {
			o.SetObject(n.fieldsAs, n.fields)
		}
		list = append(list, codec.Element{Field: n.kind, Object: o})
	}
	meta := codec.NewObject()
	meta.SetUint(codec.SfTransactionResult, uint64(result))
	meta.SetUint(codec.SfTransactionIndex, uint64(index))
	meta.SetArray(codec.SfAffectedNodes, list)
	if s.delivered != nil {
		meta.SetDrops(codec.SfDeliveredAmount, *s.delivered)
	}
	return meta
}

// isThreaded tells the entries that carry PreviousTxnID: with fixPreviousTxnID
// every kind that this ledger makes, but for LedgerHashes.
func isThreaded(o *codec.Object) bool {
	return codec.LedgerEntryType(o.Uint(codec.SfLedgerEntryType)) != codec.LtLedgerHashes
}

// changedFields are the values that a change replaced. An entry to which an
// optional field was added has them too, if only an empty set: rippled's
// comparison counts the absent field as a changed one and then has nothing to
// write for it.
func changedFields(orig, cur *codec.Object) *codec.Object {
	var out *codec.Object
	add := func() {
		if out == nil {
			out = codec.NewObject()
		}
	}
	for _, f := range orig.Fields() {
		if f.Meta&metaChangeOrig != 0 && !cur.Equal(f, orig) {
			add()
			out.Copy(f, orig)
		}
	}
	for _, f := range cur.Fields() {
		if f.Meta&metaChangeOrig != 0 && !orig.Has(f) {
			add()
		}
	}
	return out
}

// fieldsWith copies the fields that have one of the metadata bits, without
// those at their default where that is asked; nil when there are none.
func fieldsWith(o *codec.Object, bits uint8, skipDefaults bool) *codec.Object {
	var out *codec.Object
	for _, f := range o.Fields() {
		if f.Meta&bits == 0 || skipDefaults && o.IsDefault(f) {
			continue
		}
		if out == nil {
			out = codec.NewObject()
		}
		out.Copy(f, o)
	}
	return out
}
