package policy

import (
	"fmt"
	"math"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Decision says who decides on a request whose form and documents are right.
type Decision string

// The decisions.
const (
	// Automatic: nobody; the credential is issued.
	Automatic Decision = "automatic"
	// Review: a person does.
	Review Decision = "review"
)

// Bounds of [Policy.DecideWithin]: what holds where a policy says nothing, and the most that it may say. Documents that
// nobody looks at are not to be kept for longer.
const (
	// DefaultMostWaiting is what [Policy.MostWaiting] is where a policy says nothing: whoever asks for a lot must not
	// fill the disk with documents.
	DefaultMostWaiting = 10_000
	// DefaultMostWaitingBytes and DefaultMostDocumentBytes are what [Policy.MostWaitingBytes] and [Policy.MostDocumentBytes] are then.
	DefaultMostWaitingBytes  = 64 << 20
	DefaultMostDocumentBytes = 64 << 10
	DefaultDecideWithin      = 90 * day
	MaxDecideWithin          = 366 * day
)

// Policy is what holds for one credential type. It does not change. All durations are in whole seconds.
type Policy struct {
	// Type is the credential type that it is for.
	Type model.CredentialType
	// Description is for people; empty where there is none.
	Description string
	Decision    Decision
	// ProofRequired says that the applicant must prove to hold the subject's key.
	ProofRequired bool
	// Validity is how long a credential holds. Zero fields say nothing.
	Validity Validity
	// Unaccepted bounds what has been issued and not been accepted.
	Unaccepted Unaccepted
	// KeepDocuments is how long documents are kept after the decision; 0 for not at all. It says something where
	// Decision is [Review] alone: otherwise documents are never kept.
	KeepDocuments time.Duration
	// MostWaiting is how many requests may wait for a person at once: more than 0 where Decision is [Review], and 0
	// otherwise.
	MostWaiting int
	// MostWaitingBytes is how many bytes their documents may be together, and MostDocumentBytes those of one request: more than 0
	// where Decision is [Review], and 0, for no bound of theirs, otherwise.
	MostWaitingBytes, MostDocumentBytes int64
	// DecideWithin is how long a request waits for a person, before it lapses: more than 0 where Decision is [Review],
	// and 0 otherwise.
	DecideWithin time.Duration
	// RenewWithin is how long before its expiration a credential may be renewed; 0 for not before. One that has expired
	// may always be.
	RenewWithin time.Duration
	// DeleteExpiredAfter is how long after its expiration a credential is deleted; nil for never, and 0 for at once.
	DeleteExpiredAfter *time.Duration

	uri    uriTemplate
	schema *schema // nil where any documents do
}

// Validity is how long credentials hold from the close time of the ledger at which they are asked for.
type Validity struct {
	// Default is for those whose applicant asks for nothing; 0 where there is none: then it is Longest.
	Default time.Duration
	// Longest is the most that an applicant can ask for; 0 for no bound.
	Longest time.Duration
}

// Unaccepted bounds what has been issued and not been accepted: each such credential locks some of the issuer's XRP.
type Unaccepted struct {
	// PerSubject is the most unaccepted credentials, of all types of this issuer together, that a subject may have
	// when one of this type is issued to it; 0 for no bound. (Of one type a subject never has more than one.) The new
	// one counts.
	PerSubject int
	// InAll is the most unaccepted credentials of this type, of all subjects together; 0 for no bound. The new one
	// counts.
	InAll int
	// WithdrawAfter is how long one may stay unaccepted before it is withdrawn; 0 for ever.
	WithdrawAfter time.Duration
}

// Expiration returns when a credential expires that is asked for when the ledger's close time is closeTime, both in
// seconds since the Ripple Epoch, as asked is; nil is for none. Where the policy gives none, what was asked for holds.
// What the ledger cannot express any more is its last instant instead. Whether asked is past already is not looked at.
// The error is a [model.Error] with [model.CodeBadRequest] and names the latest that is allowed.
func (p *Policy) Expiration(asked *uint32, closeTime uint32) (*uint32, error) {
	v := p.Validity
	if asked == nil {
		usual := v.Default
		if usual == 0 {
			usual = v.Longest
		}
		if usual == 0 {
			return nil, nil
		}
		expires := after(closeTime, usual)
		return &expires, nil
	}
	if v.Longest != 0 {
		if latest := after(closeTime, v.Longest); *asked > latest {
			return nil, model.BadRequest("expiration", fmt.Sprintf("must not be later than %s: a credential of this type holds for %s at most",
				model.FormatTime(latest), formatDuration(v.Longest)))
		}
	}
	expires := *asked
	return &expires, nil
}

func after(closeTime uint32, d time.Duration) uint32 {
	return uint32(min(int64(closeTime)+int64(d/time.Second), math.MaxUint32))
}

// HasURI says whether the policy itself gives credentials their URI.
func (p *Policy) HasURI() bool { return p.uri != nil }

// URI returns the URI of a credential: the policy's where it has a template, which is a URI of 1 to 256 characters then,
// else what was asked for; empty for none. The error is a [model.Error] with [model.CodeBadRequest]: nothing may be
// asked for where the policy has a template.
func (p *Policy) URI(asked string, issuer, subject model.Address) (string, error) {
	if !p.HasURI() {
		return asked, nil
	}
	if asked != "" {
		return "", model.BadRequest("uri", "must be left out: the issuer sets it for credentials of this type")
	}
	return p.uri.expand(issuer, subject, p.Type), nil
}
