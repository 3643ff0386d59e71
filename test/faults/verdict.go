package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// judge waits for the end of all operations, and compares the four accounts of what happened.
func (w *world) judge(ctx context.Context) error {
	f, err := w.node.weather(ctx, "clear", w.rng.Uint64())
	if err != nil {
		return err
	}
	if err := w.node.pass(ctx, f.Validated+1); err != nil {
		return err
	}
	settling, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for open := -1; open != 0 && settling.Err() == nil; {
		n, err := w.journal.open(settling)
		if err == nil {
			open = n
		}
		programs.Sleep(settling, 50*time.Millisecond)
	}
	operations, err := w.journal.read(ctx)
	if err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	w.askService(ctx, operations)
	w.compareIndex(ctx)
	for _, r := range w.replicas {
		if err := r.end(true); err != nil {
			w.fault("%v", err)
		}
	}
	// What it stored while it stopped counts too.
	if operations, err = w.journal.read(ctx); err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	last := f.Validated
	for _, o := range operations {
		for _, a := range o.attempts {
			// An offset of this program's own making would have it wait for ever.
			last = max(last, min(a.last, f.Validated+5000))
		}
	}
	passing, cancelPass := context.WithTimeout(ctx, settleTime)
	defer cancelPass()
	if err := w.node.pass(passing, last); err != nil {
		return err
	}
	history, err := w.node.history(ctx, w.issuer.Address)
	if err != nil {
		return err
	}
	list, err := w.node.Credentials(ctx, w.issuer.Address)
	if err != nil {
		return err
	}
	w.compare(operations, history, list)
	w.watch.judge(operations)
	w.blobs = w.watch.sent
	if w.watch.late > 0 {
		when := " any more, each stored while it did"
		if w.stray > 0 {
			when = ""
		}
		w.note("%d blobs were sent by a process that did not hold the lane%s", w.watch.late, when)
	}
	return nil
}

// askService asks the service for every operation.
func (w *world) askService(ctx context.Context, operations map[string]*operation) {
	c := &caller{w, rand.New(rand.NewPCG(w.rng.Uint64(), 4))}
	for id, o := range operations {
		if o.kind != "issue" && o.kind != "revoke" {
			continue
		}
		var a answer
		err := errors.New("nothing was asked")
		for range 20 {
			asking, cancel := context.WithTimeout(ctx, 10*time.Second)
			a, err = c.do(asking, "GET", "/operations/"+id, "", nil)
			cancel()
			if err == nil && a.status < 500 {
				break
			}
			programs.Sleep(ctx, 100*time.Millisecond)
		}
		switch {
		case err != nil:
			w.fault("GET /operations/%s: %v", id, err)
		case a.status != 200 || a.ID != id:
			w.count(&w.lost, "GET /operations/%s: %d %s, and the journal has it", id, a.status, a.code())
		case a.State != o.state && final(o.state):
			w.count(&w.untrue, "GET /operations/%s says %s, and the journal %s", id, a.State, o.state)
		}
	}
}

// compare is the verdict, once nothing moves any more.
func (w *world) compare(operations map[string]*operation, history []transaction, list map[programs.Entry]int) {
	onLedger := map[string]transaction{}
	creates, deletes, useless := map[programs.Entry]int{}, map[programs.Entry]int{}, map[programs.Entry]int{}
	for _, t := range history {
		if _, twice := onLedger[t.hash]; twice {
			w.fault("the ledger's history has %s twice", t.hash)
		}
		onLedger[t.hash] = t
		switch {
		case t.result == "tesSUCCESS" && t.kind == "CredentialCreate":
			creates[t.entry]++
		case t.result == "tesSUCCESS" && t.kind == "CredentialDelete":
			deletes[t.entry]++
		case t.result == "tecDUPLICATE" || t.result == "tecNO_ENTRY":
			useless[t.entry]++
		}
	}
	w.compareJournal(operations, onLedger)
	w.compareAnswers(operations, onLedger)

	known := map[programs.Entry]bool{}
	for _, s := range w.slots {
		e := s.entry()
		known[e] = true
		stand := creates[e] - deletes[e]
		if stand != 0 && stand != 1 || list[e] != stand {
			w.count(&w.doubles, "%s/%s: issued %d times, revoked %d times, listed %d times", s.subject, s.credential, creates[e], deletes[e], list[e])
		}
		switch {
		case s.stands == 1 && stand == 0:
			w.count(&w.lost, "%s/%s: a client was told that it was issued, and it is not there", s.subject, s.credential)
		case s.stands == 0 && stand == 1:
			w.count(&w.doubles, "%s/%s: a client was told that it was revoked, and it is there", s.subject, s.credential)
		}
		if n := useless[e]; n > 0 && !s.rivals {
			w.count(&w.doubles, "%s/%s: %d transactions asked the ledger for what was done already", s.subject, s.credential, n)
		}
	}
	for e := range list {
		if !known[e] {
			w.count(&w.doubles, "%s holds a credential %s that nobody asked for", e.Subject, e.Type)
		}
	}
}

