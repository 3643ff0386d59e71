package engine

import "github.com/xrplissuer/credential-issuer/sandbox/internal/codec"

// localHoldLedgers is how many ledgers past the one that was open when it was
// submitted a transaction is remembered, and tried again after each close
// (rippled's LocalTxs.cpp).
const localHoldLedgers = 5

type localTx struct {
	tx     *codec.Tx
	expire uint32 // ledger sequence past which it is forgotten
}

// localTxs are the transactions that were submitted here: whatever became of
// them at first, each new open ledger tries them again until they are in one,
// can never be, or have waited long enough.
type localTxs struct {
	list []localTx
}

func (l *localTxs) add(openSeq uint32, tx *codec.Tx) {
	expire := openSeq + localHoldLedgers
	if tx.Has(codec.SfLastLedgerSequence) {
		// In 32 bits, as rippled adds: after the last ledger of all comes 0,
		// and the transaction is forgotten at the next close.
		expire = min(expire, uint32(tx.Uint(codec.SfLastLedgerSequence))+1)
	}
	l.list = append(l.list, localTx{tx: tx, expire: expire})
}

// set gives the transactions in the order in which they are tried.
func (l *localTxs) set() []canonicalEntry {
	var s canonicalSet
	txs := make([]*codec.Tx, len(l.list))
	for i, t := range l.list {
		txs[i] = t.tx
	}
	s.insertAll(txs)
	return s.entries
}

// sweep forgets what the closed ledger has decided.
func (l *localTxs) sweep(closed *Ledger) {
	kept := l.list[:0]
	for _, t := range l.list {
		if !l.settled(t, closed) {
			kept = append(kept, t)
		}
	}
	clear(l.list[len(kept):])
	l.list = kept
}

func (l *localTxs) settled(t localTx, closed *Ledger) bool {
	if closed.Seq > t.expire || closed.txs.Has(t.tx.ID) {
		return true
	}
	acct := closed.Entry(AccountKey(t.tx.AccountID()))
	if acct == nil {
		return false
	}
	next := uint32(acct.Uint(codec.SfSequence))
	n, ticket := t.tx.SeqProxy()
	if !ticket {
		return next > n
	}
	if next <= n {
		return false
	}
	return !closed.Has(TicketKey(t.tx.AccountID(), n))
}
