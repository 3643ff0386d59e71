package model

import (
	"errors"
	"strings"
	"testing"
)

func TestOperationID(t *testing.T) {
	// The ULID specification's own bounds, and a value computed by hand: 2^48-1 ms and all bits set.
	for _, c := range []struct {
		ms   int64
		rest [10]byte
		want OperationID
	}{
		{0, [10]byte{}, "00000000000000000000000000"},
		{1<<48 - 1, [10]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"},
		{1, [10]byte{9: 1}, "00000000010000000000000001"},
		{1469918176385, [10]byte{}, "01ARYZ6S410000000000000000"},
	} {
		got := NewOperationID(c.ms, c.rest)
		if got != c.want {
			t.Errorf("%d %v: %s, want %s", c.ms, c.rest, got, c.want)
		}
		for _, s := range []string{string(got), strings.ToLower(string(got))} {
			if parsed, err := ParseOperationID(s); err != nil || parsed != got {
				t.Errorf("%s: read as %q, %v", s, parsed, err)
			}
		}
	}
	for _, s := range []string{"", "0", strings.Repeat("0", 25), strings.Repeat("0", 27), "80000000000000000000000000",
		"0000000000000000000000000I", "0000000000000000000000000L", "0000000000000000000000000O", "0000000000000000000000000U",
		"0000000000000000000000000-", "000000000000000000000000\u00e9", "../../../../../etc/passwd00"} {
		if id, err := ParseOperationID(s); err == nil {
			t.Errorf("%q was read as %s", s, id)
		}
	}
}

func TestStates(t *testing.T) {
	final := map[State]bool{StateSucceeded: true, StateFailed: true, StateExpired: true, StateRefused: true, StateCancelled: true}
	for _, s := range States() {
		if s.Final() != final[s] {
			t.Errorf("%s is final: %t", s, s.Final())
		}
	}
	if len(States()) != 7 || State("").Final() {
		t.Error("states are not what they were")
	}
}

func TestOperationTells(t *testing.T) {
	expiration := uint32(7)
	op := Operation{Kind: KindIssue, Subject: "rS", Type: "t", Expiration: &expiration, URI: "u", State: StatePending}
	if tx, ok := op.Transaction().(CredentialCreate); !ok || tx != (CredentialCreate{Subject: "rS", Type: "t", Expiration: &expiration, URI: "u"}) {
		t.Errorf("%+v", op.Transaction())
	}
	if tx := (Operation{Kind: KindRevoke, Subject: "rS", Type: "t"}).Transaction(); tx != (CredentialDelete{Subject: "rS", Type: "t"}) {
		t.Errorf("%+v", tx)
	}
	if tx := (Operation{Kind: KindFill}).Transaction(); tx != nil {
		t.Errorf("%+v", tx)
	}

	var e *Error
	if op.Pending() != nil || !errors.As(op.Err(), &e) || e.Code != CodeLedgerUnavailable || e.Pending != nil {
		t.Errorf("nothing is signed: %v", op.Err())
	}
	op.State = StateSigned
	op.Attempts = []Attempt{{Hash: "A", LastLedgerSequence: 9, State: AttemptAbsent}, {Hash: "B", Sequence: 4, LastLedgerSequence: 7, State: AttemptSigned},
		{Hash: "C", Sequence: 4, LastLedgerSequence: 8, State: AttemptSigned}}
	if !errors.As(op.Err(), &e) || e.Pending == nil || *e.Pending != (Pending{Hash: "C", Sequence: 4, LastLedgerSequence: 8}) {
		t.Errorf("signed: %v", op.Err())
	}
	op.State, op.Failure, op.Result = StateFailed, &Failure{Code: CodeDuplicate, Message: "m"}, &Validated{Hash: "C"}
	if !errors.As(op.Err(), &e) || e.Code != CodeDuplicate || e.Message != "m" || e.Tx != op.Result || e.Pending != nil {
		t.Errorf("failed: %v", op.Err())
	}
	op.State = StateSucceeded
	if op.Err() != nil {
		t.Error(op.Err())
	}
}

func TestCheckIdempotencyKey(t *testing.T) {
	for _, s := range []string{"a", "8e03978e-40d5-43e8-bc93-6894a57f9324", "ключ", strings.Repeat("k", MaxKeyLen), " ", `"quoted"`} {
		if err := CheckIdempotencyKey(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"", strings.Repeat("k", MaxKeyLen+1), "\x00", "a\tb", "\x7f", "\xff", "a\u0080"} {
		if CheckIdempotencyKey(s) == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestBatchStatus(t *testing.T) {
	s := BatchStatus{Batch: Batch{State: BatchReceived}, Rejected: 1, Counts: map[State]int64{StatePending: 2, StateSigned: 3, StateSucceeded: 4,
		StateFailed: 5, StateExpired: 6, StateRefused: 7, StateCancelled: 8}}
	if s.Open() != 5 || s.Failed() != 27 || s.Finished() {
		t.Errorf("%d open, %d failed, finished %t", s.Open(), s.Failed(), s.Finished())
	}
	s.Counts = nil
	if !s.Finished() {
		t.Error("not finished")
	}
	s.State = BatchReceiving
	if s.Finished() {
		t.Error("finished before all rows are there")
	}
}
