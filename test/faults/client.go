package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// ending is what a client was finally told.
type ending string

const (
	undecided ending = ""
	done      ending = "done"      // 201, 200: in a validated ledger
	absent    ending = "absent"    // 504: on no ledger, and never on one
	refused   ending = "refused"   // final, with nothing ever signed that can apply
	standing  ending = "standing"  // 409: another one has issued it
	missing   ending = "missing"   // 404: there is nothing to revoke
	senseless ending = "senseless" // what no client should ever be told here
)

// request is what a client wants, under one key, until it is told what came of it.
type request struct {
	method, subject, credential, key string
	// rivals says that others want the same at the same time.
	rivals bool

	ending ending
	hash   string
	said   string // the answer that decided it, for whoever looks for a fault
	ops    map[string]bool
}

func (r *request) entry() programs.Entry {
	return programs.Entry{Subject: r.subject, Type: strings.ToUpper(hex.EncodeToString([]byte(r.credential)))}
}

func (r *request) body() string {
	documents := ""
	if r.method == http.MethodPost {
		documents = `,"documents":{"reason":"please"}`
	}
	return fmt.Sprintf(`{"subject":%q,"credential":%q%s}`, r.subject, r.credential, documents)
}

func (r *request) path() string {
	if r.method == http.MethodPost {
		return "/credential"
	}
	return "/admin/credential"
}

// answer is what of the service's answers is looked at: a transaction, an operation or an error.
type answer struct {
	status   int
	location string

	Hash      string `json:"hash"`
	Validated bool   `json:"validated"`
	Result    json.RawMessage
	Engine    string `json:"engine_result"`

	ID        string          `json:"id"`
	State     string          `json:"state"`
	Final     bool            `json:"final"`
	Error     json.RawMessage `json:"error"` // a code, or the body of an error
	Message   string          `json:"error_message"`
	RequestID string          `json:"request_id"`
}

// code is an error's code, of an error or of an operation that failed.
func (a answer) code() string {
	var text string
	if json.Unmarshal(a.Error, &text) == nil {
		return text
	}
	var inner answer
	if json.Unmarshal(a.Error, &inner) == nil {
		return inner.code()
	}
	return ""
}

// caller is one client of the service.
type caller struct {
	w   *world
	rng *rand.Rand
}

