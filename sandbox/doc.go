// Package sandbox is a stand-alone XRP Ledger in one process, for running without a network, for tests, and for anyone who
// builds against the ledger. It is no mock: transactions are decoded, verified and applied as by xrpld 3.2.0 with all
// supported amendments, with the same entries, metadata and hashes.
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
//
// # Bad weather
//
// With Config.Weather the server does on request what nodes and networks do now and then: it loses answers, breaks connections,
// falls behind, restarts, keeps transactions out of ledgers, and, with [Rollback] alone, takes back ledgers that it had shown. See
// [Fault] for the kinds and [ParseWeather] for how they are written. A number decides what happens: with the same [Weather].Seed the
// n-th occasion of each kind has the same outcome. [Server.SetWeather] and [Server.Trigger] change it on the way, over the wire the
// method `sandbox_weather` does, and [Server.FaultCounts] tells what was done. On a server without weather nothing of this is there.
//
// weather.go decides what happens; weatherline.go does it to connections, weatherrequest.go to requests, weatherledger.go to
// ledgers and streams.
package sandbox
