package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// The recordings are what a real node answered; testdata/vectors/README.md says what they are and what "agrees" means. Two grades:
// "answers" sets aside what that file says a clock or a host decides, "bits" only what a host does.
//
// VECTORS_DIR names another folder of recordings.
const vectorsDir = "testdata/vectors"

// recordedStep is a line of an HTTP recording.
type recordedStep struct {
	Step     int             `json:"step"`
	Note     string          `json:"note"`
	Request  json.RawMessage `json:"request"`
	Response json.RawMessage `json:"response"`
	Closed   *recordedHeader `json:"closed"`

	// of a WebSocket recording
	Sent     json.RawMessage `json:"sent"`
	Received json.RawMessage `json:"received"`
}

// recordedHeader is the header of a ledger as the recordings have it.
type recordedHeader struct {
	LedgerIndex         string `json:"ledger_index"`
	CloseTime           uint32 `json:"close_time"`
	CloseFlags          uint32 `json:"close_flags"`
	CloseTimeResolution uint32 `json:"close_time_resolution"`
	ParentHash          string `json:"parent_hash"`
	AccountHash         string `json:"account_hash"`
	TransactionHash     string `json:"transaction_hash"`
	LedgerHash          string `json:"ledger_hash"`
	TotalCoins          string `json:"total_coins"`
}

// tally counts what agrees of one recording.
type tally struct {
	total, answers, bits int
	diffs                []string // of the first grade, else of the second
}

func (y *tally) add(where string, answers, bits []string) {
	y.total++
	if len(answers) == 0 {
		y.answers++
	}
	if len(answers) == 0 && len(bits) == 0 {
		y.bits++
		return
	}
	kind, d := "", answers
	if len(d) == 0 {
		kind, d = "(bits) ", bits
	}
	const most = 6
	if len(d) > most {
		d = append(d[:most:most], fmt.Sprintf("… %d more", len(d)-most))
	}
	y.diffs = append(y.diffs, kind+where+"\n    "+strings.Join(d, "\n    "))
}

func TestVectors(t *testing.T) {
	dirs := []string{vectorsDir, filepath.Join(vectorsDir, "queue")}
	if d := os.Getenv("VECTORS_DIR"); d != "" {
		// A relative path may be meant from the repository's root: tests run in their package's folder.
		if _, err := os.Stat(d); err != nil && !filepath.IsAbs(d) {
			d = filepath.Join("..", d)
		}
		dirs = []string{d}
	}
	var files []string
	for _, d := range dirs {
		fs, err := filepath.Glob(filepath.Join(d, "*.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, fs...)
	}
	if len(files) == 0 {
		t.Fatalf("no recordings in %s", strings.Join(dirs, ", "))
	}
	for _, f := range files {
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(f), ".jsonl"), ".ws")
		t.Run(name, func(t *testing.T) {
			steps := readRecording(t, f)
			var y tally
			if strings.HasSuffix(f, ".ws.jsonl") {
				replayWebSocket(t, steps, capacityOf(f, steps), &y)
			} else {
				replayHTTP(t, steps, capacityOf(f, steps), &y)
			}
			fmt.Printf("%s %d/%d answers, %d/%d bits\n", name, y.answers, y.total, y.bits, y.total)
			if y.total == 0 {
				t.Errorf("%s: nothing was compared", f)
			}
			for i, d := range y.diffs {
				if i == 5 {
					t.Errorf("… and %d more", len(y.diffs)-i)
					break
				}
				t.Error(d)
			}
		})
	}
}

func readRecording(t *testing.T, path string) []recordedStep {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	var steps []recordedStep
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var s recordedStep
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		steps = append(steps, s)
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(steps) == 0 || steps[0].Closed == nil {
		t.Fatalf("%s does not begin with the header of ledger 2", path)
	}
	return steps
}

// capacityOf tells the soft limit of the node that was recorded: its first answer to `fee` says so. Recordings without one are of
// a node with 8 in a folder "queue", else with 1,000.
func capacityOf(path string, steps []recordedStep) int {
	for _, s := range steps {
		for _, raw := range []json.RawMessage{s.Response, s.Received} {
			var a struct {
				Result struct {
					Size string `json:"expected_ledger_size"`
				} `json:"result"`
			}
			if json.Unmarshal(raw, &a) == nil && a.Result.Size != "" {
				if n, err := strconv.Atoi(a.Result.Size); err == nil {
					return n
				}
			}
		}
	}
	if filepath.Base(filepath.Dir(path)) == "queue" {
		return 8
	}
	return 1000
}

