package webhook

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestBody(t *testing.T) {
	full := model.Event{Seq: 7, ID: "01JD8Q4Z7T9XW3V5K2M6N8P0RS", Time: start.In(time.FixedZone("", 3600)), Kind: model.EventIssued, Actor: "jwt:<b>alice</b>",
		Issuer: issuer, Subject: "rhtVsA1j9zRbNWB2mHf2iM8hUMiMshuK7v", Type: "Test\x00", Application: "01JD8Q4Z7T9XW3V5K2M6N8P0RA", Operation: "01JD8Q4Z7T9XW3V5K2M6N8P0RB",
		Data: json.RawMessage(`{"ledger": 12345678901234567890, "subject":"another", "issuer":null,"nested":{"a":[1,"</script>"]}}`)}
	bare := model.Event{Kind: model.EventExpired, Time: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Issuer: issuer, Subject: "r1", Type: "T",
		Data: json.RawMessage(`{"operation":"made up","request":"made up","actor":"made up"}`)}
	for _, c := range []struct {
		event model.Event
		want  string
	}{
		{full, `{"type":"credential.issued","timestamp":"2030-01-02T03:04:05.678901Z","data":{"actor":"jwt:\u003cb\u003ealice\u003c/b\u003e",` +
			`"credential":"(BIN) 5465737400","issuer":"rabRgqo4PwkMb1jiC8aemUFycN5YYsahuK","ledger":12345678901234567890,"nested":{"a":[1,"\u003c/script\u003e"]},` +
			`"operation":"01JD8Q4Z7T9XW3V5K2M6N8P0RB","request":"01JD8Q4Z7T9XW3V5K2M6N8P0RA","subject":"rhtVsA1j9zRbNWB2mHf2iM8hUMiMshuK7v"}}`},
		{bare, `{"type":"credential.expired","timestamp":"2030-01-01T00:00:00Z","data":{"credential":"T","issuer":"rabRgqo4PwkMb1jiC8aemUFycN5YYsahuK","subject":"r1"}}`},
	} {
		for range 3 {
			got, err := bodyOf(c.event)
			if err != nil || string(got) != c.want {
				t.Errorf("%v\n%s\n%s", err, got, c.want)
			}
		}
	}
	for _, data := range []string{`[]`, `"x"`, `{`, `7`} {
		full.Data = json.RawMessage(data)
		if got, err := bodyOf(full); err == nil {
			t.Errorf("%s: %s", data, got)
		}
	}
}
