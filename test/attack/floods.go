package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

var floods = []attack{
	{name: "1000 requests for one subject", on: onPlain, run: oneSubject},
	{name: "a subject locked out by others", on: onTLS, run: lockOut},
	{name: "many subjects, one client", on: onTLS, run: manySubjects},
	{name: "X-Forwarded-For made up", on: onTLS, run: forwarded},
	{name: "request and withdraw, again and again", on: onPlain, run: churn},
	{name: "requests' ids and secrets guessed", on: onPlain, run: guessedRequests},
}

// subjectRate is how often one subject may be asked for in a minute, as it is set where nothing is.
const subjectRate = 60

// oneSubject asks for one credential of one subject, that needs no proof, a thousand times at once.
func oneSubject(ctx context.Context, r *round) error {
	who, other, err := r.w.take()
	if err != nil {
		return err
	}
	r.w.subjects <- other
	var granted, passed atomic.Int64
	began := time.Now()
	atOnce(50, r.many(1000), func(int) {
		a, err := r.send(ctx, http.MethodPost, "/credential", r.w.asking(who.address, "Plain", nil))
		r.expect("at once", a, err, http.StatusCreated, http.StatusConflict, http.StatusTooManyRequests)
		if a.status == http.StatusCreated {
			granted.Add(1)
		}
		if a.status != http.StatusTooManyRequests {
			passed.Add(1)
		} else if a.header.Get("Retry-After") == "" {
			r.fault("429 without Retry-After")
		}
	})
	if granted.Load() != 1 {
		r.fault("%d credentials were granted", granted.Load())
	}
	// The bucket is full at first, and fills while this lasts.
	if most := subjectRate + int64(time.Since(began)/time.Second) + 1; passed.Load() > most {
		r.fault("%d requests passed the rate of %d a minute", passed.Load(), subjectRate)
	}
	r.grant(1, 0)
	return nil
}

// lockOut asks for challenges, and sends requests with no proof and with wrong ones, for a subject, from many addresses; the subject's
// own are served meanwhile.
func lockOut(ctx context.Context, r *round) error {
	if !manyAddresses {
		return oneAddress
	}
	who, other, err := r.w.take()
	if err != nil {
		return err
	}
	r.w.subjects <- other
	asking := r.w.asking(who.address, "Member", nil)
	body, err := challengeBody(asking)
	if err != nil {
		return err
	}
	for n := range 5 {
		client := r.newClient(fmt.Sprintf("127.0.0.%d", 30+n))
		atOnce(20, 2*subjectRate, func(i int) {
			a, err := r.sendBy(ctx, client, http.MethodPost, "/challenge", body)
			if i%2 == 1 {
				wrong := proof(challenge{Nonce: "x"}, who.public, who.sign("Credential request"))
				a, err = r.sendBy(ctx, client, http.MethodPost, "/credential", r.w.asking(who.address, "Member", wrong))
			}
			r.expect("others", a, err, http.StatusOK, http.StatusForbidden, http.StatusTooManyRequests)
		})
		client.CloseIdleConnections()
	}
	own := r.newClient("127.0.0.40")
	defer own.CloseIdleConnections()
	c, err := r.challengeFor(ctx, own, asking)
	if err != nil {
		return fmt.Errorf("the subject's own challenge: %w", err)
	}
	a, err := r.sendBy(ctx, own, http.MethodPost, "/credential", r.w.asking(who.address, "Member", proof(c, who.public, who.sign(c.Message))))
	r.expect("the subject's own request", a, err, http.StatusCreated)
	r.grant(1, 0)
	return nil
}

const oneAddress = skipped("on this system loopback has no address but 127.0.0.1, so that clients cannot be told apart")

// clientRate is how many requests of one client are served in a minute, as it is set where nothing is.
const clientRate = 600

func manySubjects(ctx context.Context, r *round) error {
	client := r.newClient("127.0.0.20")
	defer client.CloseIdleConnections()
	if !manyAddresses {
		return oneAddress
	}
	var passed atomic.Int64
	began := time.Now()
	atOnce(32, r.many(4000)+clientRate, func(int) {
		w, err := newWallet(ed25519Seed) // an account that is on no ledger
		if err != nil {
			r.fault("%v", err)
			return
		}
		a, err := r.sendBy(ctx, client, http.MethodPost, "/credential", r.w.asking(w.address, "Plain", nil))
		r.expect("one of many", a, err, http.StatusUnprocessableEntity, http.StatusTooManyRequests)
		if a.status != http.StatusTooManyRequests {
			passed.Add(1)
		}
	})
	r.rate(passed.Load(), time.Since(began))
	return nil
}

func (r *round) rate(passed int64, took time.Duration) {
	if most := clientRate + int64(took.Seconds()*clientRate/60) + 1; passed > most {
		r.fault("%d requests passed the rate of %d a minute", passed, clientRate)
	} else if passed < clientRate/2 {
		r.fault("only %d requests passed the rate of %d a minute: this shows nothing", passed, clientRate)
	}
}

