package httpapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

const (
	ndjsonType = "Content-Type: application/x-ndjson"
	csvType    = "Content-Type: text/csv"
)

// batchView is what GET /admin/batch/{id} tells.
type batchView struct {
	ID, State string
	Finished  bool
	Rows      int64
	Counts    map[string]int64
	Failures  []struct {
		Row                            int64
		Operation, Subject, Credential string
		Hash                           string
		Error                          string
		Message                        string `json:"error_message"`
	}
	Next      int64
	Cancelled string
	Dropped   *int64
}

func view(t *testing.T, a answer, status int) batchView {
	t.Helper()
	var v batchView
	if err := json.Unmarshal(a.body, &v); err != nil || a.status != status {
		t.Fatalf("%d %v: %s", a.status, err, a.body)
	}
	return v
}

// finished asks for a batch until all its rows have their end.
func (w *world) finished(t *testing.T, location string) batchView {
	t.Helper()
	for {
		v := view(t, w.send(t, get, location, "", ""), http.StatusOK)
		if v.Finished {
			return v
		}
		w.tickTwice()
	}
}

// lines are the rows of a batch in NDJSON. What bad says of a row takes its place.
func (w *world) lines(from, to int, bad map[int]string) string {
	var b strings.Builder
	for n := from; n <= to; n++ {
		line, ok := bad[n]
		if !ok {
			line = w.body(fmt.Sprintf("Row%d", n))
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// TestBatch: a thousand rows, some of them wrong in each of the ways in which one can be.
func TestBatch(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		const rows = 1000
		w := newWorld(t, on(database), func(c *worldConfig) { c.closeInterval = 300 * time.Millisecond })
		w.issue(w.subject, "Row500")
		before := w.account()
		bad := map[int]string{
			1:    `{`,
			17:   strings.Replace(w.body("Row17"), string(w.subject), "rNobody", 1),
			18:   strings.Replace(w.body("Row18"), "please", "now", 1),
			19:   strings.Replace(w.body("Row19"), `"documents"`, `"expiration":"2001-01-01T00:00:00Z","documents"`, 1),
			400:  strings.Repeat("x", 70_000),
			777:  strings.Replace(w.body("Row777"), string(w.subject), absent, 1), // on no ledger
			1000: w.body("Row999"),                                                // twice in the batch
		}
		a := w.send(t, post, "/admin/credential/batch", ndjsonType, w.lines(1, rows, bad))
		v := view(t, a, http.StatusAccepted)
		if v.ID == "" || a.header.Get("Location") != "/admin/batch/"+v.ID || v.State != "received" || v.Rows != rows || v.Counts["rejected"] != 8 {
			t.Fatalf("%v: %s", a.header, a.body)
		}
		v = w.finished(t, a.header.Get("Location"))
		if v.Counts["succeeded"] != 992 || v.Counts["rejected"] != 8 || v.Counts["failed"] != 0 || v.Counts["pending"]+v.Counts["signed"]+v.Counts["expired"] != 0 {
			t.Errorf("%+v", v)
		}
		want := []struct {
			row           int64
			code, message string
		}{
			{1, "badRequest", "the row must be one JSON object"}, {17, "badRequest", "subject"}, {18, "badRequest", "documents.reason must"},
			{19, "badRequest", "expiration must not be past"}, {400, "badRequest", "a row must not have more than 65536 bytes"},
			{500, "tecDUPLICATE", "stands already for this subject: revoke it before you issue it anew (the one that stands is not accepted yet)"}, {777, "tecNO_TARGET", "not on the ledger"}, {1000, "inProgress", "operation"},
		}
		if len(v.Failures) != len(want) || v.Next != 0 {
			t.Fatalf("%+v", v.Failures)
		}
		for i, f := range v.Failures {
			if f.Row != want[i].row || f.Error != want[i].code || !strings.Contains(f.Message, want[i].message) || f.Operation+f.Hash != "" {
				t.Errorf("%+v, want %+v", f, want[i])
			}
		}
		// In pages.
		var paged []int64
		for after := int64(0); ; {
			p := view(t, w.send(t, get, fmt.Sprintf("/admin/batch/%s?limit=3&after=%d", v.ID, after), "", ""), http.StatusOK)
			for _, f := range p.Failures {
				paged = append(paged, f.Row)
			}
			if after = p.Next; after == 0 {
				break
			}
		}
		if fmt.Sprint(paged) != "[1 17 18 19 400 500 777 1000]" {
			t.Errorf("in pages: %v", paged)
		}
		if after := w.account(); after.Sequence != before.Sequence+992 || after.OwnerCount != before.OwnerCount+992 {
			t.Errorf("%d transactions were paid for, %d credentials made", after.Sequence-before.Sequence, after.OwnerCount-before.OwnerCount)
		}
		// A row can be followed like any operation.
		all, err := w.store.BatchRows(t.Context(), model.OperationID(v.ID), 1, 1, false)
		if err != nil || len(all) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		if o := w.follow(t, "/operations/"+string(all[0].Operation)); string(o.Batch) != v.ID || o.Row != 2 || o.Status != http.StatusCreated {
			t.Errorf("%+v", o)
		}
	})
}

// TestBatchGoesOn: a batch whose sender breaks off is completed by sending it again, with its key, or with its id; in
// another process too; and what is stored is not stored twice.
func TestBatchGoesOn(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		const rows = 1300
		w := newWorld(t, on(database), func(c *worldConfig) { c.closeInterval = 300 * time.Millisecond })
		before := w.account()
		all := w.lines(1, rows, map[int]string{3: "wrong"})
		u, err := url.Parse(w.url)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		part := w.lines(1, 700, map[int]string{3: "wrong"})
		if _, err := fmt.Fprintf(conn, "POST /admin/credential/batch HTTP/1.1\r\nHost: x\r\n%s\r\nIdempotency-Key: batch\r\nContent-Length: %d\r\n\r\n%s",
			ndjsonType, len(all), part[:len(part)-20]); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil { // the rest never comes
			t.Fatal(err)
		}
		_, _ = io.ReadAll(conn) // it is over when the service has hung up
		_ = conn.Close()
		again := w.secondService(t)
		a := again.send(t, post, "/admin/credential/batch", ndjsonType+"\nIdempotency-Key: batch", all)
		location := a.header.Get("Location")
		if v := view(t, a, http.StatusAccepted); location != "/admin/batch/"+v.ID || v.Rows != rows || a.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("with the key: %v %s", a.header, a.body)
		}
		a = w.send(t, post, "/admin/credential/batch?batch="+strings.TrimPrefix(location, "/admin/batch/"), ndjsonType, all)
		if v := view(t, a, http.StatusAccepted); a.header.Get("Location") != location || v.Rows != rows {
			t.Errorf("with the id: %v %s", a.header, a.body)
		}
		for what, body := range map[string]string{"more rows": all + w.body("More") + "\n", "fewer rows": w.lines(1, 800, nil)} {
			a := w.send(t, post, "/admin/credential/batch", ndjsonType+"\nIdempotency-Key: batch", body)
			if a.status != http.StatusConflict || a.str("error") != "wrongState" {
				t.Errorf("%s: %d %s", what, a.status, a.body)
			}
		}
		if a := w.send(t, post, "/admin/credential/batch", csvType+"\nIdempotency-Key: batch", "subject,credential\na,b\n"); a.status != http.StatusUnprocessableEntity {
			t.Errorf("the key for another kind of batch: %d %s", a.status, a.body)
		}
		if a := w.keyed(t, "batch", w.body("A")); a.status != http.StatusUnprocessableEntity {
			t.Errorf("the batch's key for a request: %d %s", a.status, a.body)
		}
		v := w.finished(t, location)
		if v.Counts["succeeded"] != rows-1 || v.Counts["rejected"] != 1 {
			t.Errorf("%+v", v)
		}
		if after := w.account(); after.Sequence != before.Sequence+rows-1 || after.OwnerCount != before.OwnerCount+rows-1 {
			t.Errorf("%d transactions were paid for, %d credentials made", after.Sequence-before.Sequence, after.OwnerCount-before.OwnerCount)
		}
	})
}

