// Package codec reads and writes what the XRP Ledger hashes and signs: serialized objects and their fields,
// transactions, ledger entries, metadata, addresses, keys and signatures, all as xrpld 3.2.0
// defines them.
//
// It works on bytes it is given and touches nothing else: no network, no files, no clock. It decides whether bytes
// are well formed and well signed; whether a transaction may be applied to a ledger is for others to say.
//
// No function panics or allocates without bound on any input. Objects that were parsed keep slices of the bytes
// they were parsed from, so those must not change afterwards.
package codec
