package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	maxTokenID   = 64
	maxTokenName = 100
	// touchEvery is how exact a token's last use is: it is not written for every call.
	touchEvery = time.Minute
)

func noToken() error {
	return &model.Error{Code: model.CodeTokenNotFound, Message: "there is no such token"}
}

// CreateToken stores a token. Its Created is given here. by is who does it: its Actor, RequestID and Status. A token that
// is stored already, with the same hash, is left as it is. Error codes: badRequest (the name, or a time that is over),
// tokenExists (one of that name is not revoked), storeUnavailable.
func (s *Store) CreateToken(ctx context.Context, k model.Token, by model.AuditEntry) error {
	if k.ID == "" || len(k.ID) > maxTokenID || text(k.ID) != k.ID || k.Hash == ([32]byte{}) || !model.RoleAdmin.Allows(k.Role) {
		return misuse("a token with an id of %d bytes and the role %q, or without a hash", len(k.ID), k.Role)
	}
	if n := utf8.RuneCountInString(k.Name); n == 0 || n > maxTokenName || strings.TrimSpace(k.Name) != k.Name || model.CheckIdempotencyKey(k.Name) != nil {
		return model.BadRequest("name", fmt.Sprintf("must be 1 to %d characters of text, without spaces around it", maxTokenName))
	}
	hash := hex.EncodeToString(k.Hash[:])
	return s.write(ctx, "storing a token", func(t *txn) error {
		var before string
		switch err := t.tx.QueryRowContext(t.ctx, "SELECT hash FROM tokens WHERE id = $1", k.ID).Scan(&before); {
		case err == nil && before == hash:
			return nil
		case err == nil:
			return misuse("two tokens with the id %s", k.ID)
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if !k.Expires.IsZero() && !k.Expires.After(t.now) {
			return model.BadRequest("expires", "must be a time that is not over")
		}
		n, err := t.exec("INSERT INTO tokens (id, name, role, hash, created, expires) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
			k.ID, k.Name, string(k.Role), hash, t.now.UnixMicro(), micros(k.Expires))
		if err != nil {
			return err
		}
		if n == 0 {
			return &model.Error{Code: model.CodeTokenExists, Message: fmt.Sprintf("a token named %q is there already: revoke it, or take another name", k.Name)}
		}
		t.audit(doneBy(by, model.ActionTokenCreate, k.Name, tokenMade{ID: k.ID, Role: k.Role, Expires: shownTime(k.Expires), Hash: hash}))
		return nil
	})
}

// tokenMade is the detail of a token.
type tokenMade struct {
	ID      string     `json:"id"`
	Role    model.Role `json:"role,omitempty"`
	Expires string     `json:"expires,omitempty"`
	// Hash is that of the secret part; entries of an earlier release have none.
	Hash string `json:"secret_sha256,omitempty"`
}

func shownTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// micros is a time as it is stored; the zero time is NULL.
func micros(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at.UnixMicro()
}

// selectTokens is followed by a condition. scanTokens reads it.
const selectTokens = "SELECT id, name, role, hash, created, expires, revoked, last_used FROM tokens "

func scanTokens(rows *sql.Rows, err error) ([]model.Token, error) {
	var out []model.Token
	return out, each(rows, err, func(rows *sql.Rows) error {
		var k model.Token
		var hash string
		var created, expires, revoked, used sql.NullInt64
		err := rows.Scan(&k.ID, &k.Name, &k.Role, &hash, &created, &expires, &revoked, &used)
		if err != nil {
			return err
		}
		if k.Hash, err = parseHash(hash); err != nil {
			return fmt.Errorf("token %s: %w", k.ID, err)
		}
		k.Created, k.Expires, k.Revoked, k.LastUsed = instant(created), instant(expires), instant(revoked), instant(used)
		out = append(out, k)
		return nil
	})
}

// Token returns a token by its id, also one that holds no more: see [model.Token.Holds]. One that was inserted or changed in the
// database, so that the audit log has no entry of it, is Unauthentic. Error codes: tokenNotFound, storeUnavailable.
func (s *Store) Token(ctx context.Context, id string) (model.Token, error) {
	k, err := s.token(ctx, id)
	if err != nil || !k.Revoked.IsZero() {
		return k, err
	}
	entries := tokenEntries{}
	rows, err := s.query(ctx, "SELECT action, detail FROM audit WHERE action IN ('token.create', 'token.revoke') AND target = $1 ORDER BY seq", k.Name)
	err = each(rows, err, func(rows *sql.Rows) error {
		e := model.AuditEntry{Target: k.Name}
		var detail sql.NullString
		if err := rows.Scan(&e.Action, &detail); err != nil {
			return err
		}
		e.Detail = json.RawMessage(detail.String)
		if d, ok := tokenOf(e); ok && d.ID == k.ID {
			entries.add(e, d)
		}
		return nil
	})
	if err != nil {
		return model.Token{}, fault("reading the entries of a token", err)
	}
	if why := entries.differs(k); why != "" {
		k.Unauthentic = true
		s.log.Error("a token in the database is not authentic: it does not hold", "token", text(k.Name), "id", text(k.ID), "cause", why)
	}
	return k, nil
}

func (s *Store) token(ctx context.Context, id string) (model.Token, error) {
	found, err := scanTokens(s.query(ctx, selectTokens+"WHERE id = $1", text(id)))
	switch {
	case err != nil:
		return model.Token{}, fault("reading a token", err)
	case len(found) == 0:
		return model.Token{}, noToken()
	}
	return found[0], nil
}

// Tokens returns all tokens, the oldest first, also those that hold no more. Error code: storeUnavailable.
func (s *Store) Tokens(ctx context.Context) ([]model.Token, error) {
	found, err := scanTokens(s.query(ctx, selectTokens+"ORDER BY created, id"))
	return found, fault("reading tokens", err)
}

// AnyTokens says whether a token was ever made, be it revoked by now. Error code: storeUnavailable.
func (s *Store) AnyTokens(ctx context.Context) (bool, error) {
	var n int
	err := s.readDB.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM tokens LIMIT 1) AS one").Scan(&n)
	return n > 0, fault("looking for tokens", err)
}