// TestBatchOtherRows: a batch that is gone on with must hold the rows that were sent before. Where one is another, it is told
// which, and nothing changes; where all are the same, it goes on.
func TestBatchOtherRows(t *testing.T) {
	w := newWorld(t, func(c *worldConfig) { c.noLane = true })
	const path, key = "/admin/credential/batch", "\nIdempotency-Key: rows"
	bad := map[int]string{3: "wrong", 700: strings.Repeat("y", 70_000) + "1"}
	location := w.send(t, post, path, ndjsonType+key, w.lines(1, 1200, bad)).header.Get("Location")
	for row, text := range map[int]string{
		1: w.body("Other"), 3: "also wrong", 500: w.body("Row499"), 501: w.body("Other"), 700: strings.Repeat("y", 70_000) + "2", 1200: w.body("Row12000"),
	} {
		others := map[int]string{3: bad[3], 700: bad[700]}
		others[row] = text
		for _, target := range []string{path, path + "?batch=" + strings.TrimPrefix(location, "/admin/batch/")} {
			headers := ndjsonType
			if target == path {
				headers += key
			}
			a := w.send(t, post, target, headers, w.lines(1, 1300, others))
			if a.status != http.StatusConflict || a.str("error") != "wrongState" || !strings.HasPrefix(a.str("error_message"), fmt.Sprintf("row %d is not the row %[1]d that batch ", row)) {
				t.Errorf("row %d: %d %s", row, a.status, a.body)
			}
		}
	}
	v := view(t, w.send(t, get, location, "", ""), http.StatusOK)
	if v.Rows != 1200 || v.Counts["pending"] != 1198 || v.Counts["rejected"] != 2 {
		t.Errorf("%+v", v)
	}
	view(t, w.send(t, post, path, ndjsonType+key, strings.ReplaceAll(w.lines(1, 1200, bad), "\n", "\n\n")), http.StatusAccepted)

	// In a table, the first line is part of it.
	table := fmt.Sprintf("subject,credential,uri,reason\n%[1]s,A,,please\n%[1]s,B,,please\n", w.subject)
	location = w.send(t, post, path, csvType, table).header.Get("Location")
	again := path + "?batch=" + strings.TrimPrefix(location, "/admin/batch/")
	view(t, w.send(t, post, again, csvType, strings.ReplaceAll(table, "\n", "\r\n")), http.StatusAccepted)
	for what, text := range map[string]string{"columns": strings.Replace(table, "uri,reason", "reason,uri", 1), "a cell": strings.Replace(table, ",B,,please", ",B,,now please", 1)} {
		if a := w.send(t, post, again, csvType, text); a.status != http.StatusConflict || a.str("error") != "wrongState" {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
}

// TestBatchCancel: what nothing is signed for is dropped and costs nothing, what it drops is said, and saying it again changes
// nothing; one that is not all there takes no more rows.
func TestBatchCancel(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		w := newWorld(t, on(database), func(c *worldConfig) { c.noLane = true })
		before := w.account()
		a := w.send(t, post, "/admin/credential/batch", ndjsonType, w.lines(1, 50, map[int]string{7: "wrong"}))
		v := view(t, a, http.StatusAccepted)
		location := a.header.Get("Location")
		for n, want := range []int64{49, 0} {
			a := w.send(t, "DELETE", location, "", "")
			v := view(t, a, http.StatusOK)
			if v.Dropped == nil || *v.Dropped != want || !v.Finished || v.Counts["cancelled"] != 49 || v.Counts["rejected"] != 1 || v.Cancelled == "" {
				t.Errorf("time %d: %s", n+1, a.body)
			}
		}
		shown := view(t, w.send(t, get, location, "", ""), http.StatusOK)
		if shown.Cancelled == "" || shown.Dropped != nil || len(shown.Failures) != 50 || shown.Failures[0].Error != "cancelled" || !strings.Contains(shown.Failures[0].Message, "cancelled before anything was signed") {
			t.Errorf("%+v", shown)
		}
		if a := w.send(t, post, "/admin/credential/batch?batch="+v.ID, ndjsonType, w.lines(1, 51, map[int]string{7: "wrong"})); a.status != http.StatusConflict || !strings.Contains(a.str("error_message"), "was cancelled") {
			t.Errorf("one more row: %d %s", a.status, a.body)
		}
		// The same credentials can be asked for anew.
		view(t, w.send(t, post, "/admin/credential/batch", ndjsonType, w.lines(1, 50, nil)), http.StatusAccepted)
		if after := w.account(); after.Sequence != before.Sequence {
			t.Errorf("%d transactions were sent", after.Sequence-before.Sequence)
		}
		for _, target := range []string{"/admin/batch/01JD8Q4Z7T9XW3V5K2M6N8P0RS", "/admin/batch/x"} {
			if a := w.send(t, "DELETE", target, "", ""); a.status != http.StatusNotFound || a.str("error") != "batchNotFound" {
				t.Errorf("%s: %d %s", target, a.status, a.body)
			}
		}
	})
}

