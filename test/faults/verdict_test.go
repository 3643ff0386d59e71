package main

import (
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// entryOf is the credential T of the subject S, as the ledger names it.
var entryOf = programs.Entry{Subject: "S", Type: "54"}

// story is what there is to compare: by itself, one credential that was issued as it should be.
type story struct {
	operations map[string]*operation
	history    []transaction
	list       map[programs.Entry]int
	slots      []*slot
	requests   []*request
}

func goodStory() story {
	return story{
		operations: map[string]*operation{"op": {id: "op", kind: "issue", state: "succeeded", entry: entryOf, key: "key", attempts: []attempt{
			{hash: "A1", state: "absent", last: 5}, {hash: "A2", state: "validated", last: 9},
		}}},
		history:  []transaction{{hash: "A2", kind: "CredentialCreate", result: "tesSUCCESS", entry: entryOf, ledger: 8}},
		list:     map[programs.Entry]int{entryOf: 1},
		slots:    []*slot{{subject: "S", credential: "T", stands: 1}},
		requests: []*request{{method: "POST", subject: "S", credential: "T", key: "key", ending: done, hash: "A2", ops: map[string]bool{"op": true}}},
	}
}

func TestVerdict(t *testing.T) {
	type counts struct{ doubles, lost, untrue, open int }
	for _, c := range []struct {
		name   string
		change func(*story)
		want   counts
	}{
		{"all is well", func(*story) {}, counts{}},
		{"issued twice by one operation", func(s *story) {
			s.history = append(s.history, transaction{hash: "A1", kind: "CredentialCreate", result: "tecDUPLICATE", entry: entryOf, ledger: 9})
		}, counts{doubles: 2, lost: 1, untrue: 1}}, // two transactions; useless; not the one that it succeeded by alone; and called absent
		{"sent without being stored", func(s *story) {
			s.history = append(s.history, transaction{hash: "B", kind: "AccountSet", result: "tesSUCCESS", ledger: 9})
		}, counts{doubles: 1}},
		{"asked of the ledger though it was done already", func(s *story) {
			s.operations["op2"] = &operation{id: "op2", kind: "issue", state: "failed", entry: entryOf, attempts: []attempt{{hash: "B", state: "validated"}}}
			s.history = append(s.history, transaction{hash: "B", kind: "CredentialCreate", result: "tecDUPLICATE", entry: entryOf})
		}, counts{doubles: 1}},
		{"the same, of rivals", func(s *story) {
			s.operations["op2"] = &operation{id: "op2", kind: "issue", state: "failed", entry: entryOf, attempts: []attempt{{hash: "B", state: "validated"}}}
			s.history = append(s.history, transaction{hash: "B", kind: "CredentialCreate", result: "tecDUPLICATE", entry: entryOf})
			s.slots[0].rivals = true
		}, counts{}},
		{"answered, stored, and on no ledger", func(s *story) { s.history, s.list = nil, nil },
			counts{lost: 3, untrue: 1}}, // the operation, the answer, the credential; and a blob that was called validated
		{"answered, and not in the journal", func(s *story) { s.operations = map[string]*operation{} },
			counts{doubles: 1, lost: 2}},
		{"told of an operation that nobody knows", func(s *story) { s.requests[0].ops = map[string]bool{"other": true} }, counts{lost: 1}},
		{"one key, two operations", func(s *story) {
			s.requests[0].ops["op2"] = true
			s.operations["op2"] = &operation{id: "op2", kind: "issue", state: "expired", entry: entryOf}
		}, counts{doubles: 1}},
		{"called absent, and on the ledger", func(s *story) {
			s.operations["op"].state = "expired"
			s.operations["op"].attempts[1].state = "absent"
			s.requests[0].ending = absent
			s.slots[0].stands = -1
		}, counts{untrue: 2}},
		{"called absent, and done", func(s *story) { s.requests[0].ending = absent }, counts{untrue: 1}},
		{"not final", func(s *story) { s.operations["op"].state = "signed"; s.requests[0].ending = undecided }, counts{open: 2}},
		{"failed, and done", func(s *story) { s.operations["op"].state = "failed"; s.requests[0].ending = refused }, counts{untrue: 1}},
		{"listed, and not issued", func(s *story) { s.list[programs.Entry{Subject: "X", Type: "54"}] = 1 }, counts{doubles: 1}},
		{"revoked, and still there", func(s *story) { s.slots[0].stands = 0 }, counts{doubles: 1}},
		{"issued, and not listed", func(s *story) { s.list = nil }, counts{doubles: 1}},
		{"an answer without sense", func(s *story) { s.requests[0].ending = senseless }, counts{untrue: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := goodStory()
			c.change(&s)
			w := &world{slots: s.slots, requests: s.requests}
			w.compare(s.operations, s.history, s.list)
			if got := (counts{w.doubles, w.lost, w.untrue, w.unclosed}); got != c.want {
				t.Errorf("counts are %+v, want %+v: %q", got, c.want, w.examples)
			}
		})
	}
}

// Every row must be one that can be told from the others, as its choices follow from its name.
func TestRowsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range allRows(1) {
		if seen[r.title()] {
			t.Errorf("two rows are %q", r.title())
		}
		seen[r.title()] = true
		alone := strings.HasPrefix(r.name, "failover") // it asks for all by itself: what clients ask for would be lost
		if r.least < 1 || (r.requests < 1 || r.clients < 1) != alone || r.limit == 0 || r.close == 0 || r.fault == nil {
			t.Errorf("row %q lacks something: %+v", r.title(), r)
		}
	}
}

// The faults that the rows are made of must be all that the ledger knows.
func TestEveryWeatherIsThere(t *testing.T) {
	covered := map[string]bool{}
	for _, kind := range weathers {
		spec, err := sandbox.ParseWeather(kind.spec)
		if err != nil {
			t.Errorf("%s: %v", kind.spec, err)
		}
		for f := range spec.Rules {
			covered[string(f)] = true
		}
	}
	for _, f := range sandbox.Faults() {
		if left, out := notShown[f]; !covered[string(f)] && !out {
			t.Errorf("no row has %s", f)
		} else if covered[string(f)] && out {
			t.Errorf("%s is left out (%s), and there is a row of it", f, left)
		}
	}
}

// notShown are the faults of which there is no row, and why.
var notShown = map[sandbox.Fault]string{
	sandbox.Rollback: "it breaks what a ledger is: what was validated is gone, and nobody who was told of it can have been told the truth",
}