// recordedWeather is that of servers for recordings; a test sets it.
var recordedWeather *Weather

// startRecorded starts a server with the close time of ledger 2 and the capacity of the recorded node.
func startRecorded(t *testing.T, capacity int, ledger2 *recordedHeader) *Server {
	t.Helper()
	at := ledger2.CloseTime
	return startServer(t, Config{GenesisCloseTime: &at, LedgerCapacity: capacity, Weather: recordedWeather})
}

// startServer starts a server on a port of its own, and ends it with the test.
func startServer(t testing.TB, cfg Config) *Server {
	t.Helper()
	return startLimited(t, cfg, standardLimits)
}

func startLimited(t testing.TB, cfg Config, lim limits) *Server {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	s, err := start(context.Background(), cfg, lim)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("ending the server: %v", err)
		}
	})
	return s
}

// withCloseTime puts the recorded close time into a ledger_accept.
func withCloseTime(t *testing.T, params map[string]json.RawMessage, h *recordedHeader) {
	t.Helper()
	if h == nil { // it closed none
		return
	}
	params["close_time"] = json.RawMessage(strconv.FormatUint(uint64(h.CloseTime), 10))
}

func replayHTTP(t *testing.T, steps []recordedStep, capacity int, y *tally) {
	s := startRecorded(t, capacity, steps[0].Closed)
	client := &http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	pending := headerDiff(t, client, s, steps[0].Closed)
	for _, st := range steps {
		if st.Request == nil {
			continue
		}
		body := st.Request
		method := ""
		if len(body) > 0 && body[0] == '"' {
			var text string
			if err := json.Unmarshal(body, &text); err != nil {
				t.Fatal(err)
			}
			body = []byte(text)
		} else {
			var r struct {
				Method any                          `json:"method"`
				Params []map[string]json.RawMessage `json:"params"`
			}
			if err := json.Unmarshal(body, &r); err == nil {
				method, _ = r.Method.(string)
				if method == "ledger_accept" {
					if len(r.Params) == 0 {
						r.Params = []map[string]json.RawMessage{{}}
					}
					withCloseTime(t, r.Params[0], st.Closed)
					if body, err = json.Marshal(r); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		want := decode(t, st.Response)
		got := postRaw(t, client, s, body)
		answers := compare(answersGrade, method, want, got)
		bits := append(pending, compare(bitsGrade, method, want, got)...)
		pending = nil
		if st.Closed != nil {
			bits = append(bits, headerDiff(t, client, s, st.Closed)...)
		}
		y.add(fmt.Sprintf("step %d %s %s", st.Step, method, st.Note), answers, bits)
	}
}

// postRaw posts a body; an answer that is no JSON becomes {http_status, text}, as in the recordings.
func postRaw(t testing.TB, client *http.Client, s *Server, body []byte) any {
	t.Helper()
	r, err := client.Post(s.URL(), "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		return map[string]any{"http_status": json.Number(strconv.Itoa(r.StatusCode)), "text": string(text)}
	}
	return decode(t, text)
}

func decode(t testing.TB, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

// headerDiff compares a closed ledger's header with the recorded one.
func headerDiff(t testing.TB, client *http.Client, s *Server, want *recordedHeader) []string {
	t.Helper()
	var a struct {
		Result struct {
			Ledger recordedHeader `json:"ledger"`
		} `json:"result"`
	}
	body := fmt.Sprintf(`{"method":"ledger","params":[{"ledger_index":%s}]}`, want.LedgerIndex)
	got := postRaw(t, client, s, []byte(body))
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	if a.Result.Ledger != *want {
		return []string{fmt.Sprintf("closed ledger:\n      want %+v\n      got  %+v", *want, a.Result.Ledger)}
	}
	return nil
}

// replayWebSocket replays a recording of one connection. Answers are matched by their id, those without in order; the streams'
// messages between two closes are compared as a set.
func replayWebSocket(t *testing.T, steps []recordedStep, capacity int, y *tally) {
	s := startRecorded(t, capacity, steps[0].Closed)
	client := &http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	ws, r, err := websocket.Dial(ctx, s.WebSocketURL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Body != nil {
		_ = r.Body.Close() // of a 101: there is none
	}
	defer func() { _ = ws.CloseNow() }() // closed below
	ws.SetReadLimit(16 << 20)

	pending := headerDiff(t, client, s, steps[0].Closed)
	var streamed []any // not compared yet
	receive := func() any {
		_, text, err := ws.Read(ctx)
		if err != nil {
			t.Fatalf("receiving: %v", err)
		}
		return decode(t, text)
	}
	for start := 1; start < len(steps); {
		end := start
		for end < len(steps) && steps[end].Closed == nil {
			end++
		}
		var closed *recordedHeader
		if end < len(steps) {
			closed = steps[end].Closed
		}
		segment := steps[start:end]
		start = end + 1

		var sent []map[string]json.RawMessage // by position, nil for what is no object
		var wantStream, wantAnswers []any
		for _, st := range segment {
			if st.Received != nil {
				if v := decode(t, st.Received); isStreamed(v) {
					wantStream = append(wantStream, v)
				} else {
					wantAnswers = append(wantAnswers, v)
				}
				continue
			}
			text := []byte(st.Sent)
			var request map[string]json.RawMessage
			if len(text) > 0 && text[0] == '"' {
				var raw string
				if err := json.Unmarshal(text, &raw); err != nil {
					t.Fatal(err)
				}
				text = []byte(raw)
			} else if err := json.Unmarshal(text, &request); err == nil && string(request["command"]) == `"ledger_accept"` {
				withCloseTime(t, request, closed)
				if text, err = json.Marshal(request); err != nil {
					t.Fatal(err)
				}
			}
			sent = append(sent, request)
			if err := ws.Write(ctx, websocket.MessageText, text); err != nil {
				t.Fatal(err)
			}
		}
		var gotAnswers []any
		for len(gotAnswers) < len(wantAnswers) || len(streamed) < len(wantStream) {
			if v := receive(); isStreamed(v) {
				streamed = append(streamed, v)
			} else {
				gotAnswers = append(gotAnswers, v)
			}
		}
		for _, want := range wantAnswers {
			id := fieldText(want, "id")
			i := slices.IndexFunc(gotAnswers, func(g any) bool { return fieldText(g, "id") == id })
			method := ""
			for _, q := range sent {
				if q != nil && string(q["id"]) == id {
					method = strings.Trim(string(q["command"]), `"`)
				}
			}
			where := "id " + id + " " + method
			if i < 0 {
				y.add(where, []string{"no answer"}, nil)
				continue
			}
			got := gotAnswers[i]
			gotAnswers = slices.Delete(gotAnswers, i, i+1)
			y.add(where, compare(answersGrade, method, want, got), append(pending, compare(bitsGrade, method, want, got)...))
			pending = nil
		}
		for _, want := range wantStream {
			kind := fieldText(want, "type")
			match := func(g grade) int {
				return slices.IndexFunc(streamed, func(got any) bool { return len(compare(g, kind, want, got)) == 0 })
			}
			var answers, bits []string
			i := match(bitsGrade)
			if i < 0 {
				i = match(answersGrade)
				bits = []string{"no message equals it to the bit"}
			}
			if i < 0 {
				answers = []string{"no such message; of its type came:"}
				for _, got := range streamed {
					if fieldText(got, "type") == kind {
						answers = append(answers, compare(answersGrade, kind, want, got)...)
					}
				}
			} else {
				streamed = slices.Delete(streamed, i, i+1)
			}
			y.add("message "+kind, answers, bits)
		}
		if closed != nil {
			pending = append(pending, headerDiff(t, client, s, closed)...)
		}
		if len(streamed) > 0 {
			t.Errorf("%d messages that were not recorded, such as %v", len(streamed), streamed[0])
			streamed = nil
		}
	}
	if len(pending) > 0 {
		t.Error(pending)
	}
	if err := ws.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("closing: %v", err)
	}
}

// isStreamed tells a stream's message from an answer.
func isStreamed(v any) bool {
	switch fieldText(v, "type") {
	case `"response"`, `"error"`:
		return false
	}
	return true
}

// fieldText is a member of an object as JSON, "" if there is none.
func fieldText(v any, name string) string {
	o, _ := v.(map[string]any)
	m, ok := o[name]
	if !ok {
		return ""
	}
	text, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	return string(text)
}

type grade int

const (
	answersGrade grade = iota
	bitsGrade
)

// compare tells where an answer differs from the recorded one, "" for the same. method is the request's, or a stream message's
// type.
func compare(g grade, method string, want, got any) []string {
	c := comparer{grade: g, method: strings.Trim(method, `"`)}
	c.value(nil, want, got)
	return c.diffs
}

type comparer struct {
	grade  grade
	method string
	diffs  []string
}

// setAside tells whether the value at a path is a clock's or a host's to decide. That it is there, and its type, is compared all
// the same.
func (c *comparer) setAside(path []string) bool {
	key := path[len(path)-1]
	switch c.method {
	case "server_info", "server_state":
		if i := slices.IndexFunc(path, func(k string) bool { return k == "info" || k == "state" }); i >= 0 && i+1 < len(path) {
			switch path[i+1] {
			case "hostid", "initial_sync_duration_us", "io_latency_ms", "jq_trans_overflow", "last_close", "load", "node_size",
				"peer_disconnects", "peer_disconnects_resources", "ports", "pubkey_node", "server_state_duration_us", "state_accounting",
				"time", "uptime":
				return true
			}
			if key == "age" {
				return true
			}
			if key == "hash" && c.grade == answersGrade {
				return true
			}
		}
	case "random":
		if key == "random" {
			return true
		}
	case "subscribe":
		switch key {
		case "hostid", "pubkey_node", "random":
			return true
		}
	}
	if c.grade == bitsGrade {
		return false
	}
	switch key {
	case "date", "ledger_time", "parent_close_time", "ledger_hash", "parent_hash", "account_hash", "transaction_hash", "ctid", "TransactionIndex":
		return true
	}
	return strings.HasPrefix(key, "close_time")
}

// isLedgerHashes tells an entry of a ledger's state that keeps hashes of ledgers.
func isLedgerHashes(v any) bool {
	o, _ := v.(map[string]any)
	for _, k := range []string{"data", "tx_blob", "node_binary"} {
		if s, _ := o[k].(string); strings.HasPrefix(s, "110068") {
			return true
		}
	}
	return o["LedgerEntryType"] == "LedgerHashes"
}

func (c *comparer) differ(path []string, want, got any) {
	short := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			return err.Error()
		}
		if len(text) > 300 {
			text = append(text[:300:300], "…"...)
		}
		return string(text)
	}
	c.diffs = append(c.diffs, fmt.Sprintf("%s: want %s, got %s", strings.Join(path, "."), short(want), short(got)))
}

func (c *comparer) value(path []string, want, got any) {
	if c.grade == answersGrade && isLedgerHashes(want) && isLedgerHashes(got) {
		return
	}
	aside := len(path) > 0 && c.setAside(path)
	switch w := want.(type) {
	case map[string]any:
		o, ok := got.(map[string]any)
		if !ok {
			c.differ(path, want, got)
			return
		}
		if aside {
			return
		}
		for _, k := range slices.Sorted(maps.Keys(w)) {
			if _, ok := o[k]; !ok {
				c.diffs = append(c.diffs, strings.Join(append(path, k), ".")+": missing")
				continue
			}
			c.value(append(path[:len(path):len(path)], k), w[k], o[k])
		}
		for _, k := range slices.Sorted(maps.Keys(o)) {
			if _, ok := w[k]; !ok {
				c.differ(append(path[:len(path):len(path)], k), "nothing", o[k])
			}
		}
	case []any:
		a, ok := got.([]any)
		if !ok {
			c.differ(path, want, got)
			return
		}
		if aside {
			return
		}
		if c.grade == answersGrade && c.method == "ledger" && len(path) > 1 && path[len(path)-1] == "transactions" && path[len(path)-2] == "ledger" {
			w, a = byHash(w), byHash(a)
		}
		if len(w) != len(a) {
			c.diffs = append(c.diffs, fmt.Sprintf("%s: want %d elements, got %d", strings.Join(path, "."), len(w), len(a)))
		}
		for i := range min(len(w), len(a)) {
			c.value(append(path[:len(path):len(path)], strconv.Itoa(i)), w[i], a[i])
		}
	case json.Number:
		n, ok := got.(json.Number)
		if !ok || !aside && !sameNumber(w, n) {
			c.differ(path, want, got)
		}
	case string:
		s, ok := got.(string)
		if !ok || !aside && s != w {
			c.differ(path, want, got)
		}
	default: // bool, nil
		if want != got {
			c.differ(path, want, got)
		}
	}
}

func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, errX := a.Float64()
	y, errY := b.Float64()
	return errX == nil && errY == nil && x == y
}

// byHash sorts a ledger's transactions, which are hashes, or objects with one.
func byHash(txs []any) []any {
	key := func(v any) string {
		if s, ok := v.(string); ok {
			return s
		}
		if h := fieldText(v, "hash"); h != "" {
			return h
		}
		return fieldText(v, "tx_blob")
	}
	sorted := slices.Clone(txs)
	slices.SortFunc(sorted, func(a, b any) int { return strings.Compare(key(a), key(b)) })
	return sorted
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The comparison sees what it must see, and sets aside no more than it may.
func TestCompare(t *testing.T) {
	for _, c := range []struct {
		method, want, got string
		answers, bits     bool // whether it agrees
	}{
		{"tx", `{"a":1}`, `{"a":1}`, true, true},
		{"tx", `{"a":1}`, `{"a":2}`, false, false},
		{"tx", `{"a":1}`, `{"a":"1"}`, false, false},
		{"tx", `{"a":1}`, `{}`, false, false},
		{"tx", `{}`, `{"a":1}`, false, false},
		{"tx", `{"a":[1,2]}`, `{"a":[2,1]}`, false, false},
		{"tx", `{"a":[1]}`, `{"a":[1,2]}`, false, false},
		{"tx", `{"a":0.2}`, `{"a":2e-1}`, true, true},
		{"tx", `{"hash":"A"}`, `{"hash":"B"}`, false, false},
		{"tx", `{"date":1,"ctid":"A"}`, `{"date":2,"ctid":"B"}`, true, false},
		{"tx", `{"date":1}`, `{"date":"1"}`, false, false},
		{"tx", `{"date":1}`, `{}`, false, false},
		{"ledger", `{"ledger":{"transactions":["A","B"]}}`, `{"ledger":{"transactions":["B","A"]}}`, true, false},
		{"ledger", `{"ledger":{"transactions":["A","B"]}}`, `{"ledger":{"transactions":["B","B"]}}`, false, false},
		{"account_tx", `{"transactions":["A","B"]}`, `{"transactions":["B","A"]}`, false, false},
		{"ledger_data", `{"state":[{"data":"11006801"}]}`, `{"state":[{"data":"11006802"}]}`, true, false},
		{"ledger_data", `{"state":[{"data":"11006101"}]}`, `{"state":[{"data":"11006102"}]}`, false, false},
		{"ledger_data", `{"state":[{"LedgerEntryType":"LedgerHashes","Hashes":["A"]}]}`, `{"state":[{"LedgerEntryType":"LedgerHashes","Hashes":["B"]}]}`, true, false},
		{"server_info", `{"info":{"uptime":1,"peers":0}}`, `{"info":{"uptime":2,"peers":0}}`, true, true},
		{"server_info", `{"info":{"peers":0}}`, `{"info":{"peers":1}}`, false, false},
		{"server_info", `{"info":{"validated_ledger":{"hash":"A"}}}`, `{"info":{"validated_ledger":{"hash":"B"}}}`, true, false},
		{"fee", `{"uptime":1}`, `{"uptime":2}`, false, false},
		{"random", `{"random":"A"}`, `{"random":"B"}`, true, true},
	} {
		want, got := decode(t, []byte(c.want)), decode(t, []byte(c.got))
		if a, b := len(compare(answersGrade, c.method, want, got)) == 0, len(compare(bitsGrade, c.method, want, got)) == 0; a != c.answers || b != c.bits {
			t.Errorf("%s: %s and %s agree: %v, %v", c.method, c.want, c.got, a, b)
		}
	}
}
