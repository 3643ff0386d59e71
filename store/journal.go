package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/xrplissuer/credential-issuer/model"
)

// maxBlob and maxBody bound what is stored of a transaction, in bytes.
const (
	maxBlob = 64 << 10
	maxBody = 4 << 20
)

// checkFence reads the lane's epoch and keeps it from changing until t ends; [txn.lockLane] waits for that. The lease can be
// renewed meanwhile.
func (s *Store) checkFence(t *txn, f model.Fence) error {
	var epoch int64
	var holder string
	err := t.tx.QueryRowContext(t.ctx, "SELECT epoch, holder FROM lanes WHERE issuer = $1"+t.forKeyShare, string(f.Issuer)).Scan(&epoch, &holder)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return s.witness.checkHolder(f, epoch, holder)
}

// entry is an operation as far as signing and concluding need it.
type entry struct {
	issuer   model.Address
	kind     model.Kind
	state    model.State
	attempts []model.Attempt // in order
}

// entries reads and locks operations, and reads their attempts.
func (t *txn) entries(ids []model.OperationID) (map[model.OperationID]*entry, error) {
	sorted := slices.Sorted(slices.Values(texts(ids)))
	list, err := t.list(sorted)
	if err != nil {
		return nil, err
	}
	found := make(map[model.OperationID]*entry, len(ids))
	rows, err := t.query("SELECT id, issuer, kind, state FROM operations WHERE "+t.in("id", 1)+" ORDER BY id"+t.forUpdate, list)
	err = each(rows, err, func(rows *sql.Rows) error {
		var id model.OperationID
		e := &entry{}
		if err := rows.Scan(&id, &e.issuer, &e.kind, &e.state); err != nil {
			return err
		}
		found[id] = e
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if found[id] == nil {
			return nil, noOperation(id)
		}
	}
	rows, err = t.query("SELECT operation, n, hash, blob, sequence, ticket, last_ledger_sequence, first_ledger, fee, replaces, epoch, state FROM attempts WHERE "+
		t.in("operation", 1)+" ORDER BY operation, n", list)
	return found, each(rows, err, func(rows *sql.Rows) error {
		var a model.Attempt
		var blob []byte
		if err := rows.Scan(&a.Operation, &a.N, &a.Hash, &blob, &a.Sequence, &a.Ticket, &a.LastLedgerSequence, &a.FirstLedger, &a.Fee,
			&a.Replaces, &a.Epoch, &a.State); err != nil {
			return err
		}
		a.Blob = upperHex(blob)
		e := found[a.Operation]
		e.attempts = append(e.attempts, a)
		return nil
	})
}

var attemptColumns = []string{"hash text", "operation text", "n bigint", "issuer text", "blob text", "sequence bigint", "ticket bigint",
	"last_ledger_sequence bigint", "first_ledger bigint", "fee bigint", "replaces bigint", "epoch bigint", "created bigint"}

// Sign journals signed blobs: all of them, or none. Nothing of them may be sent before it has returned nil; when it has
// not, they may all the same be stored, and signing the same operations again is settled by calling it again with the
// same blobs. Each operation becomes signed. N, Replaces, Epoch and State of the attempts are given here. Error codes:
// fenced, operationNotFound, wrongState (an operation is final, such as one that was cancelled in the meantime; or it has
// a blob with another sequence or ticket that is not proved absent; or another operation holds the sequence or ticket),
// storeUnavailable. The message of wrongState names the operation.
func (s *Store) Sign(ctx context.Context, fence model.Fence, attempts []model.Attempt) error {
	if err := checkAttempts(attempts); err != nil || len(attempts) == 0 {
		return err
	}
	return s.write(ctx, "journalling what was signed", func(t *txn) error {
		if err := s.checkFence(t, fence); err != nil {
			return err
		}
		return s.sign(t, fence, attempts)
	})
}

// SignOwn stores operations that the lane makes itself, as signed, each together with its first blob: attempts holds one
// for each, in the same order, and its Operation is given here. It returns the operations' ids. Called again with the
// same blobs it returns the same ids. Error codes: as [Store.Sign].
func (s *Store) SignOwn(ctx context.Context, fence model.Fence, ops []model.Operation, attempts []model.Attempt) ([]model.OperationID, error) {
	if len(ops) != len(attempts) {
		return nil, misuse("%d operations, %d attempts", len(ops), len(attempts))
	}
	if len(ops) == 0 {
		return nil, nil
	}
	ops, attempts = slices.Clone(ops), slices.Clone(attempts)
	for i := range ops {
		op := &ops[i]
		if op.Kind.Requested() || op.Subject != "" || op.Type != "" || op.Key != nil || op.Batch != "" || op.Expiration != nil || op.URI != "" ||
			(op.Kind == model.KindTickets) != (op.Tickets > 0) {
			return nil, misuse("an operation of kind %q is not one that the lane makes", op.Kind)
		}
		op.ID, op.Issuer = s.ids.next(s.now()), fence.Issuer
		attempts[i].Operation = op.ID
	}
	if err := checkAttempts(attempts); err != nil {
		return nil, err
	}
	out := make([]model.OperationID, len(ops))
	err := s.write(ctx, "journalling what the lane signed for itself", func(t *txn) error {
		if err := s.checkFence(t, fence); err != nil {
			return err
		}
		before, err := t.owners(attempts)
		if err != nil {
			return err
		}
		var rows []row
		var fresh []model.Attempt
		for i := range ops {
			if out[i] = before[attempts[i].Hash]; out[i] != "" {
				continue
			}
			out[i] = ops[i].ID
			rows = append(rows, s.operationRow(&ops[i], model.StateSigned, t.now))
			fresh = append(fresh, attempts[i])
		}
		if len(rows) == 0 {
			return nil
		}
		arg := rowSet(rows)
		if _, err := t.exec(insertOperations+t.rows(1, operationColumns...), arg); err != nil {
			return err
		}
		return s.sign(t, fence, fresh)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// owners returns which operations hashes belong to.
func (t *txn) owners(attempts []model.Attempt, also ...string) (map[string]model.OperationID, error) {
	hashes := make([]string, len(attempts), len(attempts)+len(also))
	for i, a := range attempts {
		hashes[i] = a.Hash
	}
	list, err := t.list(append(hashes, also...))
	if err != nil {
		return nil, err
	}
	owner := map[string]model.OperationID{}
	rows, err := t.query("SELECT hash, operation FROM attempts WHERE "+t.in("hash", 1), list)
	return owner, each(rows, err, func(rows *sql.Rows) error {
		var hash string
		var id model.OperationID
		if err := rows.Scan(&hash, &id); err != nil {
			return err
		}
		owner[hash] = id
		return nil
	})
}

func (s *Store) sign(t *txn, fence model.Fence, attempts []model.Attempt) error {
	var ids []model.OperationID
	seen := map[model.OperationID]bool{}
	for _, a := range attempts {
		if !seen[a.Operation] {
			seen[a.Operation] = true
			ids = append(ids, a.Operation)
		}
	}
	found, err := t.entries(ids)
	if err != nil {
		return err
	}
	signedBefore := s.witness.lastSigned()
	owners, err := t.owners(attempts, signedBefore...)
	if err != nil {
		return err
	}
	for _, hash := range signedBefore {
		if owners[hash] == "" { // the rest of what is missing shows in the same way
			if err := s.verify(t.ctx, t.tx); err != nil {
				return err
			}
		}
	}
	holders, err := t.holders(fence.Issuer, attempts)
	if err != nil {
		return err
	}
	var rows []row
	var begun []string
	for _, a := range attempts {
		e := found[a.Operation]
		if owner, ok := owners[a.Hash]; ok {
			if owner != a.Operation {
				return wrongState("transaction %s belongs to operation %s, not to %s", a.Hash, owner, a.Operation)
			}
			continue // stored before; the same hash is the same blob
		}
		switch {
		case e.issuer != fence.Issuer:
			return wrongState("operation %s is of another account's lane", a.Operation)
		case e.state.Final():
			return wrongState("operation %s is %s: nothing more is signed for it", a.Operation, e.state)
		}
		for _, number := range []numbered{{a.Sequence, false}, {a.Ticket, true}} {
			if holder := holders[number]; number.n != 0 && holder != "" && holder != a.Operation {
				return wrongState("operation %s holds %s, which operation %s was signed with", holder, number, a.Operation)
			}
			holders[number] = a.Operation
		}
		a.N, a.Replaces = len(e.attempts)+1, 0
		for _, b := range e.attempts {
			if b.State != model.AttemptSigned {
				continue
			}
			if b.Sequence != a.Sequence || b.Ticket != a.Ticket {
				return wrongState("operation %s has transaction %s, which is not proved absent", a.Operation, b.Hash)
			}
			a.Replaces = b.N
		}
		a.State = model.AttemptSigned
		e.attempts = append(e.attempts, a)
		if e.state == model.StatePending {
			e.state = model.StateSigned
			begun = append(begun, string(a.Operation))
		}
		owners[a.Hash] = a.Operation
		t.signedLast = a.Hash
		rows = append(rows, row{a.Hash, string(a.Operation), a.N, string(fence.Issuer), a.Blob, a.Sequence, a.Ticket,
			a.LastLedgerSequence, a.FirstLedger, a.Fee, a.Replaces, fence.Epoch, t.now.UnixMicro()})
	}
	if len(begun) > 0 {
		list, err := t.list(begun)
		if err != nil {
			return err
		}
		if _, err := t.exec("UPDATE operations SET state = 'signed', updated = $2 WHERE "+t.in("id", 1), list, t.now.UnixMicro()); err != nil {
			return err
		}
	}
	if len(rows) == 0 {
		return nil
	}
	arg := rowSet(rows)
	_, err = t.exec("INSERT INTO attempts (hash, operation, n, issuer, blob, sequence, ticket, last_ledger_sequence, first_ledger, fee, replaces,"+
		" epoch, state, created, updated) SELECT hash, operation, n, issuer, "+t.bytes("blob")+", sequence, ticket, last_ledger_sequence, first_ledger,"+
		" fee, replaces, epoch, 'signed', created, created FROM "+t.rows(1, attemptColumns...), arg)
	return err
}

// numbered is a sequence or a ticket.
type numbered struct {
	n      uint32
	ticket bool
}

func (n numbered) String() string {
	if n.ticket {
		return fmt.Sprintf("ticket %d", n.n)
	}
	return fmt.Sprintf("sequence %d", n.n)
}

// holders returns which operations have a blob, not settled, with a sequence or ticket that one of the attempts has.
func (t *txn) holders(issuer model.Address, attempts []model.Attempt) (map[numbered]model.OperationID, error) {
	holder := map[numbered]model.OperationID{}
	for _, ticket := range []bool{false, true} {
		column := "sequence"
		if ticket {
			column = "ticket"
		}
		var numbers []int64
		for _, a := range attempts {
			if n := a.Sequence + a.Ticket; (a.Ticket != 0) == ticket {
				numbers = append(numbers, int64(n))
			}
		}
		if len(numbers) == 0 {
			continue
		}
		list, err := t.list(numbers)
		if err != nil {
			return nil, err
		}
		rows, err := t.query("SELECT "+column+", operation FROM attempts WHERE issuer = $2 AND state = 'signed' AND "+column+" > 0 AND "+
			t.in(column, 1), list, string(issuer))
		err = each(rows, err, func(rows *sql.Rows) error {
			var n uint32
			var id model.OperationID
			if err := rows.Scan(&n, &id); err != nil {
				return err
			}
			holder[numbered{n, ticket}] = id
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return holder, nil
}

func checkAttempts(attempts []model.Attempt) error {
	for _, a := range attempts {
		switch {
		case a.Operation == "":
			return misuse("an attempt without an operation")
		case !isHex(a.Hash) || len(a.Hash) != 64 || strings.ToUpper(a.Hash) != a.Hash:
			return misuse("%q is no transaction hash", a.Hash)
		case !isHex(a.Blob) || len(a.Blob)%2 != 0 || len(a.Blob) < 64 || len(a.Blob) > 2*maxBlob:
			return misuse("the blob of %s has %d characters, and 64 to %d of hex are allowed", a.Hash, len(a.Blob), 2*maxBlob)
		case (a.Sequence == 0) == (a.Ticket == 0):
			return misuse("transaction %s has sequence %d and ticket %d: one of them must be set", a.Hash, a.Sequence, a.Ticket)
		case a.LastLedgerSequence == 0 || a.FirstLedger > a.LastLedgerSequence || a.Fee <= 0:
			return misuse("transaction %s has ledgers %d to %d and a fee of %d", a.Hash, a.FirstLedger, a.LastLedgerSequence, a.Fee)
		}
	}
	return nil
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'F') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Conclude stores what validated ledgers say of operations: all of it, or nothing. Those that wait for an operation that
// becomes final are woken. An outcome that is stored already is passed over. An operation that was asked for and did not
// succeed is told of by an event, and where it deletes what is to be renewed, the one that issues goes on, or is cancelled and
// told of instead. Error codes: fenced, operationNotFound,
// wrongState (the operation is final with another outcome, or it cannot become what the outcome says: a blob is left that
// is not settled, or the transaction is not one of its blobs), storeUnavailable.
func (s *Store) Conclude(ctx context.Context, fence model.Fence, outcomes []model.Outcome) error {
	if len(outcomes) == 0 {
		return nil
	}
	ids := make([]model.OperationID, len(outcomes))
	seen := map[model.OperationID]bool{}
	for i, o := range outcomes {
		if err := checkOutcome(o); err != nil {
			return err
		}
		if seen[o.Operation] {
			return misuse("operation %s has two outcomes at once", o.Operation)
		}
		seen[o.Operation] = true
		ids[i] = o.Operation
	}
	return s.write(ctx, "storing results", func(t *txn) error {
		if err := s.checkFence(t, fence); err != nil {
			return err
		}
		found, err := t.entries(ids)
		if err != nil {
			return err
		}
		var c conclusion
		for _, o := range outcomes {
			e := found[o.Operation]
			if e.issuer != fence.Issuer {
				return wrongState("operation %s is of another account's lane", o.Operation)
			}
			if err := c.add(o, e); err != nil {
				return err
			}
		}
		for _, hash := range c.contradicted {
			s.log.Error("a transaction that was taken for absent is in a validated ledger", "hash", hash)
		}
		return c.store(t, fence.Issuer)
	})
}

func checkOutcome(o model.Outcome) error {
	needsResult := o.State == model.StateSucceeded || o.State == model.StateFailed
	switch {
	case o.State == model.StatePending || o.State != model.StateSigned && !o.State.Final():
		return misuse("operation %s cannot become %q", o.Operation, o.State)
	case needsResult != (o.Result != nil):
		return misuse("operation %s becomes %s, and a result goes with succeeded and failed alone", o.Operation, o.State)
	case needsResult && (o.Result.EngineResult == "" || len(o.Result.Body) == 0 || len(o.Result.Body) > maxBody || o.Result.LedgerIndex == 0):
		return misuse("operation %s has a result that is not complete", o.Operation)
	case o.State == model.StateSucceeded && !o.Result.Succeeded(), o.State == model.StateFailed && !model.Code(o.Result.EngineResult).Final():
		return misuse("operation %s cannot have %s with %s", o.Operation, o.State, o.Result.EngineResult)
	case (o.State == model.StateSigned || o.State == model.StateSucceeded) && o.Failure != nil:
		return misuse("operation %s is %s, and that is no failure", o.Operation, o.State)
	}
	return nil
}

// conclusion is what a Conclude writes.
type conclusion struct {
	operations   []row
	validated    []row
	absent       []string
	final        []model.OperationID
	ends         map[model.OperationID]*end
	contradicted []string
	deletions    []row               // those of operations that delete
	failed       []model.OperationID // of those that were asked for
}

// add checks an outcome against what is stored of its operation.
func (c *conclusion) add(o model.Outcome, e *entry) error {
	var winner *model.Attempt
	var result *model.Validated // as it is stored
	byHash := map[string]*model.Attempt{}
	for i := range e.attempts {
		byHash[e.attempts[i].Hash] = &e.attempts[i]
	}
	if o.Result != nil {
		if winner = byHash[strings.ToUpper(o.Result.Hash)]; winner == nil {
			return wrongState("operation %s has no transaction %s", o.Operation, text(o.Result.Hash))
		}
	}
	if e.state.Final() {
		if e.state == o.State && (winner == nil || winner.State == model.AttemptValidated) {
			return nil // stored before
		}
		return wrongState("operation %s is %s, and that does not change to %s", o.Operation, e.state, o.State)
	}
	if e.state == model.StatePending && o.State != model.StateRefused && o.State != model.StateCancelled {
		return wrongState("operation %s is pending: nothing was signed that could have made it %s", o.Operation, o.State)
	}
	if e.state == model.StateSigned && o.State == model.StateCancelled {
		return wrongState("operation %s is signed: it cannot be cancelled any more", o.Operation)
	}
	absent := func(a *model.Attempt) {
		if a.State == model.AttemptSigned {
			a.State = model.AttemptAbsent
			c.absent = append(c.absent, a.Hash)
		}
	}
	for _, hash := range o.Absent {
		a := byHash[strings.ToUpper(hash)]
		if a == nil || a == winner {
			return wrongState("operation %s has no transaction %s that could be absent", o.Operation, text(hash))
		}
		absent(a)
	}
	for i := range e.attempts {
		a := &e.attempts[i]
		if a != winner && (o.State == model.StateRefused || winner != nil && a.Sequence == winner.Sequence && a.Ticket == winner.Ticket) {
			absent(a)
		}
	}
	if winner != nil {
		if winner.State == model.AttemptAbsent {
			c.contradicted = append(c.contradicted, winner.Hash)
		}
		winner.State = model.AttemptValidated
		v := o.Result
		body := text(string(v.Body))
		result = &model.Validated{Hash: winner.Hash, CTID: text(v.CTID), LedgerIndex: v.LedgerIndex, EngineResult: text(v.EngineResult),
			EngineResultCode: v.EngineResultCode, EngineResultMessage: text(v.EngineResultMessage), Body: []byte(body)}
		c.validated = append(c.validated, row{result.Hash, result.CTID, result.LedgerIndex, result.EngineResult, result.EngineResultCode,
			result.EngineResultMessage, body})
	}
	if o.State == model.StateSigned {
		return nil
	}
	if o.State == model.StateExpired {
		for _, a := range e.attempts {
			if a.State == model.AttemptSigned {
				return wrongState("operation %s has transaction %s, which is not proved absent", o.Operation, a.Hash)
			}
		}
	}
	r := row{string(o.Operation), string(o.State), nil, nil}
	ended := &end{state: o.State, result: result, attempts: e.attempts}
	if o.State != model.StateSucceeded {
		f := failureOf(o)
		f.Code, f.Message = model.Code(text(string(f.Code))), text(f.Message)
		r[2], r[3] = string(f.Code), f.Message
		ended.failure = &f
	}
	if c.ends == nil {
		c.ends = map[model.OperationID]*end{}
	}
	c.ends[o.Operation] = ended
	c.operations = append(c.operations, r)
	if e.kind == model.KindRevoke {
		c.deletions = append(c.deletions, r)
	}
	if e.kind.Requested() && o.State != model.StateSucceeded {
		c.failed = append(c.failed, o.Operation)
	}
	c.final = append(c.final, o.Operation)
	return nil
}

// failureOf returns an outcome's failure, or the one that its state stands for.
func failureOf(o model.Outcome) model.Failure {
	var f model.Failure
	switch {
	case o.Failure != nil:
		f = *o.Failure
	case o.State == model.StateFailed:
		f = model.Failure{Code: model.Code(o.Result.EngineResult), Message: o.Result.EngineResultMessage}
	case o.State == model.StateExpired:
		f = model.Failure{Code: model.CodeNotApplied, Message: "no ledger took the transaction, and none can any more: asking again is safe"}
	case o.State == model.StateRefused:
		f = model.Failure{Code: model.CodeRefused, Message: "no ledger can take the transaction, and none has it"}
	default:
		f = model.Failure{Code: model.CodeCancelled, Message: "the operation was cancelled before anything was signed"}
	}
	if f.Code == "" {
		f.Code = model.CodeInternal
	}
	return f
}

func (c *conclusion) store(t *txn, issuer model.Address) error {
	if len(c.absent) > 0 {
		list, err := t.list(c.absent)
		if err != nil {
			return err
		}
		if _, err := t.exec("UPDATE attempts SET state = 'absent', updated = $2 WHERE "+t.in("hash", 1), list, t.now.UnixMicro()); err != nil {
			return err
		}
	}
	if len(c.validated) > 0 {
		arg := rowSet(c.validated)
		_, err := t.exec("UPDATE attempts SET state = 'validated', compact_id = r.ctid, ledger_index = r.ledger_index, result = r.result,"+
			" result_code = r.code, result_message = r.message, body = r.body, updated = $2 FROM "+
			t.rows(1, "hash text", "ctid text", "ledger_index bigint", "result text", "code bigint", "message text", "body text")+
			" WHERE attempts.hash = r.hash", arg, t.now.UnixMicro())
		if err != nil {
			return err
		}
	}
	if len(c.operations) == 0 {
		return nil
	}
	arg := rowSet(c.operations)
	_, err := t.exec("UPDATE operations SET state = r.state, failure_code = r.code, failure_message = r.message, updated = $2, mac = '' FROM "+
		t.rows(1, "id text", "state text", "code text", "message text")+" WHERE operations.id = r.id", arg, t.now.UnixMicro())
	if err != nil {
		return err
	}
	t.final = append(t.final, c.final...)
	for _, e := range c.ends {
		e.at = t.now
	}
	t.ends = c.ends
	t.concluded[issuer] = true
	renewed, err := t.renew(c.deletions, issuer)
	if err != nil {
		return err
	}
	var failed []string
	for _, id := range c.failed {
		switch issue, renews := renewed[id]; {
		case !renews:
			failed = append(failed, string(id))
		case issue != nil:
			failed = append(failed, string(*issue)) // what was asked for
		}
	}
	return t.tellFailed(failed)
}

// failed is the data of an event that tells of an operation which came to nothing.
type failed struct {
	Kind        model.Kind `json:"kind"`
	Code        string     `json:"code"`
	Message     string     `json:"message"`
	Hash        string     `json:"hash,omitempty"`
	LedgerIndex uint32     `json:"ledger_index,omitempty"`
}

// tellFailed adds the events of operations that came to nothing. Of a removal by the keeper nobody is told: nobody waits for
// it, and the keeper looks at the credential again.
func (t *txn) tellFailed(ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	list, err := t.list(ids)
	if err != nil {
		return err
	}
	rows, err := t.query("SELECT o.id, o.kind, o.issuer, o.subject, o.type, o.actor, o.failure_code, o.failure_message, coalesce(p.id, ''),"+
		" coalesce(v.hash, ''), coalesce(v.ledger_index, 0) FROM operations o LEFT JOIN applications p ON p.operation = o.id"+
		" LEFT JOIN attempts v ON v.operation = o.id AND v.state = 'validated' WHERE "+t.in("o.id", 1)+" AND o.actor <> $2 ORDER BY o.id",
		list, model.ActorJanitor)
	return each(rows, err, func(rows *sql.Rows) error {
		e := model.Event{Kind: model.EventFailed}
		var typ string
		var f failed
		err := rows.Scan(&e.Operation, &f.Kind, &e.Issuer, &e.Subject, &typ, &e.Actor, &f.Code, &f.Message, &e.Application, &f.Hash, &f.LedgerIndex)
		if err != nil {
			return err
		}
		if e.Type, err = model.ParseTypeHex(typ); err != nil {
			return err
		}
		f.Message = short(f.Message)
		e.Data = object(f)
		t.tell(e)
		return nil
	})
}

// Cancel drops an operation that is pending, and tells of it by an event. One that is cancelled already is left as it is. One
// that renews is dropped with the deletion, while that is pending. by is who does it: its Actor, RequestID and Status. Error codes: operationNotFound, wrongState (something is signed, or it is final),
// storeUnavailable.
func (s *Store) Cancel(ctx context.Context, id model.OperationID, why model.Failure, by model.AuditEntry) error {
	o := model.Outcome{State: model.StateCancelled}
	if why.Code != "" {
		o.Failure = &why
	}
	return s.write(ctx, "cancelling an operation", func(t *txn) error {
		target, e, err := t.lockCancelled(id)
		if err != nil {
			return err
		}
		o.Operation = target
		var c conclusion
		if err := c.add(o, e); err != nil {
			return err
		}
		if len(c.final) > 0 {
			t.audit(doneBy(by, model.ActionCancel, string(id), cancelled{Code: failureOf(o).Code}))
		}
		return c.store(t, e.issuer)
	})
}
