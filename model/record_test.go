package model_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	anIssuer  = model.Address("rL8abwBFX3QvvY8jcZLyD6QghamgH48xrU")
	aSubject  = model.Address("rwcFzkQUB4bKUPdyyJV4B59SEmxtNF1mNs")
	anyLedger = "6849D23D9C4ACD7E323D0760EF9E447B38C4CCA74BAAA7F52338163FF7CA3B83"
)

// A verdict says what it knows, and leaves out what it does not.
func TestVerdictJSON(t *testing.T) {
	at := model.Ledger{Index: 7, Hash: anyLedger, CloseTime: 0}
	const tail = `"ledger_index":7,"ledger_hash":"` + anyLedger + `","close_time_iso":"2000-01-01T00:00:00Z","ledger_age":3}`
	const head = `"issuer":"` + string(anIssuer) + `","subject":"` + string(aSubject) + `",`
	for name, tc := range map[string]struct {
		v    model.Verdict
		want string
	}{
		"valid": {model.Verdict{Valid: true, Type: "Member", Found: &model.Credential{Accepted: true}, Entry: json.RawMessage(`{"a":1}`)},
			`{"valid":true,` + head + `"credential":"Member","accepted":true,"entry":{"a":1},` + tail},
		"all that there is": {model.Verdict{Type: "\x00<", Reasons: []model.Reason{model.ReasonNotAccepted, model.ReasonExpired},
			Found: &model.Credential{URI: "\x1b<b>", Expiration: 1}, Entry: json.RawMessage(`{}`)},
			`{"valid":false,"reasons":["notAccepted","expired"],` + head + `"credential":"(BIN) 003C","accepted":false,"uri":"(BIN) 1B3C623E","expiration":"2000-01-01T00:00:01Z","entry":{},` + tail},
		"absent": {model.Verdict{Type: "Member", Reasons: []model.Reason{model.ReasonAbsent}},
			`{"valid":false,"reasons":["absent"],` + head + `"credential":"Member",` + tail},
		"absent here": {model.Verdict{Type: "<b>", Reasons: []model.Reason{model.ReasonAbsent, model.ReasonOtherIssuer}, Others: []model.Address{aSubject}},
			`{"valid":false,"reasons":["absent","otherIssuer"],` + head + `"credential":"\u003cb\u003e","other_issuers":["` + string(aSubject) + `"],` + tail},
	} {
		tc.v.Issuer, tc.v.Subject, tc.v.At, tc.v.Age = anIssuer, aSubject, at, 3999*time.Millisecond
		got, err := json.Marshal(tc.v)
		if err != nil || string(got) != tc.want {
			t.Errorf("%s:\n%s, %v\nwant\n%s", name, got, err, tc.want)
		}
	}
	if _, err := json.Marshal(model.Verdict{Entry: json.RawMessage(`{`)}); err == nil {
		t.Error("an entry that is no JSON is shown")
	}
}

// An entry shows all that its hash is over, so that whoever has the text can check the chain.
func TestAuditEntryJSON(t *testing.T) {
	e := model.AuditEntry{Seq: 3, Time: time.Date(2030, 1, 2, 3, 4, 5, 678_901_234, time.FixedZone("", 3600)), Actor: "token:a", Action: "call",
		Target: "GET /admin/<x>\x00\n", Status: 403, RequestID: "id-1", Detail: json.RawMessage(`{"a":1}`)}
	e.Previous[0], e.Hash[31] = 0xAB, 0x01
	got, err := json.Marshal(e)
	const want = `{"seq":3,"time":"2030-01-02T02:04:05.678901Z","actor":"token:a","action":"call","target":"GET /admin/\u003cx\u003e\u0000\n","status":403,` +
		`"request_id":"id-1","detail":{"a":1},"previous":"AB00000000000000000000000000000000000000000000000000000000000000",` +
		`"hash":"0000000000000000000000000000000000000000000000000000000000000001"}`
	if err != nil || string(got) != want {
		t.Errorf("\n%s, %v\nwant\n%s", got, err, want)
	}
	if !strings.Contains(string(got), e.HashText()) {
		t.Errorf("the hash is shown as %s and as %s", got, e.HashText())
	}
	got, err = json.Marshal(model.AuditEntry{Seq: 1, Time: time.Unix(0, 0), Actor: "policy", Action: "credential.issue"})
	const least = `{"seq":1,"time":"1970-01-01T00:00:00.000000Z","actor":"policy","action":"credential.issue",` +
		`"previous":"0000000000000000000000000000000000000000000000000000000000000000","hash":"0000000000000000000000000000000000000000000000000000000000000000"}`
	if err != nil || string(got) != least {
		t.Errorf("\n%s, %v\nwant\n%s", got, err, least)
	}

	// Sum is over what is shown: each field counts, and the time to the microsecond.
	base := e.Sum()
	for name, change := range map[string]func(*model.AuditEntry){
		"seq":                   func(e *model.AuditEntry) { e.Seq++ },
		"time":                  func(e *model.AuditEntry) { e.Time = e.Time.Add(time.Microsecond) },
		"actor":                 func(e *model.AuditEntry) { e.Actor += "x" },
		"action":                func(e *model.AuditEntry) { e.Action += "x" },
		"target":                func(e *model.AuditEntry) { e.Target += "x" },
		"status":                func(e *model.AuditEntry) { e.Status++ },
		"request id":            func(e *model.AuditEntry) { e.RequestID += "x" },
		"detail":                func(e *model.AuditEntry) { e.Detail = nil },
		"previous":              func(e *model.AuditEntry) { e.Previous[5]++ },
		"from one into another": func(e *model.AuditEntry) { e.Actor, e.Action = e.Actor+e.Action[:1], e.Action[1:] },
	} {
		changed := e
		change(&changed)
		if changed.Sum() == base {
			t.Errorf("%s does not count", name)
		}
	}
	shown := e
	shown.Time, shown.Hash = e.Time.UTC().Truncate(time.Microsecond), [32]byte{}
	if shown.Sum() != base {
		t.Error("the hash is over more than is shown")
	}
}
