package store

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// farOff is a time that no test comes to, unless it is about that.
var farOff = time.Date(2100, 1, 2, 3, 4, 5, 6000, time.UTC)

// application makes a request that a person decides on, with sealed documents of so many bytes.
func application(documents int) model.Application {
	expiration := uint32(900000000)
	sealed := make([]byte, documents)
	_, _ = rand.Read(sealed)
	return model.Application{Issuer: issuerA, Subject: subject(), Type: "driver\xff\x00licence", Expiration: &expiration, URI: "ipfs://\x01",
		Renew: true, Proven: true, SecretHash: sha256.Sum256([]byte("secret")), Documents: sealed, Keep: 90*time.Minute + time.Microsecond, RequestID: "r1",
		DecideBy: farOff}
}

func (h *harness) apply(a model.Application) model.Application {
	h.t.Helper()
	stored, replayed, err := h.CreateApplication(h.ctx(), a)
	if err != nil || replayed || stored.Documents != nil {
		h.t.Fatalf("apply: replayed %t, %v", replayed, err)
	}
	return stored
}

// told is what the events of a request say: kind, actor, operation.
func (h *harness) told(id model.OperationID) []string {
	h.t.Helper()
	events, err := h.ApplicationEvents(h.ctx(), id)
	h.ok(err)
	var out []string
	for _, e := range events {
		if e.Application != id || e.Issuer != issuerA || e.Subject == "" || e.Type == "" || (e.Data != nil) != (e.Kind == model.EventFailed) {
			h.t.Errorf("%+v", e)
		}
		out = append(out, strings.TrimSpace(string(e.Kind)+" "+e.Actor+" "+string(e.Operation)))
	}
	return out
}

