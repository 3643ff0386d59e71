package issuer

import (
	"errors"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestPendings(t *testing.T) {
	a, b := credentialKey{"r", "a"}, credentialKey{"r", "b"}
	undecided := func(last uint32) error {
		return &model.Error{Code: model.CodeLedgerUnavailable, Pending: &model.Pending{Hash: "F00D", LastLedgerSequence: last}}
	}
	var p pendings
	p.note(a, nil)
	p.note(a, errors.New("x"))
	p.note(a, &model.Error{Code: model.CodeNotValidated})
	if p.any(a) {
		t.Error("something is remembered that cannot happen")
	}
	p.note(a, undecided(10))
	for _, tc := range []struct {
		name    string
		key     credentialKey
		decided bool
		ledger  uint32
		pending bool // what check says
		after   bool // whether it is remembered then
	}{
		{"another key", b, false, 5, false, true},
		{"before its last ledger", a, false, 9, true, true},
		{"its last ledger came", a, false, 10, false, false},
	} {
		err := p.check(tc.key, tc.decided, tc.ledger)
		var e *model.Error
		if got := errors.As(err, &e) && e.Pending != nil && e.Pending.Hash == "F00D"; got != tc.pending || p.any(a) != tc.after {
			t.Errorf("%s: %v, remembered %t", tc.name, err, p.any(a))
		}
	}
	p.note(a, undecided(20))
	if err := p.check(a, true, 15); err != nil || p.any(a) {
		t.Errorf("it happened: %v, remembered %t", err, p.any(a))
	}
	p.note(a, undecided(20))
	p.note(b, undecided(20+longPast))
	if !p.any(a) || !p.any(b) {
		t.Error("forgotten too early")
	}
	p.note(b, undecided(21+longPast))
	if p.any(a) || !p.any(b) {
		t.Error("what is long past is remembered")
	}
}
