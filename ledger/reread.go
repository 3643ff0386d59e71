package ledger

// rereadAfter is the number of ledgers after which a transaction in flight is looked for with `account_tx`, and the least between
// two such reads. A stream can lose `transaction` messages while its ledgers go on; most transactions are validated within two.
const rereadAfter = 3

// reread takes back the coverage of ledgers in which a transaction that is still in flight may stand, so that they are read. It is
// called with each ledger of a stream.
func (l *Lane) reread(now uint32) {
	if l.covered == 0 || now < l.rereadAt+rereadAfter {
		return
	}
	for _, op := range l.inFlight {
		if len(op.attempts) == 0 || op.state == stateStoring {
			continue
		}
		if first := op.attempts[0].first; first+rereadAfter <= now && first < l.covered {
			l.covered, l.rereadAt, l.rereading = first, now, true
		}
	}
}

// reportLost reports transactions that the stream has left out, after a read that [Lane.reread] has brought about.
func (l *Lane) reportLost(found []*Transaction) {
	lost := 0
	for _, t := range found {
		if l.byHash[t.Hash] != nil {
			lost++
		}
	}
	if lost > 0 && l.rereading {
		l.log.Warn("the node's stream left out transactions; they were read from the account's history", "transactions", lost)
	}
	l.rereading = false
}
