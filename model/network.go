package model

import "time"

// FlagInterval is how many ledgers lie between two flag ledgers, whose indexes are multiples of it. The hash of each
// stands in the LedgerHashes entries of all ledgers behind it, so that any node can show it, however little history it
// holds (rippled: Ledger::updateSkipList).
const FlagInterval = 256

// Network is one ledger's history, told from all others by the hashes of some of its ledgers. As each ledger holds its
// parent's hash, two histories that share one share all before it. Numbers alone do not do: stand-alone ledgers have no
// network id, and private ones may have any.
type Network struct {
	// Name is what it was called where it was first used, for people to read.
	Name string
	// ID is the network id; 0 on the main network, and wherever a node names none.
	ID uint32
	// First is the validated ledger that was the last one when this was first looked at, and Last the newest one seen
	// since. Their fees are not kept.
	First, Last Ledger
	// Flag is a flag ledger, without its close time; the zero Ledger while the history has had none.
	Flag Ledger
	// Bound is when it was first used, and Seen when Last was stored; set by the store.
	Bound, Seen time.Time
}
