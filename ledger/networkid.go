package ledger

import (
	"context"
	"strconv"
)

// networkEvery is after how many ledgers a node that named no network id is asked again.
const networkEvery = 16

// wrongNetwork deals with a submission that the node refuses for its NetworkID. The id may have been missing when the node
// was asked for it, as shortly after its start. So it is asked again at once, and the operation is signed again with the
// same sequence or ticket where the answer differs from the blob.
func (l *Lane) wrongNetwork(op *operation) {
	op.state = stateRetry
	l.tally.networkRefusals.Add(1)
	l.learnNetwork()
}

// learnNetwork asks the node for its network id.
func (l *Lane) learnNetwork() {
	if l.identifying {
		return
	}
	l.identifying = true
	l.job(func(ctx context.Context) func() {
		info, err := l.client.ServerInfo(ctx)
		return func() {
			l.identifying = false
			if err != nil {
				if ctx.Err() == nil {
					l.log.Warn("cannot read the node's network id", "error", err)
				}
				return // asked again with the next refusal
			}
			l.networkLearned(info.NetworkID)
			for _, op := range l.ordered() {
				if op.state == stateRetry && actionFor(op.last.EngineResult) == actNetwork {
					l.signForNetwork(op)
				}
			}
		}
	})
}

// networkLearned takes in what the node says; 0 is what it says where it names none.
func (l *Lane) networkLearned(id uint32) {
	l.networkAskedAt = l.validated.Index
	if id == 0 || id == l.networkID {
		return
	}
	if l.identity {
		l.log.Warn("the node names another network id than before", "network_id", id, "before", l.networkID)
	}
	l.networkID = id
}

// signForNetwork signs an operation again with the network id that is known now. Where that is the blob's, the node refuses
// its own network's.
func (l *Lane) signForNetwork(op *operation) {
	a := op.newest()
	want := l.networkID
	if want <= maxLegacyNetworkID {
		want = 0
	}
	if networkOf(a.Blob) == want || len(op.attempts) >= maxAttempts {
		l.refused(op, op.last)
		return
	}
	l.replace(op, a.Fee)
}

// networkOf returns a blob's NetworkID, or 0 where it has none. The field comes second in the serialization, behind the
// TransactionType: 12 tttt 21 nnnnnnnn.
func networkOf(blob string) uint32 {
	if len(blob) < 16 || blob[:2] != "12" || blob[6:8] != "21" {
		return 0
	}
	id, _ := strconv.ParseUint(blob[8:16], 16, 32)
	return uint32(id)
}
