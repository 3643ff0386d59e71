// Package engine is the stand-alone ledger itself: the transactors, the open
// ledger with its queue, and the building of closed ledgers, each as rippled
// does it.
//
// A transaction travels like this:
//
//	Submit -> preflight (the transaction alone) -> queue (its fee against the
//	open ledger's) -> preclaim (against the open ledger) -> apply (changes
//	gathered in a state table, then written to the open ledger)
//	Close  -> the open ledger's transactions, in canonical order and in retry
//	passes, are applied anew to the last closed ledger, this time with
//	metadata -> the result is the next closed ledger, which stand-alone means
//	validated -> a new open ledger starts on it, with what is queued and what
//	was submitted here and is not in yet
//
// The package knows serialized objects (codec) and the Merkle tree (shamap)
// and nothing else: no sockets, no JSON-RPC, no files. Time comes from
// Config.Now. A Node is safe for concurrent use; closed ledgers and snapshots
// of the open one never change once they were handed out.
//
// The rules are those of xrpld 3.2.0 with all amendments that it supports.
// Where a comment names a rippled file, that file is where the rule stands.
package engine
