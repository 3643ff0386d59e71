package engine

import "github.com/xrplissuer/credential-issuer/sandbox/internal/codec"

// simulation takes up what a transaction that is only tried would do.
type simulation struct {
	meta *codec.Object
}

// SimulateResult is what would become of a transaction in the open ledger.
type SimulateResult struct {
	Result TER
	Seq    uint32 // of the open ledger
	// Meta is the metadata that it would have; nil when it would not be applied.
	Meta *codec.Object
}

// Simulate tries a transaction on the open ledger and changes nothing, the
// queue included. It needs no signatures: those who would sign are taken from
// Signers, or else SigningPubKey, or are the account itself.
func (n *Node) Simulate(tx *codec.Tx) SimulateResult {
	n.mu.Lock()
	defer n.mu.Unlock()
	sim := &simulation{}
	trial := n.open.fork()
	trial.sim = sim
	res := SimulateResult{Seq: trial.seq}
	if res.Result = preflight(tx, flagDryRun); res.Result != TesSuccess {
		return res
	}
	r, _, direct := n.queue.applyDirectly(trial, tx, flagDryRun)
	if !direct { // only the queue could take it
		r = TelCanNotQueue
	}
	res.Result = r
	if r.IsTes() || r.IsTec() {
		res.Meta = sim.meta
	}
	return res
}

// BaseFee is what a transaction costs in the open ledger without a rush, in
// drops.
func (n *Node) BaseFee(tx *codec.Tx) int64 {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return baseFee(n.open, tx)
}