func TestApplication(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		a := application(100)
		a.Key = &model.IdempotencyKey{Key: "k", RequestHash: [32]byte{1}}
		stored := h.apply(a)
		want := a
		want.ID, want.State, want.Created, want.Updated = stored.ID, model.ApplicationWaiting, h.clock.Now(), h.clock.Now()
		h.equal(stored.Key, a.Key)
		want.Key = &model.IdempotencyKey{Key: "k"} // nobody gets its hash back
		stored.Key = want.Key
		got, err := h.Application(h.ctx(), stored.ID)
		h.ok(err)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("read\n%+v, want\n%+v", got, want)
		}
		want.Documents = nil
		if got, err := h.ApplicationWithoutDocuments(h.ctx(), stored.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("without documents\n%+v, %v, want\n%+v", got, err, want)
		}
		if !reflect.DeepEqual(stored, want) {
			t.Errorf("stored\n%+v, want\n%+v", stored, want)
		}
		// The same request once more is the first one, whoever asks.
		h.clock.advance(time.Minute)
		again, replayed, err := h.open().CreateApplication(h.ctx(), a)
		h.ok(err)
		byKey, err := h.ApplicationByKey(h.ctx(), issuerA, *a.Key)
		h.ok(err)
		if !replayed || !reflect.DeepEqual(again, want) || !reflect.DeepEqual(byKey, want) {
			t.Errorf("replayed %t\n%+v, by key\n%+v", replayed, again, byKey)
		}
		// With another request it is refused, and so is a key of something else.
		b := application(1)
		b.Key = &model.IdempotencyKey{Key: "k"}
		_, _, err = h.CreateApplication(h.ctx(), b)
		h.code(err, model.CodeKeyReused)
		_, err = h.ApplicationByKey(h.ctx(), issuerA, *b.Key)
		h.code(err, model.CodeKeyReused)
		_, err = h.ByKey(h.ctx(), issuerA, *a.Key)
		h.code(err, model.CodeKeyReused)
		op := issue()
		op.Key = a.Key
		_, _, err = h.Create(h.ctx(), op)
		h.code(err, model.CodeKeyReused)
		_, _, err = h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA, Key: a.Key})
		h.code(err, model.CodeKeyReused)
		op.Key = &model.IdempotencyKey{Key: "of an operation"}
		h.create(op)
		_, err = h.ApplicationByKey(h.ctx(), issuerA, *op.Key)
		h.code(err, model.CodeKeyReused)
		b.Key = op.Key
		_, _, err = h.CreateApplication(h.ctx(), b)
		h.code(err, model.CodeKeyReused)
		for _, key := range []string{"", "\x00"} {
			b.Key = &model.IdempotencyKey{Key: key}
			_, _, err = h.CreateApplication(h.ctx(), b)
			h.code(err, model.CodeBadRequest)
			_, err = h.ApplicationByKey(h.ctx(), issuerA, *b.Key)
			h.code(err, model.CodeBadRequest)
		}
		_, err = h.ApplicationByKey(h.ctx(), issuerB, *a.Key)
		h.code(err, model.CodeRequestNotFound)

		// Another one for the same credential has to wait for it.
		twin := application(1)
		twin.Subject, twin.Key, twin.Nonce = a.Subject, &model.IdempotencyKey{Key: "twin"}, h.nonce("n")
		_, _, err = h.CreateApplication(h.ctx(), twin)
		h.code(err, model.CodeInProgress)
		if strings.Contains(err.(*model.Error).Message, string(stored.ID)) {
			t.Errorf("its caller is told of another's request: %v", err)
		}
		twin.Type = "other"
		h.apply(twin) // and what was refused left nothing: neither key nor nonce
		// The same nonce does not count twice, wherever.
		b = application(1)
		b.Nonce = h.nonce("n")
		_, _, err = h.CreateApplication(h.ctx(), b)
		h.code(err, model.CodeProofRefused)
		op = issue()
		op.Nonce = h.nonce("n")
		_, _, err = h.Create(h.ctx(), op)
		h.code(err, model.CodeProofRefused)

		// The longest there is, and the least.
		big := application(MaxDocuments)
		big.URI, big.Type = strings.Repeat("u", model.MaxURILen), model.CredentialType(strings.Repeat("t", model.MaxTypeLen))
		big = h.apply(big)
		least := h.apply(model.Application{Issuer: issuerA, Subject: subject(), Type: "a", SecretHash: a.SecretHash, Documents: model.SealedDocuments{}, DecideBy: farOff})
		if got, err := h.Application(h.ctx(), big.ID); err != nil || len(got.Documents) != MaxDocuments {
			t.Errorf("%d bytes, %v", len(got.Documents), err)
		}
		if got, err := h.Application(h.ctx(), least.ID); err != nil || !reflect.DeepEqual(got, least) {
			t.Errorf("%+v, %v", got, err)
		}
		for _, id := range []model.OperationID{"", "\x00", "01JD8Q4Z7T9XW3V5K2M6N8P0RS"} {
			_, err := h.Application(h.ctx(), id)
			h.code(err, model.CodeRequestNotFound)
			_, err = h.ApplicationWithoutDocuments(h.ctx(), id)
			h.code(err, model.CodeRequestNotFound)
		}
		if got := h.told(stored.ID); !slices.Equal(got, []string{"request.received applicant"}) {
			t.Errorf("told %v", got)
		}
		e := h.chain(h.Store)[0]
		if detail := fmt.Sprintf(`{"subject":%q,"type":"(BIN) 647269766572FF006C6963656E6365","renew":true,"expiration":900000000,"uri":"697066733A2F2F01","proven":true}`, a.Subject); e.Actor != "applicant" ||
			e.Action != "request.create" || e.Target != string(stored.ID) || e.RequestID != "r1" || string(e.Detail) != detail {
			t.Errorf("%+v %s", e, e.Detail)
		}
	})
}

func TestApplicationRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		for name, change := range map[string]func(*model.Application){
			"no issuer":   func(a *model.Application) { a.Issuer = "" },
			"no subject":  func(a *model.Application) { a.Subject = "" },
			"short":       func(a *model.Application) { a.Subject = "r" },
			"no type":     func(a *model.Application) { a.Type = "" },
			"long type":   func(a *model.Application) { a.Type += model.CredentialType(strings.Repeat("a", 64)) },
			"long uri":    func(a *model.Application) { a.URI = strings.Repeat("a", 257) },
			"no secret":   func(a *model.Application) { a.SecretHash = [32]byte{} },
			"keep":        func(a *model.Application) { a.Keep = -1 },
			"no end":      func(a *model.Application) { a.DecideBy = time.Time{} },
			"documents":   func(a *model.Application) { a.Documents = make([]byte, MaxDocuments+1) },
			"form of ids": func(a *model.Application) { a.ID = "x" },
		} {
			a := application(1)
			change(&a)
			if _, _, err := h.CreateApplication(h.ctx(), a); model.CodeOf(err) != model.CodeInternal {
				t.Errorf("%s: %v", name, err)
			}
		}
		late := application(1)
		late.Nonce = &model.SpentNonce{Nonce: "n", Expires: h.clock.Now()}
		_, _, err := h.CreateApplication(h.ctx(), late)
		h.code(err, model.CodeProofRefused)
		if h.count("applications") != 0 || h.count("audit") != 0 || h.count("events") != 0 {
			t.Error("something was stored")
		}
	})
}

// Its own, found again: the confirmation of a commit was lost, and the transaction is run again.
func TestApplicationOfItsOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		for _, key := range []*model.IdempotencyKey{nil, {Key: "k"}} {
			a := application(10)
			a.ID, a.Key = h.ids.next(h.now()), key
			a.Nonce = h.nonce(fmt.Sprint("n", key == nil))
			for range 2 {
				stored, replayed, err := h.CreateApplication(h.ctx(), a)
				h.ok(err)
				if stored.ID != a.ID || replayed || stored.Documents != nil {
					t.Errorf("%+v, %t", stored, replayed)
				}
				h.clock.advance(10 * time.Minute)
			}
		}
		if n := len(h.chain(h.Store)); n != 2 || h.count("events") != 2 || h.count("applications") != 2 {
			t.Errorf("%d entries", n)
		}
	})
}

func TestApplications(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		var all []model.OperationID
		states := model.ApplicationStates()
		for i := range 3 * len(states) {
			made := application(10)
			if states[i%len(states)] == model.ApplicationLapsed {
				made.DecideBy = h.clock.Now()
			}
			a := h.apply(made)
			all = append(all, a.ID)
			switch states[i%len(states)] {
			case model.ApplicationLapsed:
				h.lapse(1)
			case model.ApplicationWithdrawn:
				h.withdraw(a)
			case model.ApplicationApproved:
				h.decide(approval(a, "one"))
			case model.ApplicationRejected:
				h.decide(rejection(a, "one"))
			}
		}
		theirs := application(1)
		theirs.Issuer = issuerB
		h.apply(theirs)
		for i, state := range append([]model.ApplicationState{""}, states...) {
			want := all
			if i > 0 {
				want = []model.OperationID{all[i-1], all[i-1+len(states)], all[i-1+2*len(states)]}
			}
			var got []model.OperationID
			for after := model.OperationID(""); ; {
				page, err := h.Applications(h.ctx(), issuerA, state, after, 2)
				h.ok(err)
				for _, a := range page {
					if a.Documents != nil || state != "" && a.State != state || (a.OperationState == model.StatePending) != (a.State == model.ApplicationApproved) {
						t.Errorf("%+v", a)
					}
					got = append(got, a.ID)
				}
				if len(page) < 2 {
					break
				}
				after = got[len(got)-1]
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", state, got, want)
			}
		}
		if page, err := h.Applications(h.ctx(), issuerA, "\x00", "\x00", -1); err != nil || len(page) != 0 {
			t.Errorf("%v, %v", page, err)
		}
	})
}

// A key of a request is kept while it waits.
func TestSweepKeysOfApplications(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		a := application(1)
		a.Key = &model.IdempotencyKey{Key: "k"}
		stored := h.apply(a)
		h.clock.advance(48 * time.Hour)
		if n, err := h.SweepKeys(h.ctx()); n != 0 || err != nil {
			t.Errorf("%d went, %v", n, err)
		}
		if got, err := h.ApplicationByKey(h.ctx(), issuerA, *a.Key); err != nil || got.ID != stored.ID {
			t.Errorf("%+v, %v", got, err)
		}
		h.decide(rejection(stored, "one"))
		if n, err := h.SweepKeys(h.ctx()); n != 1 || err != nil {
			t.Errorf("%d went, %v", n, err)
		}
		_, err := h.ApplicationByKey(h.ctx(), issuerA, *a.Key)
		h.code(err, model.CodeRequestNotFound)
	})
}

