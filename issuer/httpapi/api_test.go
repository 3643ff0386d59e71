package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

// TestWalk goes the tutorial's way: request, list, accept, list, revoke.
func TestWalk(t *testing.T) {
	w := newWorld(t)
	subject := string(w.subject)

	created := w.send(t, post, "/credential", jsonType,
		`{"subject": "`+subject+`", "credential": "TestCredential", "documents": {"reason": "please"}}`)
	if created.status != http.StatusCreated {
		t.Fatalf("request: %d %s", created.status, created.body)
	}
	created.isTransaction(t, "CredentialCreate")
	if got, want := w.list(t, ""), []entry{{Subject: subject, Credential: "TestCredential"}}; !slices.Equal(got, want) {
		t.Errorf("list: %+v, want %+v", got, want)
	}
	again := w.request(t, subject, "TestCredential", "")
	if again.status != http.StatusConflict || !strings.Contains(again.str("error_message"), "not accepted yet") {
		t.Errorf("request again: %d %s", again.status, again.body)
	}

	w.accept("TestCredential")
	accepted := []entry{{Subject: subject, Credential: "TestCredential", Accepted: true}}
	if got := w.list(t, ""); !slices.Equal(got, accepted) {
		t.Errorf("list after accepting: %+v, want %+v", got, accepted)
	}
	if again := w.request(t, subject, "TestCredential", ""); again.status != http.StatusConflict ||
		!strings.Contains(again.str("error_message"), "is accepted") {
		t.Errorf("request again after accepting: %d %s", again.status, again.body)
	}

	revoked := w.revoke(t, subject, "TestCredential")
	if revoked.status != http.StatusOK {
		t.Fatalf("revoke: %d %s", revoked.status, revoked.body)
	}
	revoked.isTransaction(t, "CredentialDelete")
	if got := w.list(t, ""); len(got) != 0 {
		t.Errorf("list after revoking: %+v", got)
	}
	if again := w.revoke(t, subject, "TestCredential"); again.status != http.StatusNotFound || again.str("error") != "entryNotFound" {
		t.Errorf("revoke again: %d %s", again.status, again.body)
	}
	w.issue(subject, "TestCredential") // renewing is deleting and creating
}

// isTransaction holds what the body of every success has: the validated transaction as a node's tx answers it in API
// version 2, with its engine result beside it.
func (a answer) isTransaction(t *testing.T, kind string) {
	t.Helper()
	var tx struct {
		Hash        string         `json:"hash"`
		CTID        string         `json:"ctid"`
		LedgerIndex uint32         `json:"ledger_index"`
		LedgerHash  string         `json:"ledger_hash"`
		CloseTime   string         `json:"close_time_iso"`
		Tx          map[string]any `json:"tx_json"`
		Meta        map[string]any `json:"meta"`
		Validated   bool           `json:"validated"`
		Result      string         `json:"engine_result"`
		Code        *int           `json:"engine_result_code"`
		Message     string         `json:"engine_result_message"`
	}
	if err := json.Unmarshal(a.body, &tx); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if len(tx.Hash) != 64 || len(tx.CTID) != 16 || tx.LedgerIndex == 0 || len(tx.LedgerHash) != 64 || tx.CloseTime == "" ||
		tx.Tx["TransactionType"] != kind || tx.Meta["TransactionResult"] != "tesSUCCESS" || !tx.Validated ||
		tx.Result != "tesSUCCESS" || tx.Code == nil || *tx.Code != 0 || tx.Message == "" {
		t.Errorf("not a validated %s: %s", kind, a.body)
	}
	if !strings.HasSuffix(string(a.body), "}\n") {
		t.Error("the answer does not end with a line's end")
	}
}

// TestFields holds what of a request reaches the ledger, and how the list shows it.
func TestFields(t *testing.T) {
	w := newWorld(t)
	if a := w.request(t, w.subject, "Full", `,"expiration":"2100-01-01T02:00:00+02:00","uri":"https://example.com/?a=b&c=d"`); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	want := []entry{{Subject: string(w.subject), Credential: "Full", URI: "https://example.com/?a=b&c=d", Expiration: "2100-01-01T00:00:00Z"}}
	if got := w.list(t, ""); !slices.Equal(got, want) {
		t.Errorf("list: %+v, want %+v", got, want)
	}
	c, err := w.client.Credential(t.Context(), w.subject, w.issuer, "Full")
	if err != nil || c.Expiration != 3155760000 || c.URI != "https://example.com/?a=b&c=d" || c.Accepted {
		t.Errorf("on the ledger: %+v, %v", c, err)
	}
}

