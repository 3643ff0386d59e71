// Package store keeps what must outlive the process: the journal of operations and of what was signed for them, the
// batches they came in, the callers' idempotency keys, the requests that a person decides on, the administrators' tokens,
// the audit log, the events and who is to be told of them, what validated ledgers say of an account's credentials, and the
// lease on each issuing account's lane. It works on SQLite
// (one process that issues, nothing to install) and on PostgreSQL (several replicas for one issuer), with the same
// guarantees and the same tests.
//
// It may use model and the two database drivers. It never signs, never talks to a node, and never decides what an engine
// result means.
//
// # What is secret
//
// It keeps no seed, no key and no token, and no document that can be read: of a token and of what an applicant follows a
// request with there is SHA-256 alone, of a nonce too, and documents are sealed by its caller, with a key that is not in
// the database. They have to be here, as a reviewer reads them later and on another replica; sealed, so that a copy of the
// database is not a copy of them. [Store.Secret] is the one exception: random bytes that replicas share, which open nothing
// by themselves. What is stored of a transaction is public anyway. A request's reason of rejection, its subject and its
// times are plain text. What tells a request from others that came with the same idempotency key, and the rows of a batch, is made of
// documents too, which can be guessed: so those hashes are made with a key that is not in the database ([Config.HashKeys]), and of the
// reason in the audit log there is no other either.
//
// When their time is over, sealed documents are erased too: see [Store.EraseDocuments], which says what each database then
// still has of them. With them goes the hash of their request; the reason of a rejection is erased with them, or 30 days after
// the decision, whichever is later. The sums of a batch's rows are forgotten when it has been complete for
// [Config.IdempotencyKeep].
//
// # States
//
//	pending ──> signed ──> succeeded | failed | expired | refused
//	   └──────────────────────────────────────> refused | cancelled
//
// An operation is stored as pending before anything else happens ([Store.Create], [Store.AddRows]).
//
//	pending    nothing is signed. The lane moves it on: to signed by journalling a blob ([Store.Sign]), to refused by
//	           [Store.Conclude]. Whoever asked for it may cancel it ([Store.Cancel], [Store.CancelBatch]).
//	signed     at least one blob is journalled and may be anywhere. The lane moves it on ([Store.Conclude]), by what
//	           validated ledgers say. It stays signed while blobs are proved absent and new ones are signed.
//	           Of one that no node can decide, an operator may store the end ([Store.Settle]), with an entry of the audit log.
//	succeeded  final: a blob is in a validated ledger with tesSUCCESS.
//	failed     final: a blob is in a validated ledger with a tec result.
//	expired    final: every blob is proved absent, and none is signed again.
//	refused    final: no ledger can ever take it, and no blob can be anywhere.
//	cancelled  final: dropped while pending.
//
// An attempt is one signed blob. It is signed until the lane, by the ledger's word, moves it on to absent or validated,
// which are final; the one exception, that one thought absent is found validated after all, is taken from the ledger and
// logged. A batch is receiving until its sender says that all rows are there, or until it is cancelled, then received; it is
// finished when no row is open, which is counted and not stored. One to which nobody has added for an hour is told of in the
// log, and stays: whoever has its rows can go on with it at any time.
//
// A request that a person decides on is an application:
//
//	waiting ──> approved ──> rejected | approved, with another operation
//	   └─────────────────> rejected | lapsed | withdrawn
//
//	waiting    nobody has decided. A reviewer moves it on ([Store.Decide]), its applicant ([Store.Withdraw]), or, past its
//	           time, the keeper ([Store.LapseApplications]).
//	approved   its operation is stored, in the same transaction. Only where that operation is final and did not succeed a
//	           reviewer moves it on: to rejected, or to approved with another operation.
//	rejected   final.
//	lapsed     final: nobody decided in its time.
//	withdrawn  final: its documents are erased in the same transaction.
//
// A renewal is two operations: one that deletes what stands, and one that issues, which has its id from the start:
//
//	waiting ──> over
//
//	waiting    the deletion is stored, as an operation like any other. The other one is shown as pending, and goes by its own
//	           id whatever is asked: reading, waiting, its idempotency key, who stands in the way. Cancelling it cancels the
//	           deletion, while that is pending.
//	over       the deletion is final, and the other one is stored, in the same transaction: as pending where the deletion
//	           succeeded or found nothing (tecNO_ENTRY), and else as cancelled, with the deletion's code.
//
// At most one application for an issuer, subject and type waits, by a partial unique index: whoever asks for the same
// meanwhile is told so ([model.CodeInProgress]), as a second one could only be decided against the first. An idempotency key
// that came with it is kept for as long as it waits.
//
// CHECK constraints in both dialects repeat the states and what belongs to them, and a test compares them with model's.
//
// # Guarantees
//
// Durable on return. What a function has returned without an error is on disk: SQLite runs with a write-ahead log and
// synchronous=FULL, PostgreSQL with synchronous_commit, which is turned on where the server has it off.
//
// Nothing is sent that is not stored. [Store.Sign] stores many blobs in one commit, or none of them.
//
// At most one blob can apply. A new attempt of an operation is stored only when every earlier one is absent, or when it
// shares the sequence or the ticket of all that are not. No two operations hold the same sequence or ticket.
//
// The ledger's word. Records of credentials are moved on by validated ledgers alone ([Store.ApplyChanges]), by each change once,
// however often it is told of: it counts when it is later in the ledger than what the record has. What was deleted stays as a
// tombstone until its ledger is complete. Where history is missing, all that stands is listed anew ([Store.BeginListing]); each
// record carries the ledger that it was found in, so that a listing that was broken off is simply begun again, and one that is
// late changes nothing. Records say what is due and what to tell of; what stands is for the ledger to say.
//
// Limits are exact. Operations with limits of unaccepted credentials ([model.UnacceptedLimits]) are stored one transaction at a
// time for an account, in any two processes, and each counts what the records have as unaccepted, what is open, renewals
// included, and what has succeeded in ledgers that the records do not have. A credential counts once. Before an account's
// credentials were ever listed, all that was ever issued counts.
//
// Told in order. Each endpoint of a webhook has a delivery for each event behind the one at which it was subscribed, until it
// is delivered or given up ([Store.SettleDeliveries]). Of a credential the oldest is due first, and none that tells of it while
// its operation is not final ([Store.DueDeliveries]).
//
// One at a time. At most one operation for an issuer, subject and type is open (pending or signed), by a partial unique
// index: of two requests at the same moment, in any two processes, the second hears which operation stands.
//
// A request that carries a key is one request. The same key with the same request answers with the first one's
// operation, for [Config.IdempotencyKeep], and for as long as the operation is open; with another request it is refused. So is one
// whose first request had documents that are erased by now.
//
// A proof works once. The nonce of a challenge is used up in the transaction that stores what it was answered for, and is
// not where that is not stored. It is kept for an hour past its time, and refused from its time on.
//
// One decision. Of many words on an application at the same moment, its withdrawal and its end by time among them, in
// any two processes, the first counts; its operation, its event and its audit entry are stored with it, or none of
// them.
//
// Two logs without gaps. Every change of an application's state is an event, as is what validated ledgers did to a
// credential, its expiry, and that an operation came to nothing (but of the rows of a batch that is cancelled); and
// every decision an entry of the audit log, stored in the transaction that makes it: what [Store.Create],
// [Store.AddRows] (one entry for a call), [Store.Cancel], [Store.CancelBatch], [Store.CreateApplication],
// [Store.Decide], [Store.LapseApplications], [Store.Withdraw], [Store.EraseDocuments], [Store.CreateToken],
// [Store.RevokeToken], [Store.Deny] and [Store.Allow] have done; a renewal is one decision. What the lane makes for
// itself leaves none. Both logs are written at the very end of the transaction, under one row that is locked until the
// commit: so they are numbered in the order of the commits, who reads on from the last number misses nothing, and, as
// nothing is locked after that row, no two transactions wait for each other because of it. Each audit entry holds the
// hash of the one before ([model.AuditEntry.Sum]), and the row the last one's: one that is changed, removed or put
// elsewhere shows. Whoever can write to the database can make the whole chain anew; against that helps only a hash that
// was noted elsewhere.
//
// One holder. The lane's lease has an epoch that rises with every taking. Each Sign and Conclude reads it in its own
// transaction, with a lock that a taking waits for, and a renewal does not: once [Store.TakeLane] has returned, everything
// that the holder before has signed can be read, and nothing more is ever stored by it. The lease runs by the database's
// clock, so that replicas need not agree on the time; where that goes back, a lease that would run for longer than any can
// ([MaxLease]) is over. On SQLite a lock on a file besides, which ends with its process, lets the next
// one take over at once; where the file system has none, the lease alone decides, as it does for a while for a process that
// has lost the lane: who has taken it from a process that was stopped had only the lease to go by.
//
// Every function that writes can be called again with the same arguments, and is then done once: an answer that got lost
// with a connection is no reason to fear. [Store.Audit] is the exception, and says so. Without an id or a key of its own, a
// second [Store.Create] or [Store.CreateApplication] is told of the first one instead; and without the id of its call, a
// second [Store.Decide] is told that it is decided.
//
// One network. The journal belongs to one ledger's history, which is said when it is first used ([Store.BindNetwork]) and
// read by all who use it later. Comparing it with what a node shows is for whoever talks to nodes.
//
// The same rows. Of each row of a batch a sum is kept, until it has been complete for long enough. A batch that is sent again is compared row by row, and one with
// another row changes nothing.
//
// # Waiting
//
// [Store.Wait], [Store.Watch] and [Store.WatchEvents] hear of what the same process commits at once, and of what others commit through
// LISTEN/NOTIFY on PostgreSQL, by a connection that is made anew whenever it is lost. Notifications only wake; what is
// true is read. And since they can be lost, everything that somebody waits for is read again every
// [Config.PollInterval].
//
// # When the database fails
//
// Gone, full, locked, read-only or out of connections: the error is a [model.Error] with [model.CodeStoreUnavailable],
// nothing is half stored, and the next call tries anew; no restart is needed. A short break (a connection that was cut,
// a deadlock, a serialization failure) is tried again here, a few times. [Store.Wait] sits a break out until its context
// ends. [Store.Ping] says whether the database can be read, and after a write that failed whether it can be written.
// Every other fault is [model.CodeInternal], with the cause for the log.
//
// A lane that cannot renew its lease for as long as the lease is, by its own monotonic clock, counts it as lost
// ([Store.HoldLane]), without knowing whether somebody else has it.
//
// Migrations are files per dialect with the same names, applied in order when the service opens a store ([AccessService]), by one process at a
// time, each in a transaction; their checksums are kept. One that was changed after it was applied, or one that only a
// newer program knows, is an error, and nothing is touched.
//
// # Goroutines
//
// A [Store] owns three: one that polls for those who wait, one that listens (PostgreSQL), and one that forgets old
// keys, nonces, denials, and events that nobody is to be told of any more and that are of no request.
// [Store.Close] ends them and waits for them.
package store
