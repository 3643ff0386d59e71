package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// MaxDocuments is how many bytes an application's sealed documents may have.
const MaxDocuments = 4 << 20

// CreateApplication stores a request that a person decides on, as waiting. One whose key came before with the same
// request is not stored: the first one is returned as it stands, without its documents, and replayed is true. At most
// one request for an issuer, subject and type waits at a time. Error codes: badRequest (the key's form), inProgress
// (another one for the subject and type waits), idempotencyKeyReused, proofRefused (the nonce was used before, or is
// past its time), tooManyWaiting (its MostWaiting or MostWaitingBytes, which hold exactly, also for what comes at the very
// same moment to several processes), tooManyRequests (its Closed), storeUnavailable.
func (s *Store) CreateApplication(ctx context.Context, a model.Application) (stored model.Application, replayed bool, err error) {
	if err := checkApplication(a); err != nil {
		return model.Application{}, false, err
	}
	if a.ID == "" {
		a.ID = s.ids.next(s.now())
	}
	a.RequestID, a.DecideBy = short(a.RequestID), a.DecideBy.UTC().Truncate(time.Microsecond)
	a.Operation, a.OperationState, a.DecidedBy, a.Reason, a.Erase = "", "", "", "", time.Time{}
	if len(a.Documents) == 0 {
		a.Documents = nil
	}
	var standing model.OperationID // what is there already
	err = s.write(ctx, "storing a request", func(t *txn) error {
		standing = ""
		if err := s.lockWaiting(t, a); err != nil {
			return err
		}
		a.State, a.Created, a.Updated = model.ApplicationWaiting, t.now, t.now
		if a.Key != nil {
			var err error
			if standing, err = s.claimForApplication(t, &a); err != nil || standing != "" {
				return err
			}
		}
		if err := s.checkClosed(t, &a); err != nil {
			return err
		}
		if a.Nonce != nil {
			claim := &nonceClaim{owner: a.ID, nonce: a.Nonce}
			if err := t.spend([]*nonceClaim{claim}); err != nil {
				return err
			}
			if claim.err != nil {
				return claim.err
			}
		}
		var err error
		if standing, err = s.insertApplication(t, &a); err != nil || standing != "" {
			return err
		}
		return t.checkWaiting(a)
	})
	switch {
	case err != nil:
		return model.Application{}, false, err
	case standing != "":
		found, err := s.applications(s.reading(ctx), false, "a.id = $1", string(standing))
		stored, err = oneApplication(found, err)
		return stored, standing != a.ID, err
	}
	a.Documents, a.MostWaiting, a.MostWaitingBytes, a.Client, a.Closed = nil, 0, 0, "", model.ClosedLimits{}
	return a, false, nil
}

// waitingRetry is when whoever finds too many requests waiting does well to come back: a person works them off.
const waitingRetry = 10 * time.Minute

// lockWaiting keeps others who store bounded requests for the same type waiting until t ends. It comes before all that they and t
// may both want.
func (s *Store) lockWaiting(t *txn, a model.Application) error {
	if s.d != &postgresDialect || a.MostWaiting == 0 && a.MostWaitingBytes == 0 { // of SQLite, the one who writes has the lock
		return nil
	}
	_, err := t.exec("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", s.hub.channel+" waiting "+string(a.Issuer)+" "+a.Type.Hex())
	return err
}

// checkWaiting refuses a request that was just stored where it is one too many, or where it holds too much.
func (t *txn) checkWaiting(a model.Application) error {
	if a.MostWaiting == 0 && a.MostWaitingBytes == 0 {
		return nil
	}
	var n int
	var bytes int64
	err := t.tx.QueryRowContext(t.ctx, "SELECT count(*), CAST(sum(size) AS bigint) FROM applications WHERE issuer = $1 AND type = $2 AND state = 'waiting'",
		string(a.Issuer), a.Type.Hex()).Scan(&n, &bytes)
	if err == nil && (a.MostWaiting > 0 && n > a.MostWaiting || a.MostWaitingBytes > 0 && bytes > a.MostWaitingBytes) {
		err = &model.Error{Code: model.CodeTooManyWaiting, RetryAfter: waitingRetry,
			Message: "as many requests for this credential wait for a decision as may, or all that their documents may be together: nothing was stored, ask again later"}
	}
	return err
}

// claimForApplication stores an application's key, or returns what it stands for.
func (s *Store) claimForApplication(t *txn, a *model.Application) (model.OperationID, error) {
	for range rounds {
		claims := []keyClaim{{issuer: a.Issuer, key: *a.Key, application: a.ID}}
		if err := s.claim(t, claims); err != nil {
			return "", err
		}
		switch c := claims[0]; {
		case c.claimed:
			return "", nil
		case !c.found: // taken, and gone when it was looked at
		case !c.same || c.standingApplication == "":
			return "", keyReused()
		default:
			return c.standingApplication, nil
		}
	}
	return "", tooFast()
}