// TestXAddress: an X-address without a tag stands for its classic address, in a request and in a revocation.
func TestXAddress(t *testing.T) {
	w := newWorld(t)
	x := xAddress(w.subject)
	w.issue(x, "X")
	if got, want := w.list(t, ""), []entry{{Subject: string(w.subject), Credential: "X"}}; !slices.Equal(got, want) {
		t.Errorf("list: %+v, want %+v", got, want)
	}
	if a := w.revoke(t, x, "X"); a.status != http.StatusOK {
		t.Errorf("revoke: %d %s", a.status, a.body)
	}
}

// TestAccepted goes through the list's parameter.
func TestAccepted(t *testing.T) {
	w := newWorld(t)
	w.issue(w.subject, "No")
	w.issue(w.subject, "Yes")
	w.accept("Yes")
	for query, want := range map[string]string{
		"": "No Yes", "?accepted=both": "No Yes", "?accepted=BOTH": "No Yes", "?accepted=yes": "Yes", "?accepted=Yes": "Yes",
		"?accepted=no": "No", "?accepted=nO": "No", "?": "No Yes", "?accepted=%79es": "Yes",
	} {
		var names []string
		for _, e := range w.list(t, query) {
			names = append(names, e.Credential)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
}

// TestListShowsWhatOthersWrote: what was issued with other tools, in any bytes, is shown so that it cannot act on a
// terminal or a page, and what is shown can be copied into a revocation. What others issued about the issuer is not in
// its list.
func TestListShowsWhatOthersWrote(t *testing.T) {
	w := newWorld(t)
	types := map[model.CredentialType]string{
		"\x00":                                 "(BIN) 00",
		"\x1b[2J":                              "(BIN) 1B5B324A",
		"é":                                    "(BIN) C3A9",
		"Two words":                            "Two words",
		"<script>":                             "<script>",
		"(BIN) 00":                             "(BIN) 2842494E29203030",
		model.CredentialType(`"quoted"`):       `"quoted"`,
		model.CredentialType(make([]byte, 64)): "(BIN) " + strings.Repeat("00", 64),
	}
	for typ := range types {
		w.submit(model.CredentialCreate{Subject: w.subject, Type: typ, URI: "javascript:\x1b"})
	}
	w.submitAs(w.subjectLane, model.CredentialCreate{Subject: w.issuer, Type: "AboutTheIssuer"})

	a := w.send(t, get, "/admin/credential", "", "")
	if strings.ContainsAny(strings.TrimSuffix(string(a.body), "\n"), "\x00\x1b\n<>") {
		t.Errorf("the answer holds characters of control or markup: %q", a.body)
	}
	var shown, want []string
	for _, e := range w.list(t, "") {
		shown = append(shown, e.Credential)
		if e.URI != "(BIN) 6A6176617363726970743A1B" {
			t.Errorf("URI shown as %q", e.URI)
		}
	}
	for _, s := range types {
		want = append(want, s)
	}
	slices.Sort(shown)
	slices.Sort(want)
	if !slices.Equal(shown, want) {
		t.Fatalf("shown: %q\nwant: %q", shown, want)
	}
	for _, s := range shown {
		text, _ := json.Marshal(s)
		a := w.send(t, del, "/admin/credential", jsonType, fmt.Sprintf(`{"subject":"%s","credential":%s}`, w.subject, text))
		if a.status != http.StatusOK {
			t.Errorf("revoking %q: %d %s", s, a.status, a.body)
		}
	}
	if left := w.list(t, ""); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

// TestIssueToOneself: such a credential is accepted at once.
func TestIssueToOneself(t *testing.T) {
	w := newWorld(t)
	w.issue(w.issuer, "Self")
	if got, want := w.list(t, "?accepted=yes"), []entry{{Subject: string(w.issuer), Credential: "Self", Accepted: true}}; !slices.Equal(got, want) {
		t.Errorf("list: %+v, want %+v", got, want)
	}
	if a := w.revoke(t, w.issuer, "Self"); a.status != http.StatusOK {
		t.Errorf("revoke: %d %s", a.status, a.body)
	}
}

// TestSimultaneous: 50 requests at once are all issued.
func TestSimultaneous(t *testing.T) {
	const count = 50
	w := newWorld(t)
	before := w.account()
	var wg sync.WaitGroup
	for n := range count {
		wg.Go(func() {
			if a := w.request(t, w.subject, fmt.Sprintf("Credential%d", n), ""); a.status != http.StatusCreated {
				t.Errorf("request %d: %d %s", n, a.status, a.body)
			}
		})
	}
	wg.Wait()
	if got := len(w.list(t, "")); got != count {
		t.Errorf("%d stand on the ledger, want %d", got, count)
	}
	if after := w.account(); after.Sequence != before.Sequence+count || after.OwnerCount != before.OwnerCount+count {
		t.Errorf("the issuer was %+v and is %+v", before, after)
	}
}

// TestSameAtOnce: of the same request many times at once one is issued, the others hear that it stands, and one fee is
// paid. The same for its revocation.
func TestSameAtOnce(t *testing.T) {
	const count = 8
	w := newWorld(t)
	atOnce := func(what string, ask func() answer, first, others int) {
		before := w.account()
		statuses := make([]int, count)
		var wg sync.WaitGroup
		for n := range count {
			wg.Go(func() { statuses[n] = ask().status })
		}
		wg.Wait()
		slices.Sort(statuses)
		if want := slices.Concat([]int{first}, slices.Repeat([]int{others}, count-1)); !slices.Equal(statuses, want) {
			t.Errorf("%s: %v, want %v", what, statuses, want)
		}
		if after := w.account(); after.Sequence != before.Sequence+1 {
			t.Errorf("%s: %d transactions were paid for", what, after.Sequence-before.Sequence)
		}
	}
	atOnce("request", func() answer { return w.request(t, w.subject, "Same", "") }, http.StatusCreated, http.StatusConflict)
	atOnce("revoke", func() answer { return w.revoke(t, w.subject, "Same") }, http.StatusOK, http.StatusNotFound)
}

// TestHealth: live, and ready.
func TestHealth(t *testing.T) {
	w := newWorld(t)
	if a := w.send(t, get, "/healthz", "", ""); a.status != http.StatusOK || a.str("status") != "ok" {
		t.Errorf("healthz: %d %s", a.status, a.body)
	}
	a := w.send(t, get, "/readyz", "", "")
	var index uint32
	if _ = json.Unmarshal(a.fields["ledger_index"], &index); a.status != http.StatusOK || a.str("status") != "ok" || index < 2 {
		t.Errorf("readyz: %d %s", a.status, a.body)
	}
}

// TestHeadAndOptions: no bodies, and the truth about methods.
func TestHeadAndOptions(t *testing.T) {
	w := newWorld(t)
	head := w.send(t, http.MethodHead, "/admin/credential", "", "")
	if head.status != http.StatusOK || len(head.body) != 0 || head.header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %d %v %q", head.status, head.header, head.body)
	}
	if a := w.send(t, http.MethodHead, "/admin/credential?accepted=x", "", ""); a.status != http.StatusBadRequest || len(a.body) != 0 {
		t.Errorf("HEAD with a wrong parameter: %d %q", a.status, a.body)
	}
	for path, want := range map[string]string{"/credential": "OPTIONS, POST", "/admin/credential": "OPTIONS, DELETE, GET, HEAD"} {
		a := w.send(t, http.MethodOptions, path, "", "")
		if a.status != http.StatusNoContent || len(a.body) != 0 || !sameWords(a.header.Get("Allow"), want) ||
			a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("OPTIONS %s: %d %v %q", path, a.status, a.header, a.body)
		}
		a = w.send(t, http.MethodPatch, path, "", "")
		if !sameWords(a.header.Get("Allow"), want) {
			t.Errorf("PATCH %s: Allow is %q, want %q", path, a.header.Get("Allow"), want)
		}
	}
}

func sameWords(a, b string) bool {
	x, y := strings.Split(a, ", "), strings.Split(b, ", ")
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// TestRequestID: a client's own id is kept where it is short and plain, and replaced otherwise.
func TestRequestID(t *testing.T) {
	w := newWorld(t)
	for id, kept := range map[string]bool{
		"abc-123_X.y": true, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "a b": false, "é": false, `"`: false, "<b>": false,
	} {
		a := w.send(t, get, "/healthz", "X-Request-Id: "+id, "")
		if got := a.header.Get("X-Request-Id"); (got == id) != kept || got == "" {
			t.Errorf("%q became %q, want it kept: %t", id, got, kept)
		}
	}
	first, second := w.send(t, get, "/healthz", "", ""), w.send(t, get, "/healthz", "", "")
	if a, b := first.header.Get("X-Request-Id"), second.header.Get("X-Request-Id"); a == b || a == "" {
		t.Errorf("ids %q and %q", a, b)
	}
}
