// Command accept is the subject's side of a credential: it shows the credentials that were issued to an account and
// that it has not accepted yet, and accepts what its holder picks.
//
// On a terminal it asks: for the seed, masked, where none is configured, and which credential to accept. Without one it
// never waits for an answer: --credential, --all or --list say what to do. Prompts, the menu and the line that shows
// that it waits go to standard error; results go to standard output. It leaves with status 0 when what was asked is
// done or there was nothing to do, 1 when it failed, and 2 when it was used wrongly, in which case nothing was sent.
//
// It talks to the ledger through the room `ledger`, and keeps nothing: what is pending is what a validated ledger says.
// What others wrote there reaches the screen only as printable ASCII. The seed is held in memory alone, is never an
// argument of a command line, and is never printed.
//
// With the word prove it asks a service for a credential, and signs that its holder has the account's key. It signs no text
// that a service chose: it puts the challenge's message together itself and compares. With the word follow it waits until a
// person has decided. Both talk to the service over HTTP, at the address that was named and to no other.
//
// A credential that has expired is not offered. Accepting it would only delete it, for a fee, and fail.
package main