// Many requests for the same credentials at the same moment, in two processes, with keys and without.
func TestApplicationsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		stores := []*Store{h.Store, h.open()}
		const kinds, each = 6, 12
		var mu sync.Mutex
		created, named := [kinds]int{}, [kinds]int{}
		var wg sync.WaitGroup
		for i := range kinds {
			a := application(100)
			if i%2 == 0 {
				a.Key = &model.IdempotencyKey{Key: fmt.Sprint("k", i)}
			}
			for j := range each {
				wg.Go(func() {
					_, replayed, err := stores[j%2].CreateApplication(h.ctx(), a)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil && !replayed:
						created[i]++
					case err == nil && a.Key != nil, model.CodeOf(err) == model.CodeInProgress && a.Key == nil:
						named[i]++
					default:
						t.Errorf("replayed %t, %v", replayed, err)
					}
				})
			}
		}
		wg.Wait()
		for i := range kinds {
			if created[i] != 1 || named[i] != each-1 {
				t.Errorf("%d were created, %d named", created[i], named[i])
			}
		}
		if len(h.chain(h.Store)) != kinds || h.count("events") != kinds {
			t.Error("not one event and one entry each")
		}
	})
}

// As many as may wait, of the type; what is refused leaves nothing, neither key nor nonce.
func TestMostWaiting(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		bounded := func() model.Application {
			a := application(10)
			a.MostWaiting = 3
			return a
		}
		var apps []model.Application
		for range 3 {
			apps = append(apps, h.apply(bounded()))
		}
		theirs, other := bounded(), bounded()
		theirs.Issuer, other.Type = issuerB, "other"
		h.apply(theirs)
		h.apply(other)
		one := bounded()
		one.Key, one.Nonce = &model.IdempotencyKey{Key: "k"}, h.nonce("n")
		_, _, err := h.CreateApplication(h.ctx(), one)
		h.code(err, model.CodeTooManyWaiting)
		if e := err.(*model.Error); e.RetryAfter < time.Minute || e.Message == "" {
			t.Errorf("%+v", e)
		}
		again := bounded() // one that waits already is told of
		again.Subject = apps[0].Subject
		_, _, err = h.CreateApplication(h.ctx(), again)
		h.code(err, model.CodeInProgress)
		h.equal([]int{h.count("applications"), h.count("idempotency_keys"), h.count("spent_nonces"), len(h.chain(h.Store))}, []int{5, 0, 0, 5})
		// Each way to end makes room.
		h.decide(rejection(apps[0], "x"))
		apps = append(apps, h.apply(one))
		h.withdraw(apps[1])
		h.apply(bounded())
		_, _, err = h.CreateApplication(h.ctx(), bounded())
		h.code(err, model.CodeTooManyWaiting)
		if stored, replayed, err := h.CreateApplication(h.ctx(), one); err != nil || !replayed || stored.ID != apps[3].ID { // it came before
			t.Errorf("%+v, %t, %v", stored, replayed, err)
		}
		free := application(10)
		h.apply(free)
	})
}

// Many at the same moment, in two processes: exactly as many wait as may, by number and by bytes.
func TestMostWaitingAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		stores := []*Store{h.Store, h.open()}
		const room, n = 7, 60
		var mu sync.Mutex
		taken := map[model.CredentialType]int{}
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				a := application(10)
				a.Type, a.MostWaiting = "number", room
				if i%2 == 0 {
					a.Type, a.MostWaiting, a.MostWaitingBytes = "bytes", n, 10*room+9
				}
				_, _, err := stores[i/2%2].CreateApplication(h.ctx(), a)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					taken[a.Type]++
				case model.CodeOf(err) != model.CodeTooManyWaiting:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		h.equal(taken, map[model.CredentialType]int{"number": room, "bytes": room})
		h.equal(h.count("applications"), 2*room)
		h.plan("applications_load", "SELECT count(*), sum(size) FROM applications WHERE issuer = 'a' AND type = 'b' AND state = 'waiting'")
	})
}
