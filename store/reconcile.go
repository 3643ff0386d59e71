package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Reconciliation compares the audit log with operations, review requests and tokens: each has its entry with the same content, and
// each entry what it names. Somebody with write access to the database can insert or change a row, and the log still verifies: that
// shows here. Entries are handed in by [Reconciliation.Entries], in their order, and [Reconciliation.Finish] looks for rows without
// one.
type Reconciliation struct {
	s      *Store
	report func(fault string)

	since      time.Time // the first entry: what is older has none
	operations map[string]bool
	requests   map[string]bool
	decisions  map[string]model.AuditEntry // the latest one of each request
	tokens     map[string]tokenEntries
}

// tokenEntries is what entries say of a token.
type tokenEntries struct {
	made    tokenMade
	name    string
	revoked bool
}

// Reconcile begins a reconciliation. report is called with each difference.
func (s *Store) Reconcile(report func(fault string)) *Reconciliation {
	return &Reconciliation{s: s, report: report, operations: map[string]bool{}, requests: map[string]bool{}, decisions: map[string]model.AuditEntry{},
		tokens: map[string]tokenEntries{}}
}

func (r *Reconciliation) fault(format string, args ...any) { r.report(fmt.Sprintf(format, args...)) }

// named is what entries of operations and requests say.
type named struct {
	asked
	Subject model.Address `json:"subject"`
	Type    string        `json:"type"`
	Renew   bool          `json:"renew"`
}

// Entries compares entries, at most 1,000 of them. Error code: storeUnavailable.
func (r *Reconciliation) Entries(ctx context.Context, entries []model.AuditEntry) error {
	ids := map[string]bool{}
	apps := map[string]bool{}
	details := make([]named, len(entries))
	for i, e := range entries {
		if r.since.IsZero() {
			r.since = e.Time
		}
		if _, wanted := entryKinds[e.Action]; !wanted {
			continue
		}
		if err := json.Unmarshal(e.Detail, &details[i]); e.Detail != nil && err != nil {
			r.fault("entry %d has no detail that can be read", e.Seq)
		}
		for _, id := range []model.OperationID{details[i].Operation, details[i].Deletion} {
			if id != "" {
				ids[string(id)] = true
			}
		}
		if entryKinds[e.Action] == "request" {
			apps[e.Target] = true
		}
	}
	found, err := r.s.contents(ctx, ids)
	if err != nil {
		return fault("reading operations", err)
	}
	requests, err := r.s.requestContents(ctx, apps)
	if err != nil {
		return fault("reading requests", err)
	}
	for i, e := range entries {
		if err := r.entry(ctx, e, details[i], found, requests); err != nil {
			return err
		}
	}
	return nil
}

// entryKinds are the actions that name rows, and which.
var entryKinds = map[string]string{
	model.ActionIssue: "operation", model.ActionRevoke: "operation", model.ActionRows: "batch",
	model.ActionRequest: "request", model.ActionApprove: "request", model.ActionReject: "request", model.ActionLapse: "request", model.ActionWithdraw: "request",
	model.ActionTokenCreate: "token", model.ActionTokenRevoke: "token",
}

func (r *Reconciliation) entry(ctx context.Context, e model.AuditEntry, d named, found map[string]model.Operation, requests map[string]model.Application) error {
	switch e.Action {
	case model.ActionIssue, model.ActionRevoke:
		r.operation(e, d, found)
	case model.ActionRows:
		return r.rows(ctx, e)
	case model.ActionRequest:
		r.requests[e.Target] = true
		a, stored := requests[e.Target]
		if stored && (a.Subject != d.Subject || a.Type.Text() != d.Type || a.Renew != d.Renew || a.Proven != d.Proven ||
			!same(a.Expiration, d.Expiration) || upperHex([]byte(a.URI)) != d.URI) {
			r.fault("request %s is not the one of entry %d: it was changed", text(e.Target), e.Seq)
		}
	case model.ActionApprove:
		r.decisions[e.Target] = e
		r.operations[string(d.Operation)] = true
		op, stored := found[string(d.Operation)]
		if !stored {
			r.fault("operation %s of entry %d is missing", d.Operation, e.Seq)
		} else if op.Kind != model.KindIssue || op.Subject != d.Subject || op.Type.Text() != d.Type || op.Actor != e.Actor {
			r.fault("operation %s is not the one that entry %d approved: it was changed", d.Operation, e.Seq)
		}
	case model.ActionReject, model.ActionLapse, model.ActionWithdraw:
		r.decisions[e.Target] = e
	case model.ActionTokenCreate, model.ActionTokenRevoke:
		r.token(e)
	}
	return nil
}

