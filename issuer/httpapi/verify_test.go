package httpapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
)

// verdict is an answer of GET /credential/{issuer}/{subject}/{type}.
type verdict struct {
	Valid                       bool
	Reasons                     []string
	Issuer, Subject, Credential string
	Accepted                    *bool
	URI, Expiration             string
	OtherIssuers                []string `json:"other_issuers"`
	Entry                       json.RawMessage
	LedgerIndex                 uint32 `json:"ledger_index"`
	LedgerHash                  string `json:"ledger_hash"`
	CloseTime                   string `json:"close_time_iso"`
	LedgerAge                   *int64 `json:"ledger_age"`
}

// verify asks whether a credential can be relied on; the type stands in the path as it is given.
func (w *world) verify(t *testing.T, issuer, subject any, typ string) verdict {
	t.Helper()
	a := w.send(t, get, fmt.Sprintf("/credential/%s/%s/%s", issuer, subject, typ), "", "")
	if a.status != http.StatusOK {
		t.Fatalf("%s: %d %s", typ, a.status, a.body)
	}
	return read[verdict](t, a)
}

// TestVerify: an answer for everybody, from one validated ledger: valid or not, why, and by which ledger.
func TestVerify(t *testing.T) {
	var ahead atomic.Int64
	w := newWorld(t, func(c *worldConfig) {
		c.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	otherSeed := w.newAccount(1000 * xrp)
	other := otherSeed.Address()
	otherLane := w.run(w.client, otherSeed, 60)
	expiration := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	if a := w.request(t, w.subject, "Mine", `,"uri":"https://example.org/<x>","expiration":"`+expiration.Format(time.RFC3339)+`"`); a.status == http.StatusCreated {
		t.Fatal("the issuer takes markup in a URI")
	}
	if a := w.request(t, w.subject, "Mine", `,"uri":"https://example.org/x","expiration":"`+expiration.Format(time.RFC3339)+`"`); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	check := func(what string, v verdict, valid bool, reasons ...string) {
		t.Helper()
		if v.Valid != valid || !slices.Equal(v.Reasons, reasons) || v.LedgerAge == nil || *v.LedgerAge < 0 {
			t.Errorf("%s: %+v", what, v)
		}
		// It is that ledger's word.
		at := model.Ledger{Index: v.LedgerIndex, Hash: v.LedgerHash}
		typ, err := model.ParseShownType(v.Credential)
		if err != nil {
			t.Fatal(err)
		}
		c, entry, err := w.client.CredentialAt(t.Context(), at, model.Address(v.Subject), model.Address(v.Issuer), typ)
		switch {
		case model.CodeOf(err) == model.CodeEntryNotFound:
			if v.Entry != nil || v.Accepted != nil || v.Valid {
				t.Errorf("%s: it is not in ledger %d: %+v", what, v.LedgerIndex, v)
			}
		case err != nil:
			t.Errorf("%s: %v", what, err)
		case string(v.Entry) != string(entry) || v.Accepted == nil || *v.Accepted != c.Accepted:
			t.Errorf("%s: ledger %d has %s, and it says %+v", what, v.LedgerIndex, entry, v)
		}
	}

	v := w.verify(t, "self", w.subject, "Mine")
	check("not accepted", v, false, "notAccepted")
	if v.Issuer != string(w.issuer) || v.Subject != string(w.subject) || v.Credential != "Mine" || v.URI != "https://example.org/x" || v.Expiration != expiration.Format(time.RFC3339) {
		t.Errorf("%+v", v)
	}
	w.accept("Mine")
	for what, issuer := range map[string]string{"by name": string(w.issuer), "self": "self", "X-address": xAddress(w.issuer)} {
		v := w.verify(t, issuer, w.subject, "Mine")
		check("valid, "+what, v, true)
		if v.Issuer != string(w.issuer) || v.OtherIssuers != nil {
			t.Errorf("%s: %+v", what, v)
		}
	}
	check("valid, subject's X-address", w.verify(t, "self", xAddress(w.subject), "Mine"), true)
	check("another case", w.verify(t, "self", w.subject, "mine"), false, "absent")
	check("absent", w.verify(t, "self", w.subject, "Nothing"), false, "absent")
	check("no account", w.verify(t, "self", absent, "Mine"), false, "absent")
	check("no accounts at all", w.verify(t, "rrrrrrrrrrrrrrrrrrrrBZbvji", absent, "Mine"), false, "absent")
	check("another issuer", w.verify(t, other, w.subject, "Mine"), false, "absent", "otherIssuer")
	w.submitAs(otherLane, model.CredentialCreate{Subject: w.subject, Type: "Theirs"})
	v = w.verify(t, "self", w.subject, "Theirs")
	check("of another issuer", v, false, "absent", "otherIssuer")
	if !slices.Equal(v.OtherIssuers, []string{string(other)}) {
		t.Errorf("%+v", v)
	}
	check("asked of that one", w.verify(t, other, w.subject, "Theirs"), false, "notAccepted")

	// The ledger's clock decides.
	w.issue(w.subject, "Lasting")
	ahead.Store(int64(2 * time.Hour))
	w.closeAfter(expiration.Add(time.Second))
	v = w.verify(t, "self", w.subject, "Mine")
	check("expired", v, false, "expired")
	if closed, err := time.Parse(time.RFC3339, v.CloseTime); err != nil || !closed.After(expiration) || *v.LedgerAge != 0 { // it closed in what is this machine's future
		t.Errorf("%+v", v)
	}
	check("no expiration", w.verify(t, "self", w.subject, "Lasting"), false, "notAccepted")
	w.submit(model.CredentialCreate{Subject: w.subject, Type: "Both"})
	if a := w.revoke(t, w.subject, "Mine"); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	check("revoked", w.verify(t, "self", w.subject, "Mine"), false, "absent")
}

// TestVerifyAnyType: whatever bytes a type has, there is a path for it, in any encoding that says the same.
func TestVerifyAnyType(t *testing.T) {
	w := newWorld(t)
	types := map[model.CredentialType][]string{
		"\x00\xff":         {"%28BIN%29%2000FF", "(BIN)%2000FF", "(BIN)%2000ff", "%28%42IN)%2000FF"},
		"A/B":              {"A%2FB", "A%2fB", "%41%2FB"},
		"100%":             {"100%25", "%3100%25"},
		"50%25":            {"50%2525"},
		"a b+c":            {"a%20b+c", "a%20b%2Bc"},
		"?#;&=":            {"%3F%23;&=", "%3F%23%3B%26%3D"},
		"..":               {"..", "%2e%2e", "%2E."},
		"<b>":              {"%3Cb%3E"},
		"\u00fcber\x1b[2J": {"(BIN)%20" + model.CredentialType("\u00fcber\x1b[2J").Hex()},
	}
	types[model.CredentialType(strings.Repeat("\xfe", 64))] = []string{"(BIN)%20" + strings.Repeat("FE", 64)}
	var wg sync.WaitGroup
	for typ := range types {
		wg.Go(func() { w.submit(model.CredentialCreate{Subject: w.subject, Type: typ}) })
	}
	wg.Wait()
	for typ, paths := range types {
		for _, path := range paths {
			v := w.verify(t, "self", w.subject, path)
			if v.Accepted == nil || v.Credential != typ.Text() {
				t.Errorf("%s is taken for %+v", path, v)
			}
			if v := w.verify(t, "se%6Cf", "%"+fmt.Sprintf("%02X", string(w.subject)[0])+string(w.subject)[1:], path); v.Accepted == nil {
				t.Errorf("%s, with all parts encoded: %+v", path, v)
			}
		}
	}
	for target, part := range map[string]string{
		"x/" + string(w.subject) + "/Mine":    "issuer must be",
		"SELF/" + string(w.subject) + "/Mine": "self, for this service's own",
		"self/x/Mine":                         "subject must be",
		"self/self/Mine":                      "subject must be",
		"self/" + string(w.subject) + "/" + strings.Repeat("a", 65):           "it has 65 bytes",
		"self/" + string(w.subject) + "/(BIN)%200":                            "credential must be a credential type",
		"self/" + string(w.subject) + "/(BIN)%20":                             "1 to 64 bytes",
		"self/" + string(w.subject) + "/%C3%BC":                               "printable ASCII",
		"self/" + string(w.subject) + "/%00":                                  "printable ASCII",
		"self/" + string(w.subject) + "/Mine?ledger_index=1":                  "the query must be empty",
		"self/sEdTM1uX8pu2do5XvTnutH6HsouMaM2/Mine":                           "this is a secret",
		"XVLhHMPHU98es4dbozjVtdWzVrDjtV8xvjGQTYPiAx6gwDC/" + absent + "/Mine": "tag",
	} {
		a := w.send(t, get, "/credential/"+target, "", "")
		a.holdsItsForm(t)
		if a.status != http.StatusBadRequest || !strings.Contains(a.str("error_message"), part) {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	a := w.send(t, get, "/credential/self/"+string(w.subject)+"/%3Cb%3E", "", "")
	if strings.ContainsAny(string(a.body), "<>") || a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v %s", a.header, a.body)
	}
	head := w.send(t, http.MethodHead, "/credential/self/"+string(w.subject)+"/%3Cb%3E", "", "")
	if head.status != http.StatusOK || len(head.body) != 0 || head.header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %d %v %s", head.status, head.header, head.body)
	}
}

// entries counts what a node is asked about credentials, and may stand in for it.
type entries struct {
	asked  atomic.Int64
	answer atomic.Pointer[func(n int64, w http.ResponseWriter) bool]
}

func (e *entries) through(t *testing.T) func(*worldConfig) {
	return func(c *worldConfig) {
		c.directLane = true
		c.client = func(l *ledger.Config) { l.RetryFor = 50 * time.Millisecond }
		c.node = func(ledgerURL string) string {
			return proxy(t, ledgerURL, func(method string, _ int, w http.ResponseWriter) bool {
				if method != "ledger_entry" {
					return false
				}
				n := e.asked.Add(1)
				answer := e.answer.Load()
				return answer != nil && (*answer)(n, w)
			})
		}
	}
}

// TestVerifyAsksOnce: the node is asked about a credential once a ledger, however many want to know, and again with the next.
func TestVerifyAsksOnce(t *testing.T) {
	var node entries
	w := newWorld(t, node.through(t), onTick)
	end := w.keepTicking()
	w.submit(model.CredentialCreate{Subject: w.subject, Type: "Mine"})
	end()
	before := node.asked.Load()
	answers := make([]verdict, 30)
	var wg sync.WaitGroup
	for n := range answers {
		wg.Go(func() { answers[n] = w.verify(t, "self", w.subject, "Mine") })
	}
	wg.Wait()
	for range 5 {
		answers = append(answers, w.verify(t, string(w.issuer), w.subject, "Mine"))
	}
	for _, v := range answers {
		if v.LedgerHash != answers[0].LedgerHash || v.Valid || !slices.Equal(v.Reasons, []string{"notAccepted"}) {
			t.Errorf("%+v", v)
		}
	}
	if n := node.asked.Load() - before; n != 1 {
		t.Errorf("the node was asked %d times by %d requests", n, len(answers))
	}
	w.verify(t, "self", w.subject, "Other") // is another question
	if n := node.asked.Load() - before; n != 2 {
		t.Errorf("the node was asked %d times about two", n)
	}
	// The next ledger is another answer, and what changed is seen at once.
	end = w.keepTicking()
	w.accept("Mine")
	end()
	if v := w.verify(t, "self", w.subject, "Mine"); !v.Valid || v.LedgerIndex <= answers[0].LedgerIndex || v.LedgerHash == answers[0].LedgerHash {
		t.Errorf("%+v after %+v", v, answers[0])
	}
}

// TestVerifyForgetsFailures: what went wrong is told, and asked again; who waits for somebody who has gone away asks for themselves.
func TestVerifyForgetsFailures(t *testing.T) {
	var node entries
	w := newWorld(t, node.through(t), onTick)
	target := "/credential/self/" + string(w.subject) + "/Mine"
	garbage := func(_ int64, w http.ResponseWriter) bool {
		_, _ = io.WriteString(w, "garbage")
		return true
	}
	node.answer.Store(&garbage)
	for range 2 {
		a := w.send(t, get, target, "", "")
		a.holdsItsForm(t)
		if a.status != http.StatusServiceUnavailable || a.str("error") != "ledgerUnavailable" || a.header.Get("Retry-After") == "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	node.answer.Store(nil)
	if v := w.verify(t, "self", w.subject, "Mine"); !slices.Equal(v.Reasons, []string{"absent"}) {
		t.Errorf("%+v", v)
	}

	first, asked, release := node.asked.Load()+1, make(chan struct{}), make(chan struct{})
	held := func(n int64, _ http.ResponseWriter) bool {
		if n == first {
			close(asked)
			<-release
		}
		return false
	}
	node.answer.Store(&held)
	defer close(release)
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET %s2 HTTP/1.1\r\nHost: x\r\n\r\n", target); err != nil {
		t.Fatal(err)
	}
	<-asked
	waiting := make(chan verdict)
	go func() { waiting <- w.verify(t, "self", w.subject, "Mine2") }()
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if v := <-waiting; !slices.Equal(v.Reasons, []string{"absent"}) {
		t.Errorf("%+v", v)
	}
}

// TestVerifyWithoutALedger: a node that is gone, behind, or does not answer in time is no answer, and never "absent".
func TestVerifyWithoutALedger(t *testing.T) {
	for name, change := range map[string]func(*worldConfig){
		"gone": func(c *worldConfig) {
			c.directLane, c.node = true, func(string) string { return "http://127.0.0.1:1" }
			c.client = func(l *ledger.Config) { l.RetryFor = 20 * time.Millisecond }
		},
		"behind": func(c *worldConfig) {
			c.now = func() time.Time { return time.Now().Add(-time.Hour) }
			c.client = func(l *ledger.Config) { l.MaxLedgerAge, l.RetryFor = time.Minute, 20*time.Millisecond }
		},
		"slow": func(c *worldConfig) {
			c.directLane = true
			c.issuer = func(i *issuer.Config) { i.ReadLimit = 50 * time.Millisecond }
			c.node = func(ledgerURL string) string {
				done := make(chan struct{})
				address := proxy(t, ledgerURL, func(string, int, http.ResponseWriter) bool { <-done; return false })
				t.Cleanup(func() { close(done) })
				return address
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, change, func(c *worldConfig) { c.noLane = true })
			for _, target := range []string{"self/" + string(w.subject) + "/Mine", string(w.issuer) + "/" + absent + "/Mine"} {
				a := w.send(t, get, "/credential/"+target, "", "")
				a.holdsItsForm(t)
				if a.status != http.StatusServiceUnavailable || a.str("error") != "ledgerUnavailable" || a.header.Get("Retry-After") == "" || a.fields["valid"] != nil {
					t.Errorf("%d %v %s", a.status, a.header, a.body)
				}
			}
		})
	}
}
