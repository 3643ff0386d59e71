package httpapi_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

// Seeds of the other accounts of these tests, as ripple-keypairs wrote them.
const (
	edSeed    = "sEdSKf8B5b4HUw4eJRuZ3rG9T64xZie"
	secpSeed  = "shndgGSAz2DYTVS3g2DGnNXX26t3W"
	otherSeed = "sEdTM1uX8pu2do5XvTnutH6HsouMaM2"
)

func parseSeed(t *testing.T, text string) ledger.Seed {
	t.Helper()
	seed, err := ledger.ParseSeed(text)
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

// funded puts the account of a seed on the ledger.
func (w *world) funded(t *testing.T, text string) ledger.Seed {
	t.Helper()
	seed := parseSeed(t, text)
	if _, err := w.sandbox.Fund(t.Context(), string(seed.Address()), 1000*xrp); err != nil {
		t.Fatal(err)
	}
	return seed
}

// sendSigned has the node sign and submit a transaction, and waits for the ledger that has it.
func (w *world) sendSigned(t *testing.T, secret string, tx map[string]any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"method": "submit", "params": []any{map[string]any{"secret": secret, "tx_json": tx}}})
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(w.sandbox.URL(), "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	defer http.DefaultClient.CloseIdleConnections()
	var answer struct {
		Result struct {
			EngineResult string `json:"engine_result"`
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Result.EngineResult != "tesSUCCESS" {
		t.Fatalf("%v: %+v, %v", tx, answer, err)
	}
	before, err := w.client.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	watcher := w.client.Watch()
	defer watcher.Stop()
	for {
		if l, err := w.client.Ledger(t.Context()); err != nil || l.Index > before.Index+1 {
			return
		}
		select {
		case <-watcher.Ready():
			watcher.Take()
		case <-t.Context().Done():
			return
		}
	}
}

type challenge struct{ Subject, Issuer, Nonce, Message, Expires string }

// challengeBody asks for the challenge of a request; its parts are as in [world.ask].
func challengeBody(t *testing.T, subject model.Address, credential, documents, more string) string {
	t.Helper()
	digest, err := model.RequestDigest(fmt.Appendf(nil, `{"subject":"%s","credential":"%s","documents":%s%s}`, subject, credential, documents, more))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"subject":"%s","credential":"%s","renew":%t,"request_hash":"%s"}`, subject, credential, strings.Contains(more, `"renew":true`), digest)
}

// challenge asks for the challenge of a request.
func (w *world) challenge(t *testing.T, subject model.Address, credential, documents, more string) challenge {
	t.Helper()
	a := w.send(t, post, "/challenge", jsonType, challengeBody(t, subject, credential, documents, more))
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return read[challenge](t, a)
}

// proof answers a challenge with a key, as a field of a request.
func proof(t *testing.T, c challenge, seed ledger.Seed) string {
	t.Helper()
	signature, err := seed.SignMessage([]byte(c.Message))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`,"proof":{"nonce":"%s","public_key":"%s","signature":"%s"}`, c.Nonce, seed.PublicKey(), signature)
}

func provenPolicies(n int) []string {
	var all []string
	for i := range n {
		all = append(all, strings.Replace(provenPolicy, "Proven", fmt.Sprintf("P%d", i), 1))
	}
	return all
}

// refusedProof checks that a proof was refused, for a reason that has these words.
func refusedProof(t *testing.T, what string, a answer, part string) {
	t.Helper()
	a.holdsItsForm(t)
	if a.status != http.StatusForbidden || a.str("error") != "proofRefused" || !strings.Contains(a.str("error_message"), part) {
		t.Errorf("%s: %d %s", what, a.status, a.body)
	}
}

// TestProof: who may speak for a subject gets what is asked for, once; who may not, nothing.
func TestProof(t *testing.T) {
	d := &door{}
	var ahead atomic.Int64
	w := newWorld(t, guarded(d), under(append(provenPolicies(8), memberPolicy, strings.Replace(reviewedPolicy, "keep", "proof: required\nkeep", 1))...), func(c *worldConfig) {
		c.issuer = func(i *issuer.Config) {
			i.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		}
	})
	var ed, secp, regular ledger.Seed
	var wg sync.WaitGroup
	for to, text := range map[*ledger.Seed]string{&ed: edSeed, &secp: secpSeed, &regular: otherSeed} {
		wg.Go(func() { *to = w.funded(t, text) })
	}
	wg.Wait()
	granted := func(what string, a answer) {
		t.Helper()
		if a.status != http.StatusCreated {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	ask := func(subject model.Address, credential, more string) answer {
		t.Helper()
		return w.ask(t, "", subject, credential, `{"x":1}`, more)
	}

	consent := func(subject model.Address, credential string) challenge {
		t.Helper()
		return w.challenge(t, subject, credential, `{"x":1}`, "")
	}

	// The challenge.
	c := consent(ed.Address(), "P0")
	again := consent(ed.Address(), "P0")
	expires, err := time.Parse(time.RFC3339, c.Expires)
	if err != nil || c.Subject != string(ed.Address()) || c.Issuer != string(w.issuer) || c.Nonce == again.Nonce || len(c.Nonce) > model.MaxNonceLen ||
		time.Until(expires) > issuer.ChallengeTime || time.Until(expires) < issuer.ChallengeTime-time.Minute {
		t.Errorf("%+v, %+v, %v", c, again, err)
	}
	for _, part := range []string{"Credential request\n", c.Subject, c.Issuer, c.Nonce, c.Expires, "\nCredential: P0\n", "\nRenewal: no\n"} {
		if !strings.Contains(c.Message, part) {
			t.Errorf("the message does not hold %q: %q", part, c.Message)
		}
	}
	hash := `,"request_hash":"` + strings.Repeat("aB", 32) + `"`
	for body, status := range map[string]int{"": 400, "{}": 400, `{"subject":"x"}`: 400, `{"subject":"` + absent + `"}`: 400, `{"subject":"` + absent + `"` + hash + `}`: 400,
		`{"subject":"` + absent + `","credential":"A","request_hash":"x"}`: 400, `{"subject":"` + absent + `","credential":"A b"` + hash + `}`: 400,
		`{"subject":"` + absent + `","credential":"A","nonce":"mine"` + hash + `}`: 400, `{"subject":"` + absent + `","credential":"A"` + hash + `}`: 200} {
		if a := w.send(t, post, "/challenge", jsonType, body); a.status != status {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}

	granted("master key, Ed25519", ask(ed.Address(), "P0", proof(t, c, ed)))
	granted("master key, secp256k1", ask(secp.Address(), "P0", proof(t, consent(secp.Address(), "P0"), secp)))
	c = consent(ed.Address(), "P1")
	granted("the other one", ask(ed.Address(), "P1", proof(t, c, ed)))
	if a := w.revoke(t, ed.Address(), "P1"); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	refusedProof(t, "used before", ask(ed.Address(), "P1", proof(t, c, ed)), "used before")
	refusedProof(t, "used before, by another key of the same request", w.ask(t, "Idempotency-Key: new", ed.Address(), "P1", `{"x":1}`, proof(t, c, ed)), "used before")
	c = w.challenge(t, ed.Address(), "Member", memberDocuments, "")
	granted("where none is needed", w.ask(t, "", ed.Address(), "Member", memberDocuments, proof(t, c, ed)))
	refusedProof(t, "a wrong one where none is needed", w.ask(t, "", w.subject, "Member", memberDocuments, proof(t, c, ed)), "challenge for this subject")

	// A proof is good for the request that it was made for, and for no other.
	c = consent(ed.Address(), "P2")
	for what, a := range map[string]answer{
		"another credential":       ask(ed.Address(), "P3", proof(t, c, ed)),
		"other documents":          w.ask(t, "", ed.Address(), "P2", `{"x":2}`, proof(t, c, ed)),
		"more documents":           w.ask(t, "", ed.Address(), "P2", `{"x":1,"y":1}`, proof(t, c, ed)),
		"a renewal":                ask(ed.Address(), "P2", `,"renew":true`+proof(t, c, ed)),
		"no renewal, said":         ask(ed.Address(), "P2", `,"renew":false`+proof(t, c, ed)),
		"another expiration":       ask(ed.Address(), "P2", `,"expiration":"2099-01-01T00:00:00Z"`+proof(t, c, ed)),
		"an expiration behind it":  ask(ed.Address(), "P2", proof(t, c, ed)+`,"expiration":"2099-01-01T00:00:00Z"`),
		"a URI":                    ask(ed.Address(), "P2", `,"uri":"https://evil.example"`+proof(t, c, ed)),
		"the type alone is proven": ask(ed.Address(), "P3", proof(t, challenge{Nonce: consent(ed.Address(), "P3").Nonce, Message: c.Message}, ed)),
	} {
		if a.status != http.StatusForbidden && (a.status != http.StatusBadRequest || what != "a URI") {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}

	// Forged in every way. None of it uses the challenge up.
	refusedProof(t, "another's key", ask(ed.Address(), "P2", proof(t, c, secp)), "may not sign for")
	refusedProof(t, "another's challenge", ask(ed.Address(), "P2", proof(t, consent(secp.Address(), "P2"), ed)), "challenge for this subject")
	refusedProof(t, "another's challenge, with their key", ask(ed.Address(), "P2", proof(t, consent(secp.Address(), "P2"), secp)), "challenge for this subject")
	for what, changed := range map[string]challenge{
		"another message":   {Nonce: c.Nonce, Message: strings.Replace(c.Message, "and ask", "and  ask", 1)},
		"the nonce alone":   {Nonce: c.Nonce, Message: c.Nonce},
		"a later end":       {Nonce: c.Nonce, Message: strings.Replace(c.Message, c.Expires, "2099-01-01T00:00:00Z", 1)},
		"windows line ends": {Nonce: c.Nonce, Message: strings.ReplaceAll(c.Message, "\n", "\r\n")},
	} {
		refusedProof(t, what, ask(ed.Address(), "P2", proof(t, changed, ed)), "not one of this key over the challenge's message")
	}
	raw, err := base64.RawURLEncoding.DecodeString(c.Nonce)
	if err != nil {
		t.Fatal(err)
	}
	for at := range raw {
		changed := bytes.Clone(raw)
		changed[at] ^= 1
		forged := c
		forged.Nonce = base64.RawURLEncoding.EncodeToString(changed)
		forged.Message = strings.ReplaceAll(c.Message, c.Nonce, forged.Nonce)
		refusedProof(t, fmt.Sprintf("byte %d of the nonce", at), ask(ed.Address(), "P2", proof(t, forged, ed)), "challenge for this subject")
	}
	for what, nonce := range map[string]string{"cut": c.Nonce[:len(c.Nonce)-1], "longer": c.Nonce + "AAAA", "other": "nonce", "padded": strings.Repeat("A", 200)} {
		forged := c
		forged.Nonce = nonce
		refusedProof(t, "nonce "+what, ask(ed.Address(), "P2", proof(t, forged, ed)), "challenge for this subject")
	}
	elsewhere := serve(t, httpapi.Config{Issuer: issuer.New(issuer.Config{Account: secp.Address(), Ledger: w.client, Journal: w.store})})
	theirs := read[challenge](t, exchange(t, elsewhere.address, post, "/challenge", jsonType, challengeBody(t, ed.Address(), "P2", `{"x":1}`, "")))
	refusedProof(t, "the challenge of another issuer with the same store", ask(ed.Address(), "P2", proof(t, theirs, ed)), "challenge for this subject")
	ahead.Store(int64(issuer.ChallengeTime))
	refusedProof(t, "too late", ask(ed.Address(), "P2", proof(t, c, ed)), "expired at "+c.Expires)
	ahead.Store(0)

	// What is refused for another reason leaves it as it was.
	const past = `,"expiration":"2001-01-01T00:00:00Z"`
	for what, a := range map[string]answer{
		"documents": w.ask(t, "", ed.Address(), "Member", `{"name":""}`, proof(t, c, ed)),
		"no policy": ask(ed.Address(), "Nothing", proof(t, c, ed)),
		"past":      ask(ed.Address(), "P2", past+proof(t, w.challenge(t, ed.Address(), "P2", `{"x":1}`, past), ed)),
		"stands":    ask(ed.Address(), "P0", proof(t, consent(ed.Address(), "P0"), ed)),
	} {
		if a.status != http.StatusBadRequest && a.status != http.StatusConflict {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	granted("and now", ask(ed.Address(), "P2", proof(t, c, ed)))
	for _, e := range w.audited(t, model.ActionIssue) {
		if !strings.Contains(string(e.Detail), `"proven":true`) {
			t.Errorf("%+v %s", e, e.Detail)
		}
	}

	// Other keys of the account.
	w.sendSigned(t, edSeed, map[string]any{"TransactionType": "SetRegularKey", "Account": ed.Address(), "RegularKey": regular.Address()})
	granted("regular key", ask(ed.Address(), "P3", proof(t, consent(ed.Address(), "P3"), regular)))
	granted("master key beside it", ask(ed.Address(), "P4", proof(t, consent(ed.Address(), "P4"), ed)))
	w.sendSigned(t, edSeed, map[string]any{"TransactionType": "AccountSet", "Account": ed.Address(), "SetFlag": 4})
	refusedProof(t, "master key, disabled", ask(ed.Address(), "P5", proof(t, consent(ed.Address(), "P5"), ed)), "may not sign for")
	granted("regular key, master disabled", ask(ed.Address(), "P5", proof(t, consent(ed.Address(), "P5"), regular)))

	// An account that is not there yet.
	nobody := parseSeed(t, "sEdSJHS4oiAdz7w2X2ni1gFiqtbJHqE")
	if a := ask(nobody.Address(), "P0", proof(t, consent(nobody.Address(), "P0"), nobody)); a.status != http.StatusUnprocessableEntity || a.str("error") != "tecNO_TARGET" {
		t.Errorf("no account: %d %s", a.status, a.body)
	}

	// Before a person decides, too; and the person sees it.
	c = consent(ed.Address(), "Reviewed")
	a := ask(ed.Address(), "Reviewed", proof(t, c, regular))
	if a.status != http.StatusAccepted || string(a.fields["proven"]) != "true" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if r := w.reviewed(t, d, a.str("id")); !r.Proven {
		t.Errorf("%+v", r)
	}
	refusedProof(t, "another one than what waits", ask(ed.Address(), "P6", proof(t, c, regular)), "challenge for this subject")
	if a := ask(secp.Address(), "Reviewed", ""); a.status != http.StatusBadRequest {
		t.Errorf("%d %s", a.status, a.body)
	}
	// The same request with its key is the same proof.
	c = consent(ed.Address(), "P7")
	for range 2 {
		granted("with a key", w.ask(t, "Idempotency-Key: proof", ed.Address(), "P7", `{"x":1}`, proof(t, c, regular)))
	}
	if strings.Contains(w.log.String(), c.Nonce) {
		t.Error("the log holds a nonce")
	}
}

// TestProofWorksOnce: of many requests at the same moment with one proof, in two processes, one is granted.
func TestProofWorksOnce(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		const count = 20
		w := newWorld(t, under(provenPolicies(1)...), on(database))
		second := serve(t, httpapi.Config{Issuer: issuer.New(issuer.Config{Account: w.issuer, Ledger: w.client, Journal: openStore(t, w.storeConfig),
			Policies: newPolicies(t, provenPolicies(1)...)})})
		addresses := []string{strings.TrimPrefix(w.url, "http://"), second.address}
		field := proof(t, w.challenge(t, w.subject, "P0", `{"x":1}`, ""), w.subjectSeed)
		before := w.account()
		statuses := make([]int, count)
		var wg sync.WaitGroup
		for n := range statuses {
			wg.Go(func() {
				a := exchange(t, addresses[n%2], post, "/credential", jsonType, fmt.Sprintf(`{"subject":"%s","credential":"P0","documents":{"x":1}%s}`, w.subject, field))
				statuses[n] = a.status
				if a.status != http.StatusCreated && a.str("error") != "proofRefused" && a.str("error") != "tecDUPLICATE" {
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
		wg.Wait()
		won := 0
		for _, status := range statuses {
			if status == http.StatusCreated {
				won++
			}
		}
		if after := w.account(); won != 1 || after.OwnerCount != before.OwnerCount+1 {
			t.Errorf("%d got what they asked for, and %d entries were made", won, after.OwnerCount-before.OwnerCount)
		}
	})
}