// compareJournal compares what is stored with the ledger.
func (w *world) compareJournal(operations map[string]*operation, onLedger map[string]transaction) {
	stored := map[string]bool{}
	w.states = map[string]int{}
	for _, o := range operations {
		asked := o.kind == "issue" || o.kind == "revoke"
		if asked {
			w.states[o.state]++
			w.total++
			if !final(o.state) {
				w.count(&w.unclosed, "operation %s (%s) is %s at the end", o.id, o.kind, o.state)
			}
		}
		var results []string
		for _, a := range o.attempts {
			stored[a.hash] = true
			t, there := onLedger[a.hash]
			if there {
				results = append(results, t.result)
			}
			if final(o.state) && there != (a.state == "validated") {
				w.count(&w.untrue, "operation %s: blob %s is %s in the journal, and on a ledger: %t", o.id, a.hash, a.state, there)
			}
		}
		if len(results) > 1 {
			w.count(&w.doubles, "operation %s has %d transactions on the ledger: %v", o.id, len(results), results)
		}
		switch o.state {
		case "succeeded":
			if !slices.Equal(results, []string{"tesSUCCESS"}) {
				w.count(&w.lost, "operation %s succeeded, and the ledger has %v of it", o.id, results)
			}
		case "failed":
			if len(results) != 1 || results[0] == "tesSUCCESS" {
				w.count(&w.untrue, "operation %s failed, and the ledger has %v of it", o.id, results)
			}
		case "expired", "refused", "cancelled":
			if len(results) > 0 {
				w.count(&w.untrue, "operation %s is %s, and the ledger has %v of it", o.id, o.state, results)
			}
		}
	}
	for hash, t := range onLedger {
		if !stored[hash] {
			w.count(&w.doubles, "%s %s (%s) is in ledger %d and not in the journal", t.kind, hash, t.result, t.ledger)
		}
	}
}

// compareAnswers compares what clients were told with the journal and the ledger.
func (w *world) compareAnswers(operations map[string]*operation, onLedger map[string]transaction) {
	byKey := map[string]*operation{}
	for _, o := range operations {
		if o.key != "" {
			byKey[o.key] = o
		}
	}
	kinds := map[string]string{"POST": "CredentialCreate", "DELETE": "CredentialDelete"}
	for _, r := range w.requests {
		for id := range r.ops {
			switch o := operations[id]; {
			case o == nil:
				w.count(&w.lost, "a client was told of operation %s, and the journal does not know it", id)
			case o.entry != r.entry():
				w.count(&w.untrue, "a client was told of operation %s, which is another one's", id)
			}
		}
		if len(r.ops) > 1 {
			w.count(&w.doubles, "key %s was answered with %d operations", r.key, len(r.ops))
		}
		o := byKey[r.key]
		switch r.ending {
		case undecided:
			w.count(&w.unclosed, "%s %s/%s: a client with key %s got no final answer", r.method, r.subject, r.credential, r.key)
		case senseless:
			w.count(&w.untrue, "%s %s/%s: %s", r.method, r.subject, r.credential, r.said)
		case done:
			t, there := onLedger[r.hash]
			switch {
			case !there || t.result != "tesSUCCESS" || t.kind != kinds[r.method] || t.entry != r.entry():
				w.count(&w.lost, "%s %s/%s: a client was told that %s did it, and the ledger has %+v", r.method, r.subject, r.credential, r.hash, t)
			case o == nil || o.state != "succeeded":
				w.count(&w.lost, "%s %s/%s: a client was told that it is done, and the journal has no such operation for key %s", r.method, r.subject, r.credential, r.key)
			case !slices.ContainsFunc(o.attempts, func(a attempt) bool { return a.hash == r.hash }):
				w.count(&w.untrue, "%s %s/%s: a client was told that %s did it, which is not of operation %s", r.method, r.subject, r.credential, r.hash, o.id)
			}
		case absent:
			if o == nil || o.state != "expired" {
				w.count(&w.untrue, "%s %s/%s: %s, and the journal has %+v", r.method, r.subject, r.credential, r.said, o)
			}
		}
	}
}
