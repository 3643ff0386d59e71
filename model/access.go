package model

import (
	"errors"
	"time"
)

// Codes of access.
const (
	// CodeUnauthorized: the request carries no token, or one that does not hold. Which of these is in the log alone.
	CodeUnauthorized Code = "unauthorized"
	// CodeForbidden: the token holds, and its role does not allow this.
	CodeForbidden Code = "forbidden"
	// CodeTooManyRequests: the caller, or what it asks about, is over its rate. RetryAfter says for how long.
	CodeTooManyRequests Code = "tooManyRequests"
	// CodeAccessUnavailable: who the caller is cannot be found out now, as the identity provider does not answer.
	// RetryAfter says when it is asked again.
	CodeAccessUnavailable Code = "accessUnavailable"
	// CodeTokenNotFound: there is no such token.
	CodeTokenNotFound Code = "tokenNotFound"
	// CodeTokenExists: a token of that name holds already.
	CodeTokenExists Code = "tokenExists"
)

// Role is what a caller of the administrators' side may do. Each includes those before it.
type Role string

// The roles.
const (
	// RoleReader sees what was issued, asked for and done, and no document.
	RoleReader Role = "reader"
	// RoleReviewer decides on requests, and reads their documents.
	RoleReviewer Role = "reviewer"
	// RoleAdmin issues in batches, revokes, and reads the audit log.
	RoleAdmin Role = "admin"
)

// Roles lists all of them, each of which may do what those before it may.
func Roles() []Role { return []Role{RoleReader, RoleReviewer, RoleAdmin} }

func (r Role) rank() int {
	for i, role := range Roles() {
		if r == role {
			return i + 1
		}
	}
	return 0
}

// Allows says whether the role may do what needs another one. What is no role allows nothing and is never allowed.
func (r Role) Allows(need Role) bool { return need.rank() > 0 && r.rank() >= need.rank() }

var errRole = errors.New("must be admin, reviewer or reader")

// ParseRole reads a role. The error reads on from the name of a field.
func ParseRole(s string) (Role, error) {
	if Role(s).rank() == 0 {
		return "", errRole
	}
	return Role(s), nil
}

// DenialKind says what a [Denial] names.
type DenialKind string

// The kinds of denials.
const (
	// DeniedSubject names a subject (sub): all of its JWTs, whenever they were made.
	DeniedSubject DenialKind = "subject"
	// DeniedID names a single JWT, by its id (jti).
	DeniedID DenialKind = "jti"
)

// Denial has JWTs of the identity provider refused that hold otherwise.
type Denial struct {
	Kind  DenialKind
	Value string
	// Created is given by the store. From Expires on it is no more.
	Created, Expires time.Time
}

// Principal is who a request of the administrators' side comes from.
type Principal struct {
	// Actor is what the audit log calls them, such as "token:nightly" or "jwt:alice@example.org". It holds no secret.
	Actor string
	Role  Role
}

// Token is a bearer token as it is stored: of its secret, only a hash.
type Token struct {
	// ID is the public part of the token, by which it is found.
	ID string
	// Name is given by whoever made it; unique among those that are not revoked.
	Name string
	Role Role
	// Hash is SHA-256 of the secret part.
	Hash    [32]byte
	Created time.Time
	// Expires, Revoked and LastUsed are zero for never.
	Expires, Revoked, LastUsed time.Time
	// Unauthentic says that the audit log has no entry of it as it is: it holds for nothing.
	Unauthentic bool
}

// Holds says whether the token may be used at a time.
func (t Token) Holds(at time.Time) bool {
	return !t.Unauthentic && t.Revoked.IsZero() && (t.Expires.IsZero() || at.Before(t.Expires))
}
