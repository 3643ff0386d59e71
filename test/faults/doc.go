// Command faults shows that every credential is issued exactly once, whatever goes wrong. `make test-faults` runs all of
// it; words choose the rows whose name holds one of them:
//
//	go run ./test/faults [--seed N] [--short] [--factor 5] [kill] [replicas] ...
//
// `make test` runs the short form.
//
// It builds the real programs and runs them as processes of their own on loopback: the ledger (cmd/sandbox, which
// survives what is done to the service), and the service (cmd/issuer), once or as several replicas. Clients send POST and
// DELETE with an Idempotency-Key, and ask again after errors as a careful client does; some of them go away in the middle,
// some come twice at once, some compete for the same credential. Meanwhile one kind of fault happens, again and again.
// Then it waits for all operations to end, stops the service, lets the ledger pass the last one that any signed blob could
// get into, and compares four accounts of what happened, each with each:
//
//   - what clients were told,
//   - what the service says of each operation (GET /operations/{id}),
//   - the journal, read with SQL by this program and not with the service's own code,
//   - the ledger: its list of credentials, and the whole history of the issuing account.
//
// What it counts, besides operations by state:
//
//	doubles  an operation with two transactions on a ledger; a transaction on a ledger that the journal does not hold; one
//	         that asked for what was done already; a credential more than was told
//	lost     a credential or revocation that a client was told or the journal holds as done, and the ledger does not; an
//	         operation that a client was told of and the journal does not know
//	false    an answer that turned out otherwise, such as a transaction on a ledger that was called absent
//	open     an operation that is not final, or a client that never got a final answer
//
// Any of them makes the run fail, and so does a fault that did not happen, or a service that ended by itself. How long
// things take is printed and never judged. What this machine cannot do (no PostgreSQL, no right to mount a small disk) is
// left out loudly and counted. A clock that jumps is not here, as no process can be given one: that is test/lane's
// TestClockJumps. Of the ledger's bad weather all is here but rollback, which breaks what was validated.
//
// The choices of a run follow from its seed, which is printed: the same seed makes the same choices. When exactly a
// process is killed is up to the machine all the same.
//
// It writes to a folder of its own, which it keeps when something failed.
package main