func same(a, b *uint32) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// operation compares the entry of an operation, and of the deletion of a renewal.
func (r *Reconciliation) operation(e model.AuditEntry, d named, found map[string]model.Operation) {
	kind := model.KindIssue
	if e.Action == model.ActionRevoke {
		kind = model.KindRevoke
	}
	for _, part := range []struct {
		id   model.OperationID
		kind model.Kind
		asked
	}{{d.Operation, kind, d.asked}, {d.Deletion, model.KindRevoke, asked{}}} {
		if part.id == "" {
			continue
		}
		r.operations[string(part.id)] = true
		op, stored := found[string(part.id)]
		switch {
		case !stored:
			r.fault("operation %s of entry %d is missing", part.id, e.Seq)
		case op.Kind != part.kind || targetOf(op.Subject, op.Type) != e.Target || op.Actor != e.Actor || op.RequestID != e.RequestID ||
			!same(op.Expiration, part.Expiration) || upperHex([]byte(op.URI)) != part.URI:
			r.fault("operation %s is not the one of entry %d: it was changed", part.id, e.Seq)
		}
	}
}

// rows compares the rows of a batch with the hash that their entry has.
func (r *Reconciliation) rows(ctx context.Context, e model.AuditEntry) error {
	var want chunk
	if err := json.Unmarshal(e.Detail, &want); err != nil {
		r.fault("entry %d has no detail that can be read", e.Seq)
		return nil
	}
	byRow := map[int64]row{}
	operations := 0
	stored, err := r.s.query(ctx, "SELECT batch_row, id, kind, subject, type, expiration, uri FROM operations WHERE batch = $1 AND batch_row BETWEEN $2 AND $3",
		text(e.Target), want.FirstRow, want.LastRow)
	err = each(stored, err, func(rows *sql.Rows) error {
		var n int64
		var id, kind, subject, typ string
		var expiration sql.NullInt64
		var uri sql.NullString
		if err := rows.Scan(&n, &id, &kind, &subject, &typ, &expiration, &uri); err != nil {
			return err
		}
		line := row{n, id, kind, subject, typ, nil, nil}
		if expiration.Valid {
			line[5] = expiration.Int64
		}
		if uri.Valid {
			line[6] = uri.String
		}
		byRow[n] = line
		r.operations[id] = true
		operations++
		return nil
	})
	if err != nil {
		return fault("reading rows of a batch", err)
	}
	stored, err = r.s.query(ctx, "SELECT batch_row, failure_code, failure_message FROM batch_rejections WHERE batch = $1 AND batch_row BETWEEN $2 AND $3",
		text(e.Target), want.FirstRow, want.LastRow)
	err = each(stored, err, func(rows *sql.Rows) error {
		var n int64
		var code, message string
		err := rows.Scan(&n, &code, &message)
		byRow[n] = row{n, code, message}
		return err
	})
	if err != nil {
		return fault("reading rows of a batch", err)
	}
	h := sha256.New()
	for n := want.FirstRow; n <= want.LastRow; n++ {
		_, _ = h.Write(append(object(byRow[n]), '\n'))
	}
	if operations != want.Operations || hex.EncodeToString(h.Sum(nil)) != want.SHA256 {
		r.fault("rows %d to %d of batch %s are not those of entry %d: they were changed", want.FirstRow, want.LastRow, text(e.Target), e.Seq)
	}
	return nil
}

func (r *Reconciliation) token(e model.AuditEntry) {
	if d, ok := tokenOf(e); ok {
		t := r.tokens[d.ID]
		t.add(e, d)
		r.tokens[d.ID] = t
	}
}

// tokenOf reads the detail of an entry of a token.
func tokenOf(e model.AuditEntry) (d tokenMade, ok bool) {
	err := json.Unmarshal(e.Detail, &d)
	return d, err == nil && d.ID != ""
}

func (t *tokenEntries) add(e model.AuditEntry, d tokenMade) {
	if e.Action == model.ActionTokenCreate {
		t.made, t.name = d, e.Target
	} else {
		t.revoked = true
	}
}

// differs says how a token is not what its entries say; empty where it is.
func (t tokenEntries) differs(k model.Token) string {
	switch {
	case t.made.ID == "":
		return "has no entry: it was not made by the service"
	case t.made.Role != k.Role || t.name != k.Name || t.made.Expires != shownTime(k.Expires),
		t.made.Hash != "" && t.made.Hash != hex.EncodeToString(k.Hash[:]):
		return "is not the one of its entry: it was changed"
	case t.revoked && k.Revoked.IsZero():
		return "was revoked, and holds again: it was changed"
	}
	return ""
}

// Finish looks for operations, decisions and tokens that no entry names. more reads the entries that came since, and hands them
// in: a row that was stored meanwhile has its entry there. Error code: storeUnavailable.
func (r *Reconciliation) Finish(ctx context.Context, more func() error) error {
	without, err := r.s.withoutEntry(ctx, r)
	if err != nil {
		return fault("reading operations", err)
	}
	requests, err := r.s.allRequests(ctx)
	if err != nil {
		return fault("reading requests", err)
	}
	tokens, err := r.s.Tokens(ctx)
	if err != nil {
		return err
	}
	if err := more(); err != nil {
		return err
	}
	for _, o := range without {
		if !r.operations[o.id] && !r.operations[o.renewal] {
			r.fault("operation %s has no entry: it was not stored by the service", o.id)
		}
	}
	for _, a := range requests {
		if err := r.decision(ctx, a); err != nil {
			return fault("reading a request", err)
		}
	}
	for _, k := range tokens {
		r.tokenRow(k)
	}
	return nil
}