// RevokeToken ends a token, which is named by its id or its name, and returns it. One that is revoked already is returned
// as it is; of several that had the name, the last one that was revoked. by is who does it: its Actor, RequestID and
// Status. Error codes: tokenNotFound, storeUnavailable.
func (s *Store) RevokeToken(ctx context.Context, idOrName string, by model.AuditEntry) (model.Token, error) {
	var k model.Token
	err := s.write(ctx, "revoking a token", func(t *txn) error {
		// Its id before a name that looks like one, then what is not revoked.
		found, err := scanTokens(t.query(selectTokens+"WHERE id = $1 OR name = $1"+
			" ORDER BY CASE WHEN id = $1 THEN 0 WHEN revoked IS NULL THEN 1 ELSE 2 END, revoked DESC LIMIT 1"+t.forUpdate, text(idOrName)))
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return noToken()
		}
		if k = found[0]; !k.Revoked.IsZero() {
			return nil
		}
		k.Revoked = t.now
		t.audit(doneBy(by, model.ActionTokenRevoke, k.Name, tokenMade{ID: k.ID}))
		_, err = t.exec("UPDATE tokens SET revoked = $2 WHERE id = $1", k.ID, t.now.UnixMicro())
		return err
	})
	if err != nil {
		return model.Token{}, err
	}
	return k, nil
}

// TouchToken notes that a token was used. It is exact to a minute, so that not every call is a write. Error codes:
// tokenNotFound, storeUnavailable.
func (s *Store) TouchToken(ctx context.Context, id string, at time.Time) error {
	k, err := s.token(ctx, id)
	if err != nil || at.Sub(k.LastUsed) < touchEvery {
		return err
	}
	return s.write(ctx, "noting a token's use", func(t *txn) error {
		_, err := t.exec("UPDATE tokens SET last_used = $2 WHERE id = $1 AND (last_used IS NULL OR last_used < $2)", text(id), at.UnixMicro())
		return err
	})
}
