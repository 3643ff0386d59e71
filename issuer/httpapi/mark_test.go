package httpapi_test

import (
	"net/http"
	"testing"
)

// TestByteOrderMark: a body may begin with one, and is the same request as without it. Only one is ignored.
func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	w := newWorld(t, under(memberPolicy, provenPolicy))
	const mark = "\ufeff"
	body := `{"subject":"` + string(w.subject) + `","credential":"Member","documents":` + memberDocuments + `}`
	send := func(body string) answer {
		return w.send(t, post, "/credential", jsonType+"\nIdempotency-Key: mark", body)
	}
	if a := send(mark + body); a.status != http.StatusCreated {
		t.Errorf("with a mark: %d %s", a.status, a.body)
	}
	if a := send(body); a.status != http.StatusCreated || a.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the same without: %d %s", a.status, a.body)
	}
	signed := proof(t, w.challenge(t, w.subject, "Proven", `{"x":1}`, ""), w.subjectSeed)
	if a := w.send(t, post, "/credential", jsonType, mark+`{"subject":"`+string(w.subject)+`","credential":"Proven","documents":{"x":1}`+signed+`}`); a.status != http.StatusCreated {
		t.Errorf("with a proof: %d %s", a.status, a.body)
	}
	for _, odd := range []string{mark, mark + mark + body, body + mark, "{" + mark + body[1:]} {
		if a := w.send(t, post, "/credential", jsonType, odd); a.status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", odd, a.status, a.body)
		}
	}
}