// decision compares what became of a request with its latest entry.
func (r *Reconciliation) decision(ctx context.Context, a model.Application) error {
	e, decided := r.decisions[string(a.ID)]
	want := map[model.ApplicationState]string{model.ApplicationApproved: model.ActionApprove, model.ApplicationRejected: model.ActionReject,
		model.ApplicationLapsed: model.ActionLapse, model.ApplicationWithdrawn: model.ActionWithdraw}[a.State]
	switch {
	case !r.requests[string(a.ID)]:
		r.fault("request %s has no entry: it was not stored by the service", a.ID)
	case !decided && want == "":
	case !decided:
		r.fault("request %s is %s, and no entry says so", a.ID, a.State)
	case want == "": // it was decided on after it was read, or somebody took the decision back
		now, err := r.s.requestContents(ctx, map[string]bool{string(a.ID): true})
		if err == nil && now[string(a.ID)].State == a.State {
			r.fault("request %s is %s, and entry %d says %s by %s", a.ID, a.State, e.Seq, e.Action, text(e.Actor))
		}
		return err
	case e.Action != want || e.Actor != a.DecidedBy:
		r.fault("request %s is %s by %s, and entry %d says %s by %s", a.ID, a.State, text(a.DecidedBy), e.Seq, e.Action, text(e.Actor))
	}
	return nil
}

func (r *Reconciliation) tokenRow(k model.Token) {
	if why := r.tokens[k.ID].differs(k); why != "" {
		r.fault("token %s (%s) %s", text(k.ID), text(k.Name), why)
	}
}

func (s *Store) contents(ctx context.Context, ids map[string]bool) (map[string]model.Operation, error) {
	found := map[string]model.Operation{}
	for chunk := range slices.Chunk(keysOf(ids), maxPage) {
		list, err := s.d.list(chunk)
		if err != nil {
			return nil, err
		}
		ops, err := s.operations(ctx, false, s.d.in("o.id", 1), list)
		if err != nil {
			return nil, err
		}
		waiting, err := s.renewals(ctx, s.d.in("n.id", 1), list)
		if err != nil {
			return nil, err
		}
		for _, op := range append(waiting, ops...) {
			found[string(op.ID)] = op
		}
	}
	return found, nil
}

func (s *Store) requestContents(ctx context.Context, ids map[string]bool) (map[string]model.Application, error) {
	found := map[string]model.Application{}
	for chunk := range slices.Chunk(keysOf(ids), maxPage) {
		list, err := s.d.list(chunk)
		if err != nil {
			return nil, err
		}
		apps, err := s.applications(s.reading(ctx), false, s.d.in("a.id", 1), list)
		if err != nil {
			return nil, err
		}
		for _, a := range apps {
			found[string(a.ID)] = a
		}
	}
	return found, nil
}

func keysOf(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for k := range set {
		keys = append(keys, text(k))
	}
	return keys
}

// unnamed is an operation, and the renewal whose deletion it is.
type unnamed struct{ id, renewal string }

// withoutEntry returns the operations that callers ask for and that no entry has named so far. The deletion of a renewal that a
// reviewer approved is named by the renewal; what is older than the audit log has no entry.
func (s *Store) withoutEntry(ctx context.Context, r *Reconciliation) (without []unnamed, err error) {
	for after := ""; ; {
		n := 0
		rows, err := s.query(ctx, "SELECT o.id, coalesce(n.id, '') FROM operations o LEFT JOIN renewals n ON n.deletion = o.id"+
			" WHERE o.id > $1 AND o.kind IN ('issue', 'revoke') AND o.created >= $2 ORDER BY o.id LIMIT $3", after, r.since.UnixMicro(), maxPage)
		err = each(rows, err, func(rows *sql.Rows) error {
			var o unnamed
			err := rows.Scan(&o.id, &o.renewal)
			if n, after = n+1, o.id; !r.operations[o.id] && !r.operations[o.renewal] {
				without = append(without, o)
			}
			return err
		})
		if err != nil || n < maxPage {
			return without, err
		}
	}
}

func (s *Store) allRequests(ctx context.Context) (all []model.Application, err error) {
	for after := ""; ; {
		page, err := s.applications(s.reading(ctx), false, "a.id > $1 ORDER BY a.id LIMIT $2", after, maxPage)
		all = append(all, page...)
		if err != nil || len(page) < maxPage {
			return all, err
		}
		after = string(page[len(page)-1].ID)
	}
}
