package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
)

const (
	subjectSeed = "sEdTM1uX8pu2do5XvTnutH6HsouMaM2"
	requestID   = "01JD8Q4Z7T9XW3V5K2M6N8P0RS"
	aSecret     = "QG3FSBA77OHZXYNZNZDFLXTRGXGJ63A3"
)

var (
	// aChallenge is for the request of 'Member' with the documents {"a":1}.
	aChallenge = model.Challenge{Issuer: issuer, Subject: subjectOf(subjectSeed), Network: 21337, Type: "Member", Request: digestOf(`{"a":1}`), Nonce: "AAAA-nonce_1", Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	issuedTx   = fmt.Sprintf(`{"close_time_iso":"2030-01-02T03:04:05Z","ctid":"C1","engine_result":"tesSUCCESS","engine_result_message":"It was applied.","hash":"AB","ledger_index":5,`+
		`"meta":{},"tx_json":{"Account":"%s","CredentialType":"4D656D626572","Subject":"%s","TransactionType":"CredentialCreate"},"validated":true}`, issuer, subjectOf(subjectSeed))
)

func subjectOf(seed string) model.Address {
	s, err := ledger.ParseSeed(seed)
	if err != nil {
		panic(err)
	}
	return s.Address()
}

// digestOf is that of a request of 'Member' with these documents.
func digestOf(documents string) string {
	digest, err := model.RequestDigest(fmt.Appendf(nil, `{"subject":"%s","credential":"Member","documents":%s}`, subjectOf(subjectSeed), documents))
	if err != nil {
		panic(err)
	}
	return digest
}

// fits answers POST /challenge as the service does.
const fits = "fits"

// fitting is the challenge for a request of one.
func fitting(body []byte) (string, error) {
	c, err := model.ParseChallengeRequest(body)
	c.Issuer, c.Network, c.Nonce, c.Expires = aChallenge.Issuer, aChallenge.Network, aChallenge.Nonce, aChallenge.Expires
	return "200 " + bodyOf(c, nil), err
}

// sent is what a caller sent.
type sent struct {
	method, path, query string
	header              http.Header
	body                string
}

// counter plays a service: it answers each question with the next of the answers for its method and path, the last one
// again and again.
type counter struct {
	t       *testing.T
	url     string
	mu      sync.Mutex
	answers map[string][]string // "POST /x": "STATUS {body}", with header lines before the body
	got     []sent
}

func newCounter(t *testing.T, answers map[string][]string) *counter {
	t.Helper()
	c := &counter{t: t, answers: answers}
	if answers["POST /challenge"] == nil {
		answers["POST /challenge"] = []string{fits}
	}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, sent{r.Method, r.URL.Path, r.URL.RawQuery, r.Header, string(body)})
	key := r.Method + " " + r.URL.Path
	list := c.answers[key]
	if len(list) == 0 {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":"notFound","error_message":"there is nothing at this path","request_id":"R"}`)
		return
	}
	if len(list) > 1 {
		c.answers[key] = list[1:]
	}
	if list[0] == "hang up" {
		panic(http.ErrAbortHandler)
	}
	reply := list[0]
	if reply == fits {
		var err error
		if reply, err = fitting(body); err != nil {
			c.t.Errorf("a challenge is asked for with %s: %v", body, err)
		}
	}
	status, rest, _ := strings.Cut(reply, " ")
	for strings.HasPrefix(rest, "@") {
		var line string
		line, rest, _ = strings.Cut(rest[1:], "\n")
		name, value, _ := strings.Cut(line, ": ")
		w.Header().Set(name, value)
	}
	var code int
	_, _ = fmt.Sscan(status, &code)
	w.WriteHeader(code)
	_, _ = io.WriteString(w, rest)
}

// to returns what arrived at a path.
func (c *counter) to(method, path string) []sent {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []sent
	for _, s := range c.got {
		if s.method == method && s.path == path {
			all = append(all, s)
		}
	}
	return all
}

// challengeBody is the service's answer to POST /challenge for aChallenge, with some fields changed.
func challengeBody(change map[string]string) string { return bodyOf(aChallenge, change) }

