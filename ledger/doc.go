// Package ledger is all that talks to an XRP Ledger node: requests and their answers, look-ups over many pages, the
// stream of validated ledgers, signing, and bringing transactions onto the ledger so that each happens once.
//
// It knows accounts, credentials and transactions from package model, and nothing of who asks for them or why. It never
// shows something provisional as final, never takes an empty or foreign answer for a zero, never lets a seed out, and
// keeps nothing beyond the process: whoever wants that hands it a [Journal].
//
// # Talking to a node
//
// A [Client] speaks JSON-RPC over HTTP or WebSocket, in version 2 of rippled's API, with the same methods for both. Every
// call takes a context and has a time limit of its own; every answer is bounded in size and decoded into types, with each
// number checked for its range and each answer for being about what was asked. What a node refuses is a [NodeError]; an
// answer that cannot be one is an [AnswerError]; no answer at all is a [ConnectionError], which says whether the request
// may have reached the node. A refusal past a limit has many forms: slowDown, tooBusy, HTTP 429 and 503, JSON-RPC error objects of
// gateways, with or without an id. The same request is asked again with backoff, within the caller's context, over the same
// connection. A refusal without an id may be of any request in flight: those that stay unanswered for a moment are asked
// again, and submissions among them count as unanswered. Redirects are not followed. Of the node's address only scheme and host
// are shown: the rest may hold an API key, and is removed from the texts of errors. [Client.Ledger], [Client.Account], [Client.Credential] and [Client.Credentials]
// return a model.Error, ready for callers.
//
// A WebSocket has one goroutine that owns it. It connects, subscribes, pings, and when the line drops, goes silent, or
// carries something that no node would send, fails all that waits on it at once, connects again for as long as it takes,
// and subscribes to the same. An HTTP node is asked for its validated ledger at intervals instead, while someone watches.
// A ledger that is told of more than 256 past the last one is not taken as it is: the node is asked which one it has
// validated, over a line that is begun anew, and what that says holds.
// Where the ledger stream tells of no newer ledger for [Config.StreamCheck], the node is asked for its validated ledger. Watchers
// get that one; where the stream stays behind, the session ends and a new one subscribes. Nothing is signed while the node has
// not shown its validated ledger for one and a half of that time, or while its other answers are from more than 4 ledgers past it.
// Watchers ([Client.Watch]) get events into a bounded queue of their own; one that is too slow loses transactions, and is
// told so.
//
// A node cannot make the process hold or ask without bound. Transactions that wait for a watcher have at most 8 MiB, then it gets
// a gap. Messages that answer no request have at most 32 MiB in a second, then the connection ends, and the next attempts wait
// longer each time. A list has at most 25,000 pages, and one of `account_tx` 64 MiB; an account has at most 250 tickets.
//
// [Client.Reader] returns a client for reads over a connection of its own. It takes the newest ledger from the stream of its source
// ([Client.Recent]) and shares its proven ledgers.
//
// Lists are read page by page from one ledger: the first answer says which, and every other must come from it.
//
// # Which ledger it is
//
// [Client.Network] returns what tells a ledger's history from others, and [Client.SameNetwork] compares a node's with it. A
// network id is not enough: stand-alone ledgers have none, and Devnet keeps its own when it is begun anew. What decides is a
// ledger's hash, which stands for all before it. Any node can show those of the last 256 ledgers and of all flag ledgers,
// from the LedgerHashes entries of the newest one, so that no history is needed.
//
// # Signing
//
// A [Seed] prints as [redacted] however it is printed. Keys and secp256k1 signatures are github.com/Peersyst/xrpl-go's. The
// five transactions that are sent from here are encoded here: the library takes three times as long for one as its signature
// does, and leaves out fields it does not know. Tests compare what comes out with the library, byte for byte. Its wallet
// package is not used: it holds the seed in a field that prints, and brings a second currency's libraries along for mnemonics.
// [CheckKey] tells before the first transaction whether a key fits an account, and what to do where it does not.
//
// # Bringing transactions onto the ledger
//
// A [Lane] owns the sequences of one account. One goroutine, that of Run or Work, hands them out in order, signs, and
// submits in order over one connection, with many in flight and without waiting for one before the next: on a real node,
// sequences that arrive out of order are mostly refused. Results are taken from validated ledgers alone. Four facts of the
// ledger make this safe:
//
//   - A sequence, or a ticket, can be used once. An operation that is signed again while an older blob might still apply
//     keeps its sequence or ticket, so that at most one of its blobs ever gets into a ledger.
//   - A blob can get into no ledger past its LastLedgerSequence. When that is behind a validated ledger in which its sequence
//     is not reached, or its ticket still exists, the blob is absent for good. This needs no history.
//   - A sequence or ticket that is used up was used by one transaction. That one decides, and it must be seen: a node can lack
//     it and still say searched_all. Where the node does not show it, the credential's ledger entry decides: PreviousTxnID
//     and the metadata of the transactions before it name the one that created it ([decider]).
//   - What a node says to a submission is provisional. rippled keeps even what it refused with tel or ter, and tries it on
//     the next ledgers. A malformed one (tem) is malformed by the word of one node. So whatever was sent may happen, until
//     its LastLedgerSequence is past.
//
// The states of an operation, and who moves it on:
//
//   - waiting: nothing is signed. The lane signs it when the ledger has room and the price is right; the lane refuses it
//     when that does not come about in time (ledgerUnavailable, nothing was sent); its caller takes it back by leaving.
//   - storing: signed, and on its way into the journal. Nothing of it is sent. The journal's word moves it on: to sent, or
//     out of the lane where the journal does not take it. Without a journal it is passed over.
//   - sent: signed, and handed to the node, which has not answered. The answer moves it on. An answer that is lost says
//     nothing: the same blob is sent again, a second after it is known to be lost, two ledgers later, or when the line
//     is back, whatever comes first.
//   - taken: the node has put it into its open ledger (tes, tec, tefALREADY). A validated ledger moves it on. One that is
//     in none after three ledgers is sent again.
//   - queued: the node keeps it for a later ledger (terQUEUED). A validated ledger moves it on. It is not sent again
//     unless the line was down.
//   - retry: the node did not take it for now (ter, tel, busy), or its answer was lost. The next ledger moves it on: the
//     same blob is sent again. Where the fee was too low it is first signed anew, with the same sequence and a higher fee.
//   - look-up: the node says that its sequence is used up, or its last ledger past (tefPAST_SEQ, tefMAX_LEDGER). That is
//     also what success looks like after a second sending. The next ledger's look-up moves it on: to final where it is
//     found, to retry where nothing is decided, to waiting with a new sequence where another transaction has its own.
//   - refused: the node will not take it, for a reason that time does not mend, such as a wrong key or a malformed field (tef,
//     tem, some tel). Only its LastLedgerSequence moves it on: to final, notValidated, or with the result that a ledger has.
//   - undecided: its sequence is used up, and the node lacks the history that shows by what. It is no longer in flight and
//     holds up no others. It is looked up at intervals; another node, or an operator with `issuer operation settle`, moves it on.
//   - final: in a validated ledger (success, or a tec with the transaction), or proved absent after the last signing that
//     it has (notValidated).
//
// From every state but waiting and final, a LastLedgerSequence that is past leads to a look-up. What is absent for good is
// signed anew with a new sequence, up to [LaneConfig.Signings] times, unless its caller has left: whoever was told that
// something may happen up to a certain ledger can rely on it. The next action for each engine result is a row of one
// table (results.go).
//
// # With a journal
//
// With [LaneConfig.Journal] the lane takes its work from there, and writes down there what it does ([Lane.Work]). It never
// signs anything twice because of a crash, and never forgets anything, since
//
//   - a blob is sent only when the journal has said that it is stored, under a fence that no other process can hold;
//   - what is found on a validated ledger, or proved absent, is stored before anything is signed in its place: neither a
//     sequence nor an operation is used again before the absence of the blob that had it is;
//   - a start reads what is signed and not final, and deals with it as with what was in flight when a line was lost: the
//     ledgers since are read, what still can apply is sent again, the very same blob, and what has expired is looked up.
//     Nothing that was known in the process before is needed.
//
// Storing goes on beside the lane's goroutine, many operations in one commit: while one commit is under way, the next blobs
// are signed and the last ones are sent. A journal that cannot be written is tried again with the same blobs until it can;
// meanwhile nothing new is signed, and what is in flight is watched. An operation that the journal does not take, such as one
// that was cancelled in the same moment, leaves the lane, and its sequence goes to another. Waiting has no limit here: an
// operation stays pending until its turn comes. What the keeper asks for is the exception, as it goes by what the ledger held
// when it looked: within ten seconds of being stored it is signed, and once, or it ends as cancelled.
//
// When the journal says that another process has the lane, or when Work's context ends, nothing more is sent. What was sent
// before is harmless: it is stored, and whoever has the lane now knows of it.
//
// A ledger that is much younger than what is in progress in the journal is another one: the lane says so and waits.
//
// # Sequences and tickets
//
// In [Tickets] mode each transaction goes by a ticket, so that one which no ledger takes holds up nobody. The lane keeps a
// stock: when half of it is used, a TicketCreate, by a sequence, makes up for what is missing, one at a time, and as many as
// the account's reserve allows. Its tickets are used as soon as the node's open ledger has them, as within a ledger an
// account's sequences come before its tickets. What the account holds is read from the ledger at each start, when the line
// comes back and when a ticket's transaction turned out absent. Where the balance does not carry a single ticket, or the
// ledger refused them, transactions go by sequence for a while; never while a TicketCreate is under way, as nobody knows which
// sequence follows it. A lane can be started in the other mode at any time.
//
// # Bounds
//
// A sequence that becomes free before others goes to the next operation; where there is none, an AccountSet that changes
// nothing uses it up, so that those behind it do not wait until they expire.
//
// How much is sent: up to the ledger's soft limit (`fee`: expected_ledger_size), past which the cost rises. The lane asks
// for the cost once a ledger, and hears it again in every answer to a submission; from a ledger's validation until that
// answer it goes by an empty ledger of the same size. While the cost is over [LaneConfig.MaxFeeDrops] nothing new is sent
// until the next ledger, and while the node queues or refuses for lack of room, not until that one's cost is known.
//
// Another program's transaction in the node's open ledger may never be validated. The sequences above it then wait. Where the
// validated account's Sequence stays below every sequence in use for several ledgers, the lane fills the gap. Where nothing
// is validated for [LaneConfig.LedgerOffset] ledgers and some more while work is pending, [Status] says so, with the cause.
//
// After a connection is lost, the lane first reads what it missed (`account_tx`), sends again in order what is not
// decided, and then goes on. Where another process sends from the same account, the stream or a look-up shows it, and the
// lane continues behind its sequence.
//
// Without a journal, what is in flight is known to this process alone: ended at once, it leaves transactions that may still
// happen, up to their LastLedgerSequence. [Lane.Drain] waits for them.
package ledger