// do sends one request to any of the replicas.
func (c *caller) do(ctx context.Context, method, path, body string, header map[string]string) (answer, error) {
	r := c.w.replicas[c.rng.IntN(len(c.w.replicas))]
	req, err := http.NewRequestWithContext(ctx, method, "http://"+r.address+path, bytes.NewBufferString(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+c.w.token)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := c.w.client.Do(req)
	if err != nil {
		c.w.heard("no answer")
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.w.heard("half an answer")
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, location: resp.Header.Get("Location")}
	if err := json.Unmarshal(text, &a); err != nil {
		c.w.fault("%s %s is answered %d with what is no JSON: %.200q", method, path, resp.StatusCode, text)
		return answer{}, err
	}
	c.w.heard(strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", a.code())))
	return a, nil
}

// ask asks until it is told what came of it, or ctx ends.
func (c *caller) ask(ctx context.Context, r *request) {
	if r.ops == nil {
		r.ops = map[string]bool{}
	}
	for ctx.Err() == nil && !c.once(ctx, r) {
		programs.Sleep(ctx, time.Duration(20+c.rng.IntN(250))*time.Millisecond)
	}
	if r.ending == done && c.rng.IntN(6) == 0 {
		c.again(ctx, r)
	}
}

// once sends the request and looks at the answer; true when that decided it.
func (c *caller) once(ctx context.Context, r *request) bool {
	patience := 15 * time.Second
	if c.rng.IntN(10) == 0 { // the client goes away, and comes back
		patience = time.Duration(10+c.rng.IntN(500)) * time.Millisecond
	}
	header := map[string]string{"Idempotency-Key": r.key}
	switch c.rng.IntN(5) {
	case 0:
		header["Prefer"] = "respond-async"
	case 1:
		header["Prefer"] = "wait=2"
	}
	trying, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a, err := c.do(trying, r.method, r.path(), r.body(), header)
	if err != nil {
		return false
	}
	id, _ := strings.CutPrefix(a.location, "/operations/")
	if id != "" {
		r.ops[id] = true
	}
	decide := func(e ending) bool {
		r.ending, r.hash = e, a.Hash
		r.said = fmt.Sprintf("%d %s %s (request %s, operation %s)", a.status, a.code(), a.Message, a.RequestID, id)
		return true
	}
	success := map[string]int{http.MethodPost: http.StatusCreated, http.MethodDelete: http.StatusOK}[r.method]
	switch {
	case a.status == success:
		if a.Hash == "" || !a.Validated || a.Engine != "tesSUCCESS" {
			return decide(senseless)
		}
		return decide(done)
	case a.status == http.StatusAccepted:
		if id == "" || id != a.ID || a.Final {
			return decide(senseless)
		}
		if c.rng.IntN(2) == 0 {
			return c.follow(ctx, r, id)
		}
		return false
	case a.status == http.StatusConflict && a.code() == "inProgress":
		return false
	case a.status == http.StatusConflict && a.code() == "tecDUPLICATE" && r.method == http.MethodPost:
		return decide(standing)
	case a.status == http.StatusNotFound && a.code() == "entryNotFound" && r.method == http.MethodDelete:
		return decide(missing)
	case a.status == http.StatusGatewayTimeout && a.code() == "notValidated":
		return decide(absent)
	case a.status == http.StatusTooManyRequests, a.status >= 500:
		// Where it names an operation that is over, asking again under this key brings the same answer.
		if id != "" {
			return c.follow(ctx, r, id)
		}
		return false
	}
	return decide(senseless)
}

// follow asks for the operation for a while; true when it is over.
func (c *caller) follow(ctx context.Context, r *request, id string) bool {
	for range 1 + c.rng.IntN(5) {
		trying, cancel := context.WithTimeout(ctx, 5*time.Second)
		a, err := c.do(trying, http.MethodGet, "/operations/"+id, "", map[string]string{"Prefer": "wait=1"})
		cancel()
		switch {
		case err != nil, a.status >= 500:
			programs.Sleep(ctx, time.Duration(50+c.rng.IntN(200))*time.Millisecond)
			continue
		case a.status != http.StatusOK || a.ID != id:
			r.ending, r.said = senseless, fmt.Sprintf("GET /operations/%s: %d %s", id, a.status, a.code())
			return true
		case !a.Final:
			continue
		}
		r.said = fmt.Sprintf("GET /operations/%s: %s %s", id, a.State, a.code())
		switch a.State {
		case "succeeded":
			var tx answer
			if json.Unmarshal(a.Result, &tx) != nil || tx.Hash == "" || !tx.Validated {
				r.ending = senseless
				return true
			}
			r.ending, r.hash = done, tx.Hash
		case "expired":
			r.ending = absent
		case "refused", "cancelled":
			r.ending = refused
		case "failed":
			r.ending = map[string]ending{"tecDUPLICATE": standing, "entryNotFound": missing, "tecNO_ENTRY": missing}[a.code()]
			if r.ending == undecided {
				r.ending = senseless
			}
		default:
			r.ending = senseless
		}
		return true
	}
	return false
}

// again repeats a request that is over: its answer must be the first one's.
func (c *caller) again(ctx context.Context, r *request) {
	second := &request{method: r.method, subject: r.subject, credential: r.credential, key: r.key, ops: r.ops}
	for range 3 {
		if c.once(ctx, second) {
			if second.ending != r.ending || second.hash != r.hash {
				c.w.count(&c.w.untrue, "key %s was answered %s %s first, and then %s %s: %s", r.key, r.ending, r.hash, second.ending, second.hash, second.said)
			}
			return
		}
	}
}

// twice sends the same request, under the same key, over two connections at once.
func (c *caller) twice(ctx context.Context, r *request) {
	other := *r
	other.ops = nil
	second := &caller{c.w, rand.New(rand.NewPCG(c.rng.Uint64(), 2))}
	var both sync.WaitGroup
	both.Go(func() { second.ask(ctx, &other) })
	c.ask(ctx, r)
	both.Wait()
	c.w.keep(&other)
	if r.ending != undecided && other.ending != undecided && (r.ending != other.ending || r.hash != other.hash) {
		c.w.count(&c.w.untrue, "key %s was answered %s %s to one, and %s %s to another: %s; %s", r.key, r.ending, r.hash, other.ending, other.hash, r.said, other.said)
	}
}
