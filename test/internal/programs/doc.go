// Package programs builds the real programs and runs them as processes of their own, for the fault test, the attack run and
// the measurements, and asks the embedded ledger among them over JSON-RPC. It knows no room of the house: what it asks, it
// asks as anybody could.
package programs
