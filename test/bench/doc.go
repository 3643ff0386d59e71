// Command bench measures the service and its embedded ledger, and prints every figure beside what it is compared to.
// `make bench` runs all of it; a name runs one part:
//
//	go run ./test/bench [burst] [sustained] [batch] [listing] [sandbox] [million]
//
// It builds the real programs, runs them as processes of their own on free ports of loopback, in a folder that it
// removes, and talks to them over sockets, as users do. It asserts nothing about time: figures are for reading. It ends
// by itself, and fails only when something does not work.
package main