// TestBatchCSV: the same in a table, chunked.
func TestBatchCSV(t *testing.T) {
	w := newWorld(t)
	a := w.send(t, post, "/admin/credential/batch", csvType+"; charset=utf-8; header=present\nTransfer-Encoding: chunked", fmt.Sprintf(
		"subject,credential,expiration,uri,reason\r\n%[1]s,One,,,please\r\n%[1]s,Two,2100-01-01T00:00:00Z,https://example.com/a,\"please,\nplease\"\r\n%[1]s,Three,,,no\r\n", w.subject))
	view(t, a, http.StatusAccepted)
	v := w.finished(t, a.header.Get("Location"))
	if v.Counts["succeeded"] != 2 || v.Counts["rejected"] != 1 || len(v.Failures) != 1 || v.Failures[0].Row != 3 {
		t.Errorf("%+v", v)
	}
	c, err := w.client.Credential(t.Context(), w.subject, w.issuer, "Two")
	if err != nil || c.URI != "https://example.com/a" || model.FormatTime(c.Expiration) != "2100-01-01T00:00:00Z" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestBatchRefused: what is wrong with a batch as a whole stores nothing.
func TestBatchRefused(t *testing.T) {
	w := newWorld(t, func(c *worldConfig) { c.noLane = true })
	const path = "/admin/credential/batch"
	for _, tc := range []struct {
		name, target, headers, body string
		status                      int
		code                        string
	}{
		{"JSON", path, jsonType, w.body("A"), 415, "unsupportedMediaType"},
		{"no type", path, "", w.body("A"), 415, "unsupportedMediaType"},
		{"compressed", path, ndjsonType + "\nContent-Encoding: gzip", w.body("A"), 415, "unsupportedMediaType"},
		{"other characters", path, csvType + "; charset=latin1", "subject,credential\n", 415, "unsupportedMediaType"},
		{"no rows", path, ndjsonType, "\n\n", 400, "badRequest"},
		{"no first line", path, csvType, "", 400, "badRequest"},
		{"wrong first line", path, csvType, "a,b\n", 400, "badRequest"},
		{"first line alone", path, csvType, "subject,credential\n", 400, "badRequest"},
		{"unknown parameter", path + "?x=1", ndjsonType, w.body("A"), 400, "badRequest"},
		{"no id", path + "?batch=1", ndjsonType, w.body("A"), 400, "badRequest"},
		{"unknown batch", path + "?batch=01JD8Q4Z7T9XW3V5K2M6N8P0RS", ndjsonType, w.body("A"), 404, "batchNotFound"},
		{"id and key", path + "?batch=01JD8Q4Z7T9XW3V5K2M6N8P0RS", ndjsonType + "\nIdempotency-Key: k", w.body("A"), 400, "badRequest"},
		{"bad key", path, ndjsonType + "\nIdempotency-Key: ", w.body("A"), 400, "badRequest"},
	} {
		a := w.send(t, post, tc.target, tc.headers, tc.body)
		a.holdsItsForm(t)
		if a.status != tc.status || a.str("error") != tc.code || a.header.Get("Location") != "" {
			t.Errorf("%s: %d %v %s", tc.name, a.status, a.header, a.body)
		}
	}
	for _, target := range []string{"/admin/batch/01JD8Q4Z7T9XW3V5K2M6N8P0RS", "/admin/batch/x"} {
		if a := w.send(t, get, target, "", ""); a.status != http.StatusNotFound || a.str("error") != "batchNotFound" {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	for _, q := range []string{"?after=-1", "?after=x", "?limit=0", "?limit=1001", "?limit=1&limit=2", "?x=1"} {
		if a := w.send(t, get, "/admin/batch/01JD8Q4Z7T9XW3V5K2M6N8P0RS"+q, "", ""); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", q, a.status, a.body)
		}
	}
	// Too large, as it says itself: nothing of it is read.
	u, _ := url.Parse(w.url)
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\nContent-Length: 1000000000\r\n\r\n", path, ndjsonType); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 12)
	if _, err := io.ReadFull(conn, said); err != nil || string(said) != "HTTP/1.1 413" {
		t.Errorf("%q, %v", said, err)
	}
	if depth, err := w.store.Depth(t.Context(), w.issuer); err != nil || depth.Pending != 0 {
		t.Errorf("stored all the same: %+v, %v", depth, err)
	}
}

// TestBatchStalls: a sender that stops in the middle is told how to go on, and what it has sent is stored.
func TestBatchStalls(t *testing.T) {
	w := newWorld(t, func(c *worldConfig) { c.api = func(a *httpapi.Config) { a.BodyTime = 300 * time.Millisecond } })
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "POST /admin/credential/batch HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\nContent-Length: 10000\r\n\r\n%s",
		ndjsonType, w.lines(1, 3, nil)+"{"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(response.Body)
	location := response.Header.Get("Location")
	if err != nil || response.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(said), "?batch="+strings.TrimPrefix(location, "/admin/batch/")) {
		t.Fatalf("%d %v %s", response.StatusCode, err, said)
	}
	if v := view(t, w.send(t, get, location, "", ""), http.StatusOK); v.State != "receiving" || v.Rows != 3 || v.Finished {
		t.Errorf("%+v", v)
	}
	view(t, w.send(t, post, "/admin/credential/batch?batch="+strings.TrimPrefix(location, "/admin/batch/"), ndjsonType, w.lines(1, 5, nil)), http.StatusAccepted)
	if v := w.finished(t, location); v.Counts["succeeded"] != 5 {
		t.Errorf("%+v", v)
	}
}