// forwarded says of each request that it comes from someone else. Whom nobody has called a proxy is not believed, and
// of what a proxy says only what it wrote itself.
func forwarded(ctx context.Context, r *round) error {
	if !manyAddresses {
		return oneAddress
	}
	spoofer, proxied := r.newClient("127.0.0.21"), r.newClient(proxyAddress)
	defer spoofer.CloseIdleConnections()
	defer proxied.CloseIdleConnections()
	for _, c := range []struct {
		name   string
		client *http.Client
		header func(i int) []header
	}{
		{"no proxy", spoofer, func(i int) []header {
			return []header{{"X-Forwarded-For", fmt.Sprintf("10.1.%d.%d", i>>8, i&255)}, {"X-Real-IP", fmt.Sprintf("10.2.%d.%d", i>>8, i&255)}, {"Forwarded", fmt.Sprintf("for=10.3.%d.%d", i>>8, i&255)}}
		}},
		{"behind a proxy", proxied, func(i int) []header {
			return []header{{"X-Forwarded-For", fmt.Sprintf("10.1.%d.%d, 127.0.0.1, garbage, 198.51.100.7", i>>8, i&255)}}
		}},
		{"behind a proxy, in lines", proxied, func(i int) []header {
			return []header{{"X-Forwarded-For", fmt.Sprintf("10.1.%d.%d", i>>8, i&255)}, {"X-Forwarded-For", "198.51.100.8:" + fmt.Sprint(1024+i)}}
		}},
	} {
		var passed atomic.Int64
		began := time.Now()
		atOnce(16, clientRate+r.many(400), func(i int) {
			a, err := r.sendBy(ctx, c.client, http.MethodGet, "/operations/none", "", c.header(i)...)
			r.expect(c.name, a, err, http.StatusNotFound, http.StatusTooManyRequests)
			if a.status != http.StatusTooManyRequests {
				passed.Add(1)
			}
		})
		r.rate(passed.Load(), time.Since(began))
	}
	// Others behind the same proxy are in nobody's way.
	a, err := r.sendBy(ctx, proxied, http.MethodGet, "/operations/none", "", header{"X-Forwarded-For", "198.51.100.9"})
	r.expect("another client behind the proxy", a, err, http.StatusNotFound)
	return nil
}

func guessedRequests(ctx context.Context, r *round) error {
	secp, ed, err := r.w.take()
	if err != nil {
		return err
	}
	r.w.subjects <- ed
	id, secret, err := r.ask(ctx, secp, text(map[string]any{"name": r.w.mark}))
	if err != nil {
		return err
	}
	a, err := r.send(ctx, http.MethodGet, "/request/"+id+"?secret="+secret, "")
	r.expect("with its secret", a, err, http.StatusOK)
	other := id[:25] + "0"
	if other == id {
		other = id[:25] + "1"
	}
	for name, path := range map[string]string{
		"no secret": "/request/" + id, "an empty one": "/request/" + id + "?secret=", "a part": "/request/" + id + "?secret=" + secret[:len(secret)-1],
		"a tail": "/request/" + id + "?secret=" + secret + "A", "twice": "/request/" + id + "?secret=x&secret=" + secret,
		"in a fragment": "/request/" + id + "?x=1#secret=" + secret, "another's": "/request/" + other + "?secret=" + secret,
		"as an operation": "/operations/" + id, "as a batch": "/admin/batch/" + id,
	} {
		r.refuse(ctx, name, []int{http.StatusNotFound, http.StatusBadRequest, http.StatusUnauthorized}, http.MethodGet, path, "")
		r.refuse(ctx, name+", to withdraw it", []int{http.StatusNotFound, http.StatusBadRequest, http.StatusUnauthorized, http.StatusMethodNotAllowed}, http.MethodDelete, path, "")
	}
	r.refuse(ctx, "a reader's token", []int{http.StatusNotFound}, http.MethodGet, "/request/"+id, "", bearer(r.tokens["reader"]))
	r.refuse(ctx, "the applicant as a reviewer", []int{http.StatusUnauthorized}, http.MethodPost, "/admin/request/"+id+"/approve", "", bearer(secret))
	r.refuse(ctx, "a reader, for the documents", []int{http.StatusForbidden}, http.MethodGet, "/admin/request/"+id, "", bearer(r.tokens["reader"]))
	atOnce(16, r.many(1000), func(i int) {
		path := "/request/" + id + "?secret=" + guess("")[21:64]
		if i%2 == 1 {
			path = "/operations/" + id[:15] + fmt.Sprintf("%011d", i)
		}
		a, err := r.send(ctx, http.MethodGet, path, "")
		r.expect("guessed", a, err, http.StatusNotFound)
	})
	a, err = r.send(ctx, http.MethodGet, "/request/"+id+"?secret="+secret, "")
	r.expect("nobody has withdrawn it", a, err, http.StatusOK)
	if err == nil && !bytes.Contains(a.body, []byte(`"state":"waiting"`)) {
		r.fault("a stranger has moved the request on: %.200s", a.body)
	}
	return nil
}

// closedRate is how many review requests of a subject may end without a credential in a day, as it is set where nothing is.
const closedRate = 10

// churn asks for what a person decides on and withdraws it, again and again: after some times the service takes no more.
func churn(ctx context.Context, r *round) error {
	who, other, err := r.w.take()
	if err != nil {
		return err
	}
	r.w.subjects <- other
	for n := range 2 * closedRate {
		id, secret, err := r.ask(ctx, who, text(map[string]any{"name": r.w.mark}))
		if n >= closedRate {
			if err == nil || !strings.Contains(err.Error(), "429") || !strings.Contains(err.Error(), "review requests of this subject") {
				r.fault("request %d after %d that were withdrawn: %v", n+1, closedRate, err)
			}
			continue
		}
		if err != nil {
			return err
		}
		a, err := r.send(ctx, http.MethodDelete, "/request/"+id, "", bearer(secret))
		r.expect("to withdraw it", a, err, http.StatusOK)
	}
	return nil
}
