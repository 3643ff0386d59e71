package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Nodes and the gateways in front of them refuse requests past a limit in many forms: rippled's slowDown and Clio's tooBusy,
// HTTP 429 and 503, JSON-RPC 2.0 error objects with codes of their own, and plain texts. All of them mean the same here.

// limitNumbers are the codes of JSON-RPC error objects that mean a limit: HTTP's statuses, EIP-1474's -32005 and what
// gateways use besides it.
var limitNumbers = []int{429, 503, 1015, -32005, -32007, -32016, -32029, -32090, -32097}

// limitPhrases are what texts of refusals hold, in lower case and without spaces, hyphens and underscores.
var limitPhrases = []string{"ratelimit", "toomanyrequest", "requestlimit", "requestslimit", "limitreached", "limitexceeded", "rateexceeded",
	"quota", "throttl", "slowdown", "toobusy", "overcapacity", "persecond", "computeunits"}

var squeeze = strings.NewReplacer(" ", "", "-", "", "_", "", "\t", "", "\n", "")

func limitText(text string) bool {
	text = squeeze.Replace(strings.ToLower(text))
	return slices.ContainsFunc(limitPhrases, func(phrase string) bool { return strings.Contains(text, phrase) })
}

// maxLimitText bounds how much of a text that is no answer is looked through, in bytes.
const maxLimitText = 2048

// limitIn makes an error of a text that is no answer, where it tells of a limit; else it returns nil.
func limitIn(method string, text []byte) *NodeError {
	text = text[:min(len(text), maxLimitText)]
	if !limitText(string(text)) {
		return nil
	}
	return &NodeError{Method: method, Code: codeSlowDown, Message: excerpt(bytes.TrimSpace(text))}
}

const (
	codeSlowDown    = "slowDown"
	codeTooBusy     = "tooBusy"
	methodNotFound  = -32601 // JSON-RPC 2.0, section 5.1
	codeUnknownCmd  = "unknownCmd"
	unnamedRequest  = "a request"
	loadWarning     = `"load"`         // rippled: a client that is about to be refused
	limitEpisode    = time.Minute      // refusals that are closer than this are one episode, and one line in the log
	pollsLimitedFor = 30 * time.Second // how long a limit may keep an HTTP node from telling its ledger before it counts as down
)

// nodeError makes an error of an error member: rippled's token, or a JSON-RPC 2.0 error object. nil where there is none.
func (r *refusal) nodeError(method string) *NodeError {
	if isNull(r.Error) || string(r.Error) == `""` {
		return nil
	}
	e := &NodeError{Method: method, SearchedAll: r.SearchedAll}
	text := r.ErrorMessage
	if text == "" {
		text = r.ErrorException
	}
	if n, err := strconv.Atoi(string(r.ErrorCode)); err == nil {
		e.Number = n
	}
	limited := false
	switch r.Error[0] {
	case '"':
		code := unquote(r.Error)
		limited = code != codeTooBusy && limitText(code)
		e.Code = excerpt([]byte(code))
	case '{':
		var object struct {
			Code    json.RawMessage `json:"code"`
			Message string          `json:"message"`
		}
		_ = json.Unmarshal(r.Error, &object) // it is JSON; what does not fit is left out
		if object.Message != "" {
			text = object.Message
		}
		if n, err := strconv.Atoi(strings.Trim(string(object.Code), `"`)); err == nil {
			e.Number = n
		}
		e.Code = excerpt(bytes.Trim(object.Code, `"`))
		limited = slices.Contains(limitNumbers, e.Number) || limitText(e.Code) || limitText(text)
	default:
		e.Code = excerpt(r.Error)
		e.Number, _ = strconv.Atoi(e.Code)
		limited = slices.Contains(limitNumbers, e.Number) || limitText(text)
	}
	e.Message = excerpt([]byte(text))
	switch {
	case limited:
		if e.Message == "" {
			e.Message = e.Code
		}
		e.Code = codeSlowDown
	case e.Number == methodNotFound:
		e.Code = codeUnknownCmd
	}
	return e
}

// pacer keeps all callers of a node quiet for a moment once it refuses a request past its limit.
type pacer struct {
	clock Clock
	least time.Duration
	log   *slog.Logger

	mu    sync.Mutex
	until time.Time // nothing is asked before
	last  time.Time // when a request was last refused
	why   *NodeError
	count uint64
}

func newPacer(cfg Config) *pacer {
	return &pacer{clock: cfg.Clock, least: cfg.MinBackoff, log: cfg.Logger}
}

// heard looks at how a request ended. The first refusal of an episode is logged.
func (p *pacer) heard(err error) {
	if err == nil {
		return
	}
	var e *NodeError
	if !errors.As(err, &e) || !e.Busy() {
		return
	}
	p.mu.Lock()
	now := p.clock.Now()
	first := p.count == 0 || now.Sub(p.last) > limitEpisode
	p.last, p.why = now, e
	p.count++
	if until := now.Add(max(e.RetryAfter, p.least/2)); until.After(p.until) {
		p.until = until
	}
	p.mu.Unlock()
	if first {
		p.log.Warn("the node limits requests; backing off", "error", e)
	}
}

// left returns how long nothing is to be asked, and why.
func (p *pacer) left() (time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == 0 {
		return 0, nil
	}
	return max(0, p.until.Sub(p.clock.Now())), p.why
}

// refused returns how many requests the node has refused past its limit.
func (p *pacer) refused() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}