func tooFast() error {
	return &model.Error{Code: model.CodeStoreUnavailable, RetryAfter: retryAfter,
		Message: "requests for this subject and credential follow each other too fast; nothing was stored",
		Cause:   errors.New("what stood in the way was gone each time that it was looked at")}
}

// insertApplication stores an application, with its event and its audit entry. It returns its id where it was stored
// before: the confirmation of a commit was lost.
func (s *Store) insertApplication(t *txn, a *model.Application) (model.OperationID, error) {
	var documents, expiration any
	if a.Documents != nil {
		documents = []byte(a.Documents)
	}
	if a.Expiration != nil {
		expiration = int64(*a.Expiration)
	}
	for range rounds {
		n, err := t.exec("INSERT INTO applications (id, issuer, subject, type, expiration, uri, renew, proven, secret_hash, keep, decide_by, state, request_id, created, updated, documents, size, mac, client)"+
			" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'waiting', $12, $13, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING",
			string(a.ID), string(a.Issuer), string(a.Subject), a.Type.Hex(), expiration, nullable(upperHex([]byte(a.URI))), bit(a.Renew), bit(a.Proven),
			hex.EncodeToString(a.SecretHash[:]), a.Keep.Microseconds(), a.DecideBy.UnixMicro(), a.RequestID, t.now.UnixMicro(), documents, len(a.Documents), s.applicationMAC(a), s.clientHash(a.Issuer, a.Client))
		if err != nil {
			return "", err
		}
		if n == 1 {
			t.tell(t.eventOf(a, model.EventRequested, model.ActorApplicant))
			t.audit(model.AuditEntry{Actor: model.ActorApplicant, Action: model.ActionRequest, Target: string(a.ID), RequestID: a.RequestID,
				Detail: object(applied{Subject: a.Subject, Type: a.Type.Text(), Renew: a.Renew,
					asked: asked{Expiration: a.Expiration, URI: upperHex([]byte(a.URI)), Proven: a.Proven}})})
			return "", nil
		}
		var other model.OperationID
		err = t.tx.QueryRowContext(t.ctx, "SELECT id FROM applications WHERE id = $1 OR issuer = $2 AND subject = $3 AND type = $4 AND state = 'waiting'"+
			" ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END LIMIT 1", string(a.ID), string(a.Issuer), string(a.Subject), a.Type.Hex()).Scan(&other)
		switch {
		case errors.Is(err, sql.ErrNoRows): // decided on just now
		case err != nil:
			return "", err
		case other == a.ID:
			return other, nil
		default:
			return "", &model.Error{Code: model.CodeInProgress, Cause: fmt.Errorf("request %s waits", other),
				Message: "a request for this subject and credential waits for a decision already: follow that one"}
		}
	}
	return "", tooFast()
}

// applied is the detail of a request.
type applied struct {
	Subject model.Address `json:"subject"`
	Type    string        `json:"type"`
	Renew   bool          `json:"renew,omitempty"`
	asked
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (t *txn) eventOf(a *model.Application, kind model.EventKind, actor string) model.Event {
	return model.Event{Kind: kind, Actor: actor, Issuer: a.Issuer, Subject: a.Subject, Type: a.Type, Application: a.ID, Operation: a.Operation}
}

// checkApplication refuses what the tables would refuse, and what would not come out as it went in.
func checkApplication(a model.Application) error {
	switch {
	case a.Issuer == "" || a.Subject == "":
		return misuse("a request needs an issuer and a subject")
	case a.Type == "" || len(a.Type) > model.MaxTypeLen || len(a.URI) > model.MaxURILen:
		return misuse("a request's type has %d bytes, its URI %d", len(a.Type), len(a.URI))
	case a.SecretHash == [32]byte{}:
		return misuse("a request that nobody could follow")
	case a.Keep < 0:
		return misuse("documents cannot be kept for %s", a.Keep)
	case a.DecideBy.IsZero():
		return misuse("a request that would wait for ever")
	case len(a.Documents) > MaxDocuments:
		return misuse("sealed documents have %d bytes, and %d are allowed", len(a.Documents), MaxDocuments)
	}
	return checkID(a.ID, a.Key)
}

type querying func(query string, args ...any) (*sql.Rows, error)

func (s *Store) reading(ctx context.Context) querying {
	return func(query string, args ...any) (*sql.Rows, error) { return s.query(ctx, query, args...) }
}

// applications reads those that a condition on a holds for.
func (s *Store) applications(query querying, documents bool, condition string, args ...any) ([]model.Application, error) {
	sealed := "NULL"
	if documents {
		sealed = "a.documents"
	}
	var out []model.Application
	rows, err := query("SELECT a.id, a.issuer, a.subject, a.type, a.expiration, a.uri, a.renew, a.proven, a.secret_hash, a.keep, a.decide_by, a.state,"+
		" coalesce(a.operation, ''), coalesce(o.state, CASE WHEN a.operation IS NULL THEN '' ELSE 'pending' END), coalesce(a.decided_by, ''), coalesce(a.reason, ''), a.erase, a.request_id, a.created, a.updated,"+
		" k.key, a.mac, "+sealed+" FROM applications a LEFT JOIN operations o ON o.id = a.operation"+
		" LEFT JOIN idempotency_keys k ON k.application = a.id WHERE "+condition, args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		a, err := s.scanApplication(rows)
		out = append(out, a)
		return err
	})
	return out, err
}

