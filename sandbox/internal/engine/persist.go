package engine

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// A closed ledger is stored as what it cannot be derived without: its number,
// its close time, its transactions in the order in which they were applied;
// and its hash, by which Replay knows that it arrived at the same ledger.
//
//	version (1) ‖ seq (4) ‖ close time (4) ‖ hash (32) ‖ VL(transaction) …
const payloadVersion = 1

const payloadHeader = 1 + 4 + 4 + 32

func encodeClosed(l *Ledger, records []*TxRecord) []byte {
	size := payloadHeader
	for _, r := range records {
		size += len(r.Tx.Blob) + 3
	}
	b := append(make([]byte, 0, size), payloadVersion)
	b = binary.BigEndian.AppendUint32(b, l.Seq)
	b = binary.BigEndian.AppendUint32(b, l.CloseTime)
	b = append(b, l.Hash[:]...)
	for _, r := range records {
		b = codec.AppendVL(b, r.Tx.Blob)
	}
	return b
}

// Replay applies a stored ledger on top of the last closed one, or takes a
// stored step back. It is for the start, before anything is submitted: nothing
// is committed or observed. An error leaves the Node unusable.
func (n *Node) Replay(payload []byte) error {
	if len(payload) > 0 && payload[0] == stepBackVersion {
		return n.replayStepBack(payload)
	}
	if len(payload) < payloadHeader || payload[0] != payloadVersion {
		return errors.New("not a stored ledger of this version")
	}
	seq := binary.BigEndian.Uint32(payload[1:])
	closeTime := binary.BigEndian.Uint32(payload[5:])
	hash := codec.Hash256(payload[9:payloadHeader])
	rest := payload[payloadHeader:]
	var txs []*codec.Tx
	for len(rest) > 0 {
		var blob []byte
		var err error
		if blob, rest, err = codec.SplitVL(rest); err != nil {
			return fmt.Errorf("stored ledger %d: %w", seq, err)
		}
		tx, err := codec.ParseTx(blob)
		if err != nil {
			return fmt.Errorf("stored ledger %d, transaction %d: %w", seq, len(txs), err)
		}
		txs = append(txs, tx)
	}

	n.mu.Lock()
	defer n.mu.Unlock()
	if seq != n.closed.Seq+1 {
		return fmt.Errorf("stored ledger %d follows ledger %d", seq, n.closed.Seq)
	}
	if closeTime <= n.closed.CloseTime {
		return fmt.Errorf("stored ledger %d: %w", seq, ErrCloseTime)
	}
	var failed error
	var levels []uint64
	l, records := buildRecords(n.closed, closeTime, func(v *view) {
		for _, tx := range txs {
			if r, applied := apply(v, tx, 0); !applied {
				failed = fmt.Errorf("stored ledger %d: transaction %s does not apply any more: %s", seq, tx.ID, r)
				return
			}
		}
		levels = levelsPaid(v)
	})
	if failed != nil {
		return failed
	}
	if l.Hash != hash {
		return fmt.Errorf("stored ledger %d has hash %s and comes out as %s", seq, hash, l.Hash)
	}
	n.queue.ledgerClosed(seq, levels)
	n.store(l, records)
	n.avoidClose = 0
	n.open, n.snap = newView(l, true), nil
	return nil
}
