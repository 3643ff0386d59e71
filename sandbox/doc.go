// Package sandbox is a stand-alone XRP Ledger in one process, for running without a network, for tests, and for anyone who
// builds against the ledger. It is no mock: transactions are decoded, verified and applied as rippled 2.3.0 does it, with the same
// entries, metadata and hashes.
//
// A [Server] answers on one address:
//
//	POST /          JSON-RPC, as rippled's HTTP port
//	GET  /          a page of help; with an upgrade to WebSocket, rippled's WebSocket port
//	POST /accounts  a faucet, as the public test networks have
//
// Layers, from the socket inwards: http.go and ws.go bound and read requests; dispatch.go finds the method and turns a
// conversion that rippled would refuse into its "internal"; one file for each family of methods asks the engine and builds the
// answer; streams.go tells subscribers what happened. The engine (internal/engine) decides everything about ledgers; this package
// decides nothing about them but when to close one. persist.go keeps closed ledgers in a file.
//
// Every caller is an administrator, as on a rippled that stands alone: whoever reaches the address can close ledgers and spend the
// genesis account's money. So it listens on loopback by default, and refuses web pages of other origins there.
//
// What a caller can make the server hold is bounded: the connections, the bytes of requests being read, their size and depth, the
// entries of an answer, the accounts a connection follows, and what waits to be sent to a connection. A connection that does not
// read is dropped.
//
// The package knows none of the service's other packages. It makes no connections of its own, and reads and writes no file but
// the one in its data directory.
package sandbox