func (s *Store) scanApplication(rows *sql.Rows) (model.Application, error) {
	var a model.Application
	var typ, secret, mac string
	var uri, key sql.NullString
	var expiration, decideBy, erase, created, updated sql.NullInt64
	var renew, proven, keep int64
	var documents []byte
	err := rows.Scan(&a.ID, &a.Issuer, &a.Subject, &typ, &expiration, &uri, &renew, &proven, &secret, &keep, &decideBy, &a.State,
		&a.Operation, &a.OperationState, &a.DecidedBy, &a.Reason, &erase, &a.RequestID, &created, &updated, &key, &mac, &documents)
	if err != nil {
		return a, err
	}
	a.Renew, a.Proven, a.Keep = renew == 1, proven == 1, time.Duration(keep)*time.Microsecond
	a.DecideBy, a.Erase, a.Created, a.Updated = instant(decideBy), instant(erase), instant(created), instant(updated)
	a.Documents = documents
	if a.Reason == erasedReason {
		a.Reason = ""
	}
	if expiration.Valid {
		e := uint32(expiration.Int64)
		a.Expiration = &e
	}
	if a.Type, err = model.ParseTypeHex(typ); err == nil && uri.Valid {
		a.URI, err = model.ParseURIHex(uri.String)
	}
	if err == nil {
		a.SecretHash, err = parseHash(secret)
	}
	a.Key = storedKey(key)
	a.Unauthentic = (a.State == model.ApplicationWaiting || a.State == model.ApplicationApproved) && !s.authenticApplication(&a, mac)
	if err != nil {
		return a, fmt.Errorf("request %s: %w", a.ID, err)
	}
	return a, nil
}

func noApplication() error {
	return &model.Error{Code: model.CodeRequestNotFound, Message: "there is no such request"}
}

func oneApplication(found []model.Application, err error) (model.Application, error) {
	switch {
	case err != nil:
		return model.Application{}, fault("reading a request", err)
	case len(found) == 0:
		return model.Application{}, noApplication()
	}
	return found[0], nil
}

// Application returns a request that a person decides on, with its documents. Error codes: requestNotFound,
// storeUnavailable.
func (s *Store) Application(ctx context.Context, id model.OperationID) (model.Application, error) {
	return oneApplication(s.applications(s.reading(ctx), true, "a.id = $1", text(string(id))))
}

// ApplicationWithoutDocuments is Application for those who do not look at them: they may be megabytes. Error codes:
// requestNotFound, storeUnavailable.
func (s *Store) ApplicationWithoutDocuments(ctx context.Context, id model.OperationID) (model.Application, error) {
	return oneApplication(s.applications(s.reading(ctx), false, "a.id = $1", text(string(id))))
}

// ApplicationByKey returns the request that an idempotency key stands for, without its documents. Error codes:
// requestNotFound (the key never came before, or is no longer kept), idempotencyKeyReused (it came with another request, or
// for what nobody decides on), storeUnavailable.
func (s *Store) ApplicationByKey(ctx context.Context, issuer model.Address, key model.IdempotencyKey) (model.Application, error) {
	owner, err := s.keyOwner(ctx, issuer, key, "application", noApplication())
	if err != nil {
		return model.Application{}, err
	}
	return oneApplication(s.applications(s.reading(ctx), false, "a.id = $1", owner))
}

// Applications returns up to limit of an account's requests behind one, the oldest first, without their documents: those
// in a state, or all where it is empty. At most 1,000 are returned. Error code: storeUnavailable.
func (s *Store) Applications(ctx context.Context, issuer model.Address, state model.ApplicationState, after model.OperationID, limit int) ([]model.Application, error) {
	condition, args := "a.issuer = $1 AND a.id > $2", []any{string(issuer), text(string(after)), page(limit)}
	if state != "" {
		condition, args = condition+" AND a.state = $4", append(args, text(string(state)))
	}
	found, err := s.applications(s.reading(ctx), false, condition+" ORDER BY a.id LIMIT $3", args...)
	return found, fault("reading requests", err)
}
