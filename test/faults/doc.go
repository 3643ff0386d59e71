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
// While the service runs, the credential index in the journal must come to what the ledger lists.
//
// That nothing is sent that is not stored is watched while it happens: each service reaches the ledger through a proxy of
// this program, which holds every submission until it was found in the journal.
//
// What it counts, besides operations by state and blobs on their way to the ledger:
//
//	doubles  an operation with two transactions on a ledger; a transaction on a ledger that the journal does not hold; one
//	         that asked for what was done already; a credential more than was told
//	lost     a credential or revocation that a client was told or the journal holds as done, and the ledger does not; an
//	         operation that a client was told of and the journal does not know
//	false    an answer that turned out otherwise, such as a transaction on a ledger that was called absent
//	open     an operation that is not final, or a client that never got a final answer
//	stray    a blob that was sent before it stood in the journal; one that was stored under an epoch of the lane that was
//	         over; one sent by a process whose own epochs were over before the blob's began
//
// A holder that is stopped between the last look at its fence and the sending of what it has stored does send that when
// it goes on, and does no harm: its successor has read the same blob. Such blobs are counted in a note.
//
// Any of the counts makes the run fail, and so does a fault that did not happen, or a service that ended by itself. How
// long things take is printed and never judged. What this machine cannot do (no PostgreSQL, no programs of a PostgreSQL
// server to let one crash, no right to mount a small disk) is left out loudly and counted.
//
// The rows in which PostgreSQL crashes have a server of their own, with fsync on. What it wrote before is still with the
// system then: it is the server that crashes, and not the machine. Where this program is run by root, the server runs as
// the user postgres or nobody. The rows in which a clock jumps have a service with another time.Now; SQLite's own clock,
// by which the lease in its file runs, stays right there. That a node seems to be behind while the clock is ahead, and
// nothing is signed meanwhile, is shown by test/lane's TestClockJumps, as it takes the settings of a public network.
//
// A failover to a standby that lacks the last transactions is a base backup (pg_basebackup), taken while the rows of a batch are
// pending and started in place of the server once all of them are issued. Everything that is lost can be read from the ledger, so
// that the four accounts must agree as usual. The row with a removed database file moves the files away and back.
//
// Of the ledger's bad weather all is here but rollback: a validated ledger does not roll back. A ledger that forgot what
// it had validated would make every answer about it false, and there is nothing that an issuer could do right.
//
// The choices of a run follow from its seed, which is printed: the same seed makes the same choices. When exactly a
// process is killed is up to the machine all the same.
//
// It writes to a folder of its own, which it keeps when something failed, and a server's data to one beside that.
package main
