package issuer

import (
	"errors"
	"fmt"

	"github.com/xrplissuer/credential-issuer/model"
)

// words is what callers are told, whether the ledger's word was asked for before a transaction or came as its result.
var words = map[model.Code]string{
	model.CodeDuplicate: "a credential of this type stands already for this subject: revoke it before you issue it anew",
	model.CodeNoTarget:  "the subject's account is not on the ledger yet: fund it, then ask again",
	model.CodeExpired:   "the expiration passed before the ledger closed: ask again with a later one",
	model.CodeInsufficientReserve: "the issuer's account holds too little XRP to carry one more credential: " +
		"its operator has to fund it, or revoke credentials that nobody accepted",
	model.CodeEntryNotFound: "no such credential stands on the ledger: it was never issued by this issuer, was revoked, " +
		"or was deleted by its subject",
	model.CodeLedgerUnavailable: "the ledger did not answer in time, and nothing was sent: ask again later",
	model.CodeNotValidated:      notValidated + "asking again is safe",
}

const notValidated = "the transaction is on no ledger and can be on none any more: "

// told returns the error that a check before the transaction found.
func told(code model.Code) error { return &model.Error{Code: code, Message: words[code]} }

// duplicate says what stands in the way, as accepting it, waiting for it or revoking it are different things to do.
func duplicate(c model.Credential, last model.Ledger) error {
	state := "not accepted yet"
	if c.Accepted {
		state = "accepted"
	}
	if c.Expired(last.CloseTime) {
		state += ", and expired since " + model.FormatTime(c.Expiration)
	}
	return &model.Error{Code: model.CodeDuplicate, Message: fmt.Sprintf("%s (the one that stands is %s)", words[model.CodeDuplicate], state)}
}

// tooEarly says when one that stands may be replaced.
func tooEarly(c model.Credential, within uint32) error {
	if !c.HasExpiration() {
		return &model.Error{Code: model.CodeDuplicate, Message: "the credential that stands never expires, so that there is nothing to renew: " +
			"revoke it before you issue it anew"}
	}
	return &model.Error{Code: model.CodeDuplicate, Message: "the credential that stands expires at " + model.FormatTime(c.Expiration) +
		", and may be renewed from " + model.FormatTime(c.Expiration-min(within, c.Expiration)) + " on"}
}

// explain puts an operation's end in this package's words, and turns a revocation that came too late into what the look-up
// before it would have said. keyed says that the request carried a key, which stands for this end from now on.
func explain(err error, keyed bool) error {
	var e *model.Error
	if !errors.As(err, &e) {
		return err
	}
	told := *e
	if told.Code == model.CodeNoEntry {
		told.Code = model.CodeEntryNotFound
	}
	if text, ok := words[told.Code]; ok && (told.Code.Final() || told.Tx != nil || told.Message == "") {
		told.Message = text
	}
	if told.Code == model.CodeNotValidated {
		told.Message = words[told.Code]
		if keyed {
			told.Message = notValidated + "asking again is safe, with a new Idempotency-Key"
		}
	}
	if told.Message == "" && told.Code.Final() {
		told.Message = "the ledger refused the transaction: " + string(told.Code)
	}
	return &told
}
