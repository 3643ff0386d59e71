package httpapi

import (
	"fmt"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// A window has one entry for each minute with calls, and is forgotten after one without. The calls of a minute are counted
// exactly.
func TestReadWindows(t *testing.T) {
	var r reads
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	k := readKey{"token:a", "GET /admin/status", 200}
	check := func(all bool, want ...string) {
		t.Helper()
		var got []string
		for _, e := range r.due(now, all) {
			got = append(got, e.Target+" "+string(e.Detail))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if !r.add(k, now) || r.add(k, now.Add(time.Second)) || r.add(k, now.Add(2*time.Second)) || !r.add(readKey{"token:b", k.target, 200}, now) {
		t.Error("the first call of a caller alone has an entry at once")
	}
	now = now.Add(readWindow - 1)
	check(false)
	now = now.Add(1)
	check(false, `GET /admin/status {"count":2,"first":"2030-01-02T03:04:06Z","last":"2030-01-02T03:04:07Z"}`)
	if r.add(k, now) {
		t.Error("the window goes on")
	}
	check(true, `GET /admin/status {"count":1,"first":"2030-01-02T03:05:05Z","last":"2030-01-02T03:05:05Z"}`)
	now = now.Add(readWindow)
	check(false)
	if len(r.windows) != 0 || !r.add(k, now) {
		t.Errorf("%d windows are left", len(r.windows))
	}
	for n := range maxReads + 10 {
		if !r.add(readKey{model.ActorSandbox, fmt.Sprint(n), 200}, now) {
			t.Fatal(n)
		}
	}
	if len(r.windows) > maxReads {
		t.Errorf("%d windows", len(r.windows))
	}
}