func bodyOf(c model.Challenge, change map[string]string) string {
	fields := map[string]any{"subject": c.Subject, "issuer": c.Issuer, "network_id": c.Network, "credential": c.Type, "renew": c.Renew, "request_hash": c.Request,
		"nonce": c.Nonce, "message": c.Message(), "expires": c.Expires.Format(time.RFC3339)}
	for k, v := range change {
		fields[k] = v
	}
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// command runs the program without a terminal, with the seed in the environment.
func command(t *testing.T, stdin string, args ...string) said {
	t.Helper()
	t.Setenv("SUBJECT_ACCOUNT_SEED", subjectSeed)
	path := filepath.Join(t.TempDir(), "stdin")
	if err := os.WriteFile(path, []byte(stdin), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	var out, errs bytes.Buffer
	err = run(t.Context(), args, "", in, &out, &errs)
	s := said{out.String(), errs.String(), err}
	if strings.Contains(s.out+s.errs+told(errors.Join(err, errors.New(""))), subjectSeed) {
		t.Error("the seed is shown")
	}
	return s
}

func documents(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "documents.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestProveIssued: what is sent is a request that the service's own reader takes, with a proof that holds.
func TestProveIssued(t *testing.T) {
	c := newCounter(t, map[string][]string{"POST /credential": {"201 " + issuedTx}})
	const papers = `{"name": "Zoë",
  "email": "zoe@example.org"}`
	s := command(t, "", "prove", "--issuer", string(issuer), "--issuer-url", c.url+"/", "--credential", "Member", "--documents", documents(t, "\ufeff"+papers+"\n"),
		"--expiration", "2031-01-01T00:00:00Z", "--uri", "https://example.org/", "--renew")
	s.want(t, 0, "    I hold the key of "+string(aChallenge.Subject), "    Nonce: AAAA-nonce_1", "Validated after")
	want := "Issued 'Member' to " + string(aChallenge.Subject) + ".\n    result  tesSUCCESS: It was applied.\n    hash    AB\n    ctid    C1\n    ledger  5, validated, closed 2030-01-02T03:04:05Z\n"
	if s.out != want {
		t.Errorf("%s", s.out)
	}
	if !strings.HasSuffix(s.errs, "accept --credential Member --issuer "+string(issuer)+"\n") {
		t.Errorf("%s", s.errs)
	}
	posted := c.to("POST", "/credential")
	if len(posted) != 1 || posted[0].header.Get("Content-Type") != "application/json" || posted[0].header.Get("Idempotency-Key") == "" || posted[0].header.Get("Prefer") == "" {
		t.Fatalf("%+v", posted)
	}
	r, err := model.ParseCredentialRequest([]byte(posted[0].body))
	if err != nil {
		t.Fatal(err)
	}
	var got, wanted any
	if json.Unmarshal(r.Documents.JSON(), &got) != nil || json.Unmarshal([]byte(papers), &wanted) != nil || fmt.Sprint(got) != fmt.Sprint(wanted) {
		t.Errorf("documents %s", r.Documents.JSON())
	}
	if r.Subject != aChallenge.Subject || r.Type != "Member" || r.URI != "https://example.org/" || !r.Renew || r.Expiration == nil || r.Proof == nil || r.Proof.Nonce != aChallenge.Nonce {
		t.Fatalf("%+v", r)
	}
	signedFor := model.Challenge{Issuer: issuer, Subject: r.Subject, Network: aChallenge.Network, Type: r.Type, Renew: true, Request: r.Digest, Nonce: r.Proof.Nonce, Expires: aChallenge.Expires}
	signer, err := ledger.VerifyMessage([]byte(signedFor.Message()), r.Proof.PublicKey, r.Proof.Signature)
	if err != nil || signer != aChallenge.Subject {
		t.Errorf("signed by %s, %v", signer, err)
	}

	asJSON := command(t, papers, "prove", "--issuer", string(issuer), "--json", "--issuer-url", c.url, "--credential", "Member", "--documents", "-")
	asJSON.want(t, 0)
	if asJSON.out != issuedTx+"\n" {
		t.Errorf("%s", asJSON.out)
	}
	if plain := c.to("POST", "/credential")[1]; strings.Contains(plain.body, "expiration") || strings.Contains(plain.body, "uri") || strings.Contains(plain.body, "renew") {
		t.Errorf("fields that were not given are sent: %s", plain.body)
	}
}

// TestProvePrint: the request with its proof is printed, and not sent.
func TestProvePrint(t *testing.T) {
	papers := documents(t, `{"a":1}`)
	for _, seed := range []string{subjectSeed, "snoPBrXtMeMyMHUVTgbuqAfg1SUTb"} { // of both families
		c := newCounter(t, map[string][]string{})
		t.Setenv("SUBJECT_ACCOUNT_SEED", seed)
		var out, errs bytes.Buffer
		if err := run(t.Context(), []string{"prove", "--print", "--issuer", string(issuer), "--credential", "Member", "--documents", papers, "--issuer-url", c.url}, "", nil, &out, &errs); err != nil {
			t.Fatal(err)
		}
		r, err := model.ParseCredentialRequest(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		want := aChallenge
		want.Subject, want.Request = subjectOf(seed), r.Digest
		if signer, err := ledger.VerifyMessage([]byte(want.Message()), r.Proof.PublicKey, r.Proof.Signature); err != nil || signer != want.Subject {
			t.Errorf("signed by %s, %v", signer, err)
		}
		if len(c.to("POST", "/credential")) > 0 || strings.Contains(errs.String(), seed) {
			t.Errorf("%s", errs.String())
		}
	}
}

// TestRegularKey: the challenge is about the account, and the key is another one's.
func TestRegularKey(t *testing.T) {
	c := newCounter(t, map[string][]string{"POST /challenge": {"200 " + challengeBody(nil), fits}})
	papers := documents(t, `{"a":1}`)
	args := []string{"prove", "--print", "--issuer", string(issuer), "--credential", "Member", "--documents", papers, "--issuer-url", c.url, "--subject-account-address", string(me)}
	command(t, "", args...).want(t, 1, "for another account") // about the key's own account
	if got := c.to("POST", "/challenge")[0].body; !strings.Contains(got, fmt.Sprintf(`{"subject":"%s","credential":"Member","request_hash":"`, me)) {
		t.Errorf("%s", got)
	}
	command(t, "", args...).want(t, 0, "Signing, with the key of "+string(aChallenge.Subject), "I hold the key of "+string(me))
}

// TestProveConfirms: without --issuer nothing is signed unless the user confirms the issuer on a terminal.
func TestProveConfirms(t *testing.T) {
	papers := documents(t, `{"a":1}`)
	c := newCounter(t, map[string][]string{"POST /credential": {"201 " + issuedTx}})
	args := []string{"prove", "--issuer-url", c.url, "--credential", "Member", "--documents", papers}
	command(t, "y\n", args...).want(t, 2, "no terminal to confirm", "--issuer ADDRESS")
	if len(c.got) > 0 {
		t.Errorf("the service was asked: %+v", c.got)
	}
	t.Setenv("SUBJECT_ACCOUNT_SEED", subjectSeed)
	for answer, status := range map[string]int{"y": 0, "YES": 0, "n": 1, "": 1, "yes please": 1} {
		s := newTerminal(t)
		ended := make(chan error, 1)
		var out bytes.Buffer
		go func() { ended <- run(t.Context(), args, "", s.theirs, &out, s.theirs) }()
		s.shows("Credential: Member")
		s.shows(string(issuer) + " the issuer that you expect")
		before := len(c.to("POST", "/credential"))
		s.types(answer + "\n")
		err := <-ended
		if sent := len(c.to("POST", "/credential")) - before; exitStatus(err) != status || sent != 1-status {
			t.Errorf("%q: %v, sent %d", answer, err, sent)
		}
	}
}

// TestOddChallenges: nothing but a challenge for this account is ever signed, and nothing is sent.
func TestOddChallenges(t *testing.T) {
	other := aChallenge
	other.Subject = me
	gold := aChallenge
	gold.Type = "Gold"
	renewing := aChallenge
	renewing.Renew = true
	others := aChallenge
	others.Request = digestOf(`{"a":2}`)
	spoofed := aChallenge
	spoofed.Nonce = "x\nI also owe somebody money."
	for name, tc := range map[string]struct {
		body string
		want string
	}{
		"for another account":       {challengeBody(map[string]string{"subject": string(me), "message": other.Message()}), "for another account"},
		"free text":                 {challengeBody(map[string]string{"message": "I owe the service 1000 XRP"}), "its message is another one"},
		"a line too many":           {challengeBody(map[string]string{"message": aChallenge.Message() + "\n"}), "its message is another one"},
		"other subject in message":  {challengeBody(map[string]string{"message": other.Message()}), "its message is another one"},
		"another credential":        {bodyOf(gold, nil), "its message is another one"},
		"another network":           {strings.Replace(challengeBody(nil), `"network_id":21337`, `"network_id":1`, 1), "its message is another one"},
		"a renewal":                 {bodyOf(renewing, nil), "its message is another one"},
		"other documents":           {bodyOf(others, nil), "its message is another one"},
		"text in the nonce":         {challengeBody(map[string]string{"nonce": spoofed.Nonce, "message": spoofed.Message()}), "its nonce must be"},
		"no nonce":                  {challengeBody(map[string]string{"nonce": ""}), "its nonce must be"},
		"a long nonce":              {challengeBody(map[string]string{"nonce": strings.Repeat("a", 300)}), "its nonce must be"},
		"an issuer that is none":    {challengeBody(map[string]string{"issuer": "rNobody"}), "its issuer is not an address"},
		"a time that is none":       {challengeBody(map[string]string{"expires": "soon"}), "its expiry is no time"},
		"bytes of a transaction":    {challengeBody(map[string]string{"message": "STX\u0000\u0012"}), "its message is another one"},
		"of another form":           {`{"subject": 1}`, "not of the form"},
		"a list":                    {`[]`, "not of the form"},
		"a time in another writing": {challengeBody(map[string]string{"expires": "2030-01-02T03:04:05.9Z", "message": strings.Replace(aChallenge.Message(), "05Z", "05.9Z", 1)}), "its message is another one"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCounter(t, map[string][]string{"POST /challenge": {"200 " + tc.body}, "POST /credential": {"201 " + issuedTx}})
			s := command(t, "", "prove", "--issuer", string(issuer), "--issuer-url", c.url, "--credential", "Member", "--documents", documents(t, `{"a":1}`), "--json")
			s.want(t, 1, tc.want, "nothing was signed", `"error":"challengeNotSigned"`)
			if len(c.to("POST", "/credential")) > 0 || strings.Contains(s.errs, "Signing") {
				t.Errorf("it was signed: %s", s.errs)
			}
		})
	}
	c := newCounter(t, map[string][]string{})
	command(t, "", "prove", "--issuer", string(me), "--credential", "Member", "--documents", documents(t, `{"a":1}`), "--issuer-url", c.url).want(t, 1, "it is for a credential of "+string(issuer)+", and --issuer is "+string(me))
}

// TestProveWrongUse: what can be known here is told before anything is asked.
func TestProveWrongUse(t *testing.T) {
	good := documents(t, `{"a":1}`)
	c := newCounter(t, map[string][]string{})
	for _, tc := range []struct {
		stdin string
		args  []string
		want  []string
	}{
		{"", nil, []string{"needs --credential TYPE and --documents FILE"}},
		{"", []string{"--credential", "A"}, []string{"needs --credential TYPE and --documents FILE"}},
		{"", []string{"--print", "--follow"}, []string{"--print sends no request"}},
		{"", []string{"--print", "--documents", good}, []string{"needs --credential TYPE and --documents FILE"}},
		{"", []string{"--print", "more"}, []string{"1 words too many"}},
		{"", []string{"--issuer", "r"}, []string{"--issuer must be"}},
		{"", []string{"--print", "--issuer-url", "ftp://x"}, []string{"ISSUER_URL must be"}},
		{"", []string{"--print", "--issuer-url", "http://me:hush@x"}, []string{"ISSUER_URL must be"}},
		{"", []string{"--print", "--subject-account-address", "r"}, []string{"SUBJECT_ACCOUNT_ADDRESS must be"}},
		{"", []string{"--issuer-url=x", "--nonsense"}, []string{"unknown flag: --nonsense", "ISSUER_URL must be", "needs --credential"}},
		{"", []string{"--credential", "A b", "--documents", good, "--expiration", "soon", "--uri", "a b"}, []string{"credential must be", "expiration must be", "uri must be"}},
		{"", []string{"--credential", "A", "--documents", good + "x"}, []string{"no such file"}},
		{"", []string{"--credential", "A", "--documents", filepath.Dir(good)}, []string{"--documents: "}},
		{"{}", []string{"--credential", "A", "--documents", "-"}, []string{"must be an object that is not empty"}},
		{"[1]", []string{"--credential", "A", "--documents", "-"}, []string{"documents must be"}},
		{`{"a":1} {}`, []string{"--credential", "A", "--documents", "-"}, []string{"--documents: -: "}},
		{`{"a":"` + strings.Repeat("x", maxDocuments) + `"}`, []string{"--credential", "A", "--documents", "-"}, []string{"must not have more than 1048576 bytes"}},
	} {
		s := command(t, tc.stdin, append([]string{"prove", "--issuer", string(issuer), "--issuer-url", c.url}, tc.args...)...)
		s.want(t, 2, tc.want...)
		if strings.Contains(told(s.err), "hush") {
			t.Errorf("a password is shown: %v", s.err)
		}
	}
	t.Setenv("SUBJECT_ACCOUNT_SEED", "")
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nothing.Close() }()
	if err := run(t.Context(), []string{"prove", "--issuer", string(issuer), "--credential", "A", "--documents", good, "--issuer-url", c.url}, "", nothing, io.Discard, io.Discard); exitStatus(err) != 2 || !strings.Contains(err.Error(), "no terminal to ask") {
		t.Errorf("%v", err)
	}
	if len(c.got) > 0 {
		t.Errorf("the service was asked: %+v", c.got)
	}
	for _, of := range []string{"prove", "follow"} {
		var out bytes.Buffer
		if err := run(t.Context(), []string{of, "--help"}, "", nil, &out, io.Discard); err != nil || !strings.Contains(out.String(), "accept "+of) || !strings.Contains(out.String(), "--issuer-url") {
			t.Errorf("%v %s", err, out.String())
		}
	}
}

// TestProveRefused: what the service says no with is told in its words, and for programs as it stands.
func TestProveRefused(t *testing.T) {
	papers := documents(t, `{"a":1}`)
	for name, tc := range map[string]struct {
		answer string
		want   []string
		json   string
	}{
		"refused": {`400 {"error":"badRequest","error_message":"documents.name must be given","request_id":"RID"}`,
			[]string{"documents.name must be given (badRequest, request RID)"}, `{"error":"badRequest","error_message":"documents.name must be given","request_id":"RID"}`},
		"over the rate": {"429 @Retry-After: 7\n" + `{"error":"tooManyRequests","error_message":"slow","request_id":"RID"}`, []string{"slow", "Ask again in 7s"}, `"error":"tooManyRequests"`},
		"a transaction that failed": {`409 {"error":"tecDUPLICATE","error_message":"it stands","request_id":"RID","hash":"AB","meta":{}}`,
			[]string{"it stands (tecDUPLICATE, transaction AB, request RID)"}, `"meta":{}`},
		"what acts on terminals": {`400 {"error":"badRequest","error_message":"a\u001b[2Jb\u009bc","request_id":"RID"}`, []string{"a?[2Jb?c"}, `a\u001b[2Jb\u009bc`},
		"no service":             {`404 <html>`, []string{"is not the service (status 404)"}, `"error":"notTheService"`},
		"no JSON":                {`200 hello`, []string{"is not the service"}, `"error":"notTheService"`},
		"elsewhere":              {"307 @Location: http://127.0.0.1:1/\n", []string{"sends elsewhere"}, `"error":"notTheService"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCounter(t, map[string][]string{"POST /credential": {tc.answer}})
			s := command(t, "", "prove", "--issuer", string(issuer), "--issuer-url", c.url, "--credential", "A", "--documents", papers)
			s.want(t, 1, append(tc.want, "Ended after")...)
			if s.out != "" {
				t.Errorf("%s", s.out)
			}
			s = command(t, "", "prove", "--issuer", string(issuer), "--json", "--issuer-url", c.url, "--credential", "A", "--documents", papers)
			if s.want(t, 1); !strings.Contains(s.out, tc.json) || strings.Count(s.out, "\n") != 1 || !json.Valid([]byte(s.out)) {
				t.Errorf("%s", s.out)
			}
		})
	}
	command(t, "", "prove", "--issuer", string(issuer), "--json", "--issuer-url", "http://127.0.0.1:1", "--credential", "A", "--documents", papers).want(t, 1, "does not answer", "Is the service running?", `"error":"serviceUnavailable"`)
	tls := httptest.NewUnstartedServer(http.NotFoundHandler())
	tls.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	tls.StartTLS()
	defer tls.Close()
	command(t, "", "prove", "--issuer", string(issuer), "--credential", "A", "--documents", papers, "--issuer-url", strings.Replace(tls.URL, "https", "http", 1)).want(t, 1, "answers HTTPS: set ISSUER_URL")
	command(t, "", "prove", "--issuer", string(issuer), "--credential", "A", "--documents", papers, "--issuer-url", tls.URL).want(t, 1, "does not answer", "certificate")
}

// TestProveAgain: a request whose answer is lost is sent again with the same key and the same body.
func TestProveAgain(t *testing.T) {
	c := newCounter(t, map[string][]string{"POST /credential": {"hang up", "502 <html>", "201 " + issuedTx}})
	command(t, "", "prove", "--issuer", string(issuer), "--issuer-url", c.url, "--credential", "Member", "--documents", documents(t, `{"a":1}`)).want(t, 0, "Issued 'Member'")
	posted := c.to("POST", "/credential")
	if len(posted) != 3 {
		t.Fatalf("sent %d times", len(posted))
	}
	for _, p := range posted {
		if p.body != posted[0].body || p.header.Get("Idempotency-Key") != posted[0].header.Get("Idempotency-Key") {
			t.Errorf("another request: %+v", p)
		}
	}
}

// TestProveLater: an answer that comes before the end is followed to the end.
func TestProveLater(t *testing.T) {
	pending := fmt.Sprintf(`{"id":"%s","kind":"issue","state":"signed","final":false}`, requestID)
	failed := fmt.Sprintf(`{"id":"%s","final":true,"status":422,"error":{"error":"tecNO_TARGET","error_message":"fund it","request_id":"RID"}}`, requestID)
	done := fmt.Sprintf(`{"id":"%s","final":true,"status":201,"result":%s}`, requestID, issuedTx)
	for name, tc := range map[string]struct {
		ends   []string
		status int
		want   string
	}{
		"issued": {[]string{"200 " + pending, "503 {\"error\":\"storeUnavailable\",\"error_message\":\"later\"}", "200 " + done}, 0, "Issued 'Member'"},
		"failed": {[]string{"200 " + failed}, 1, "fund it (tecNO_TARGET, request RID)"},
		"lost":   {[]string{`404 {"error":"operationNotFound","error_message":"there is no such operation"}`}, 1, "/operations/" + requestID + " tells its end"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCounter(t, map[string][]string{
				"POST /credential":             {"202 @Location: /operations/" + requestID + "\n" + pending},
				"GET /operations/" + requestID: tc.ends,
			})
			command(t, "", "prove", "--issuer", string(issuer), "--issuer-url", c.url, "--credential", "Member", "--documents", documents(t, `{"a":1}`)).want(t, tc.status, tc.want)
			if asked := c.to("GET", "/operations/"+requestID); asked[0].header.Get("Prefer") != "wait=50" {
				t.Errorf("%+v", asked)
			}
		})
	}
}

// TestProveWaits: a request that waits for a person is told with its link, and can be followed in the same breath.
func TestProveWaits(t *testing.T) {
	stored := fmt.Sprintf(`{"id":"%s","state":"waiting","credential":"Member","link":"/request/%s?secret=%s"}`, requestID, requestID, aSecret)
	answers := func() map[string][]string {
		return map[string][]string{
			"POST /credential": {"202 @Location: /request/" + requestID + "\n" + stored},
			"GET /request/" + requestID: {
				`200 {"state":"waiting","credential":"Member"}`,
				`200 {"state":"approved","credential":"Member","operation":{"id":"X","final":true,"status":201,"result":` + issuedTx + `}}`},
		}
	}
	c := newCounter(t, answers())
	papers := documents(t, `{"a":1}`)
	at := c.url + "/request/" + requestID + "?secret=" + aSecret
	s := command(t, "", "prove", "--issuer", string(issuer), "--issuer-url", c.url, "--credential", "Member", "--documents", papers)
	s.want(t, 0, "accept follow '"+at+"'")
	if s.out != "'Member' waits for a person to decide on it.\n    request  "+requestID+"\n    link     "+at+"\n" {
		t.Errorf("%s", s.out)
	}
	if n := len(c.to("GET", "/request/"+requestID)); n > 0 {
		t.Errorf("asked %d times", n)
	}
	command(t, "", "prove", "--issuer", string(issuer), "--issuer-url", c.url, "--credential", "Member", "--documents", papers, "--follow").want(t, 0, at, "Waiting for a decision", "Decided after", "Issued 'Member'")
	s = command(t, "", "prove", "--issuer", string(issuer), "--json", "--issuer-url", newCounter(t, answers()).url, "--credential", "Member", "--documents", papers)
	if s.want(t, 0); s.out != stored+"\n" {
		t.Errorf("%s", s.out)
	}
	for _, link := range []string{"", "http://elsewhere.example/request/" + requestID + "?secret=x", "/request/1?secret=x"} {
		c := newCounter(t, map[string][]string{"POST /credential": {"202 @Location: /request/" + requestID + "\n" + fmt.Sprintf(`{"id":"%s","link":"%s"}`, requestID, link)}})
		command(t, "", "prove", "--issuer", string(issuer), "--issuer-url", c.url, "--credential", "Member", "--documents", papers).want(t, 1, "tells no link")
	}
}
