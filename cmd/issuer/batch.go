package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
)

const (
	// batchPoll is how often the service is asked how far it has come, batchLine how often that is told where there is no
	// terminal.
	batchPoll, batchLine = 500 * time.Millisecond, 5 * time.Second
	// batchPatience is how long a service that does not answer is asked again.
	batchPatience = 2 * time.Minute
	// batchAnswer bounds one answer of the service, in bytes and in time.
	batchAnswerBytes = 8 << 20
	batchAnswerTime  = 30 * time.Second
	// failuresAtOnce is how many failed rows are asked for at a time.
	failuresAtOnce = 1000
)

// errRowsFailed says that a batch is over and that not all rows were issued.
type errRowsFailed struct{ failed, rows int64 }

func (e errRowsFailed) Error() string {
	return fmt.Sprintf("%d of %d rows came to nothing; they are listed above", e.failed, e.rows)
}

// batchSettings are what the user asked for.
type batchSettings struct {
	file   string // "-" is standard input
	format string // its media type
	url    string // of the service
	token  string // a secret; empty: none
	batch  string // the one to go on with
	key    string // the request's idempotency key
	cancel string // the one to cancel; nothing is sent then
	quiet  bool
}

func readBatchSettings(args []string, dotenv string, c console) (batchSettings, *pflag.FlagSet, error) {
	flags := pflag.NewFlagSet("issuer batch", pflag.ContinueOnError)
	batch := flags.String("batch", "", "go on with a batch that was begun before, by its id; FILE must hold the same rows, from the first one on")
	key := flags.String("key", "", "the batch's Idempotency-Key, to go on with one whose id is not known; a random one where it is not set")
	cancel := flags.String("cancel", "", "cancel a batch, by its id: rows that nothing is signed for are dropped, the others go on; without FILE")
	format := flags.String("format", "", "ndjson or csv; where it is not set, by the end of FILE's name")
	quiet := flags.BoolP("quiet", "q", false, "no progress; failures and the summary are printed all the same")
	v, err := config.Read(flags, config.Pick("HTTP_LISTEN", "ISSUER_URL", "ISSUER_TOKEN"), args, dotenv)
	if err != nil {
		return batchSettings{}, flags, err
	}
	s := batchSettings{batch: strings.TrimSpace(*batch), key: strings.TrimSpace(*key), cancel: strings.TrimSpace(*cancel), quiet: *quiet,
		url: v.Service(), token: v.String("ISSUER_TOKEN")}
	if strings.ContainsFunc(s.token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		v.Fault("ISSUER_TOKEN", "must be a token as issuer token create prints it, in one line")
	}
	if flags.Changed("cancel") {
		if s.cancel == "" || s.batch+s.key+*format != "" || flags.NArg() > 0 {
			v.Wrong("--cancel needs the batch's id, and neither FILE nor --batch, --key or --format")
		}
		return s, flags, errors.Join(v.Err(), warn(v, c))
	}
	if flags.NArg() != 1 {
		v.Wrong("issuer batch needs one FILE, or - for standard input")
	} else {
		s.file = flags.Arg(0)
	}
	if s.batch != "" && s.key != "" {
		v.Wrong("--batch and --key both say which batch it is: give one of them")
	}
	switch f := strings.ToLower(*format); {
	case f == "csv", f == "" && strings.EqualFold(filepath.Ext(s.file), ".csv"):
		s.format = "text/csv"
	case f == "ndjson", f == "jsonl", f == "" && (strings.EqualFold(filepath.Ext(s.file), ".ndjson") || strings.EqualFold(filepath.Ext(s.file), ".jsonl")):
		s.format = "application/x-ndjson"
	case f == "" && s.file != "":
		v.Wrong("--format is needed, as the file's name ends in none of .csv, .ndjson and .jsonl")
	case f != "":
		v.Wrong("--format must be ndjson or csv")
	}
	if s.batch == "" && s.key == "" {
		s.key = "batch-" + rand.Text()
	}
	return s, flags, errors.Join(v.Err(), warn(v, c))
}

// checkFile says what is wrong with the file before anything is sent.
func (s batchSettings) checkFile() error {
	if s.cancel != "" || s.file == "-" {
		return nil
	}
	info, err := os.Stat(s.file)
	switch {
	case err != nil:
	case info.IsDir():
		err = errors.New(s.file + " is a folder")
	case info.Mode().IsRegular(): // a pipe is opened once
		var f *os.File
		if f, err = os.Open(s.file); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		return config.Faults{"FILE: " + err.Error()}
	}
	return nil
}

func batchUsage(w io.Writer, flags *pflag.FlagSet) error {
	_, err := fmt.Fprintf(w, `issuer batch has a running service issue a credential for each row of a file.

  issuer batch FILE.csv            a first line with the columns' names: subject, credential, and any of expiration,
                                   uri, reason (or documents, a JSON object)
  issuer batch FILE.ndjson         one request a line, as POST /credential takes it
  issuer batch --format csv -      from standard input
  issuer batch --cancel ID         drops what of a batch is not signed yet

A service that has tokens wants one with the role admin: ISSUER_TOKEN. The service stores the rows and goes on by itself:
this command may end before it. Rows that came to nothing are printed to standard output, as CSV: row, subject, credential,
error, message; all else goes to standard error. Row 1 is the first one behind the line with the columns' names. Exit status:
0 every row was issued, 1 failed, 2 wrong use, 3 the batch is over and some rows came to nothing.

%s`, flags.FlagUsages())
	return err
}

// runBatch is the subcommand.
func runBatch(ctx context.Context, args []string, dotenv string, c console) error {
	s, flags, err := readBatchSettings(args, dotenv, c)
	if errors.Is(err, pflag.ErrHelp) {
		return batchUsage(c.out, flags)
	}
	if err != nil {
		return err
	}
	if err := s.checkFile(); err != nil {
		return err
	}
	b := &batchRun{settings: s, console: c, id: s.batch, client: &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a token goes to the address that was named, and to no other
	}}
	defer b.client.CloseIdleConnections()
	if s.token != "" && config.OpenToOthers(s.url) {
		b.say("the way to " + s.url + " is not encrypted: the token can be read on it")
	}
	if s.cancel != "" {
		return b.cancel(ctx)
	}
	if f, ok := c.err.(*os.File); ok && !s.quiet && term.IsTerminal(int(f.Fd())) {
		b.columns = func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 0
			}
			return width
		}
	}
	err = b.run(ctx)
	b.endLine()
	var rows errRowsFailed
	if err == nil || errors.As(err, &rows) || b.nothingToGoOnWith(err) {
		return err
	}
	return fmt.Errorf("%w\n%s", err, b.howToGoOn())
}

// nothingToGoOnWith says that the service refused what was sent, and has stored nothing of it: the same again ends alike.
func (b *batchRun) nothingToGoOnWith(err error) bool {
	var no refusedError
	return errors.As(err, &no) && !no.passing() && !b.stored
}

// batchRun is one run of the subcommand.
type batchRun struct {
	settings batchSettings
	console  console
	client   *http.Client
	// columns is how wide the terminal is now, 0 where that is not known; nil where there is no terminal.
	columns func() int

	id string // the batch's, once it is known
	// stored says that the service has told its id, and so has something of it.
	stored bool
	began  time.Time
	first  int64 // rows that were over when this run first looked
	drawn  bool  // a line without its end is on the terminal
	told   time.Time
}

// cancel has the service drop what is left of a batch, and says what became of it.
func (b *batchRun) cancel(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, batchAnswerTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, b.settings.url+"/admin/batch/"+url.PathEscape(b.settings.cancel), nil)
	if err != nil {
		return err
	}
	v, err := b.do(request, http.StatusOK)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(b.console.err, "Batch %s: %d rows dropped now, %d in all; %d issued, %d still on their way, %d came to nothing before\n",
		v.ID, v.Dropped, v.Counts["cancelled"], v.Counts["succeeded"], v.Counts["signed"]+v.Counts["pending"],
		v.Rows-v.Counts["cancelled"]-v.Counts["succeeded"]-v.Counts["signed"]-v.Counts["pending"])
	return err
}

// batchView is what of the service's answers is looked at.
type batchView struct {
	ID       string           `json:"id"`
	State    string           `json:"state"`
	Finished bool             `json:"finished"`
	Rows     int64            `json:"rows"`
	Counts   map[string]int64 `json:"counts"`
	Failures []struct {
		Row        int64  `json:"row"`
		Subject    string `json:"subject"`
		Credential string `json:"credential"`
		Error      string `json:"error"`
		Message    string `json:"error_message"`
	} `json:"failures"`
	Next    int64 `json:"next"`
	Dropped int64 `json:"dropped"`

	Error   string `json:"error"`
	Message string `json:"error_message"`
}

func (v batchView) over() int64 { return v.Rows - v.Counts["pending"] - v.Counts["signed"] }

// refusedError is what the service says no with, and asking again does not help.
type refusedError struct {
	status        int
	code, message string
}

func (e refusedError) Error() string { return fmt.Sprintf("%s (%s)", e.message, e.code) }

// passing says that it may be otherwise later.
func (e refusedError) passing() bool {
	return e.status >= http.StatusInternalServerError || e.status == http.StatusRequestTimeout || e.status == http.StatusTooManyRequests
}

func (b *batchRun) howToGoOn() string {
	name := b.settings.file
	switch {
	case name == "-":
		name = "--format " + map[bool]string{true: "csv", false: "ndjson"}[b.settings.format == "text/csv"] + " -"
	case strings.ContainsAny(name, " '\"$\\"):
		name = "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	if b.id != "" {
		return fmt.Sprintf("What the service has stored goes on without this command. To go on:  issuer batch --batch %s %s", b.id, name)
	}
	return fmt.Sprintf("To go on, without doing anything twice:  issuer batch --key %s %s", b.settings.key, name)
}

func (b *batchRun) run(ctx context.Context) error {
	b.began = time.Now()
	v, err := b.sendAll(ctx)
	if err != nil {
		return err
	}
	b.id = v.ID
	if b.settings.batch != "" { // the rate is that of what is left
		b.first, b.began = v.over(), time.Now()
	}
	b.tell(v)
	poll := time.NewTicker(batchPoll)
	defer poll.Stop()
	for !v.Finished {
		select {
		case <-ctx.Done():
			return errors.New("interrupted")
		case <-poll.C:
		}
		if err := b.patiently(ctx, func() (err error) {
			v, err = b.status(ctx, 0, 1)
			return err
		}); err != nil {
			return err
		}
		b.tell(v)
	}
	failed := v.Rows - v.Counts["succeeded"]
	if failed > 0 {
		if err := b.printFailures(ctx); err != nil {
			return err
		}
	}
	b.endLine()
	took := time.Since(b.began).Round(100 * time.Millisecond)
	if _, err := fmt.Fprintf(b.console.err, "Batch %s: %d of %d rows issued, %d came to nothing, in %v (%.1f a second)\n",
		v.ID, v.Counts["succeeded"], v.Rows, failed, took, float64(v.Rows-b.first)/max(took.Seconds(), .1)); err != nil {
		return err
	}
	if failed > 0 {
		return errRowsFailed{failed, v.Rows}
	}
	return nil
}

// patiently does something again while the service does not answer, or says that it cannot now, for a while.
func (b *batchRun) patiently(ctx context.Context, do func() error) error {
	deadline := time.Now().Add(batchPatience)
	for wait := batchPoll; ; wait = min(2*wait, 10*time.Second) {
		err := do()
		var no refusedError
		if err == nil || errors.As(err, &no) && !no.passing() {
			return err
		}
		var local *os.PathError
		switch {
		case ctx.Err() != nil:
			return errors.New("interrupted")
		case errors.As(err, &local), errors.Is(err, errOnce), time.Now().After(deadline):
			return err
		}
		b.say(fmt.Sprintf("asking again in %v: %v", wait, err))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.New("interrupted")
		}
	}
}

// errOnce says that what standard input held cannot be read again.
var errOnce = errors.New("standard input cannot be read twice")

// sendAll sends the rows. Where the connection breaks, all of them are sent again: the service passes over what it has.
func (b *batchRun) sendAll(ctx context.Context) (v batchView, err error) {
	tried := false
	err = b.patiently(ctx, func() error {
		if tried && b.settings.file == "-" {
			return fmt.Errorf("%w: %w", err, errOnce)
		}
		tried = true
		v, err = b.send(ctx)
		return err
	})
	return v, err
}

func (b *batchRun) send(ctx context.Context) (batchView, error) {
	var body io.Reader = b.console.in
	var size int64
	if b.settings.file != "-" {
		f, err := os.Open(b.settings.file)
		if err != nil {
			return batchView{}, err
		}
		defer func() { _ = f.Close() }()
		info, err := f.Stat()
		if err != nil {
			return batchView{}, err
		}
		if info.Mode().IsRegular() {
			size = info.Size()
		}
		body = f
	}
	counted := &countingReader{r: bufio.NewReaderSize(body, 64<<10)}
	target := b.settings.url + "/admin/credential/batch"
	if b.id != "" {
		target += "?batch=" + url.QueryEscape(b.id)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, io.NopCloser(counted))
	if err != nil {
		return batchView{}, err
	}
	if size > 0 {
		request.ContentLength = size
	}
	request.Header.Set("Content-Type", b.settings.format)
	if b.id == "" {
		request.Header.Set("Idempotency-Key", b.settings.key)
	}
	type answer struct {
		v   batchView
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		v, err := b.do(request, http.StatusAccepted)
		answered <- answer{v, err}
	}()
	tick := time.NewTicker(batchPoll)
	defer tick.Stop()
	for {
		select {
		case a := <-answered:
			return a.v, a.err
		case <-tick.C:
			b.tellSending(counted.n.Load(), size)
		}
	}
}

type countingReader struct {
	r io.Reader
	n atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// do sends a request and reads its answer. The batch's id is taken from the answer's head, also from that of a refusal.
func (b *batchRun) do(request *http.Request, want int) (batchView, error) {
	var v batchView
	if b.settings.token != "" {
		request.Header.Set("Authorization", "Bearer "+b.settings.token)
	}
	response, err := b.client.Do(request)
	if err != nil {
		return v, fmt.Errorf("the service at %s does not answer: %w%s", b.settings.url, unwrapped(err), running(err))
	}
	defer func() { _ = response.Body.Close() }()
	if id, ok := strings.CutPrefix(response.Header.Get("Location"), "/admin/batch/"); ok {
		b.id, b.stored = id, true
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, batchAnswerBytes))
	if strings.Contains(string(text), "HTTP request to an HTTPS server") { // as Go's server has it, which then resets the connection
		return v, refusedError{response.StatusCode, strconv.Itoa(response.StatusCode), "the service at " + b.settings.url + " answers HTTPS: set ISSUER_URL to https://…"}
	}
	if err != nil {
		return v, fmt.Errorf("the service's answer broke off: %w", err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return v, refusedError{response.StatusCode, strconv.Itoa(response.StatusCode), "what answers at " + b.settings.url + " is not the service"}
	}
	if response.StatusCode != want {
		return v, refusedError{response.StatusCode, v.Error, v.Message + b.whatToDo(response.StatusCode)}
	}
	return v, nil
}

// unwrapped leaves out of an error of the HTTP client what it says of the request: that is known.
func unwrapped(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err
	}
	return err
}

// running asks what is most often amiss where nobody listens.
func running(err error) string {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return ". Is the service running? ISSUER_URL says where it is"
	}
	return ""
}

// whatToDo goes on from the words that the service does not let the command in with.
func (b *batchRun) whatToDo(status int) string {
	const make = "set ISSUER_TOKEN to what issuer token create --name NAME --role admin prints"
	switch {
	case status == http.StatusUnauthorized && b.settings.token == "":
		return "; " + make
	case status == http.StatusUnauthorized:
		return "; ISSUER_TOKEN is set, and is no token of this service, or was revoked, or has expired; " + make
	case status == http.StatusForbidden:
		return "; " + make
	}
	return ""
}

func (b *batchRun) status(ctx context.Context, after int64, limit int) (batchView, error) {
	ctx, cancel := context.WithTimeout(ctx, batchAnswerTime)
	defer cancel()
	target := fmt.Sprintf("%s/admin/batch/%s?after=%d&limit=%d", b.settings.url, url.PathEscape(b.id), after, limit)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return batchView{}, err
	}
	return b.do(request, http.StatusOK)
}

// printFailures writes the rows that came to nothing, as CSV.
func (b *batchRun) printFailures(ctx context.Context) error {
	b.endLine()
	if _, err := fmt.Fprintln(b.console.out, "row,subject,credential,error,message"); err != nil {
		return err
	}
	for after := int64(0); ; {
		var v batchView
		if err := b.patiently(ctx, func() (err error) {
			v, err = b.status(ctx, after, failuresAtOnce)
			return err
		}); err != nil {
			return err
		}
		var page bytes.Buffer
		for _, f := range v.Failures {
			fmt.Fprintf(&page, "%d,%s,%s,%s,%s\n", f.Row, cell(f.Subject), cell(f.Credential), cell(f.Error), cell(f.Message))
		}
		if _, err := b.console.out.Write(page.Bytes()); err != nil {
			return err
		}
		if v.Next == 0 {
			return nil
		}
		after = v.Next
	}
}

// cell writes text as a cell of a CSV, on one line, and so that neither a terminal nor a spreadsheet takes it for a command.
func cell(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || 0x7f <= r && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		s = "'" + s
	}
	if strings.ContainsAny(s, `",'`) {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}

// tellSending shows how much of the file is on its way.
func (b *batchRun) tellSending(sent, size int64) {
	line := fmt.Sprintf("sending: %d KiB", sent>>10)
	if size > 0 {
		line = fmt.Sprintf("sending: %3.0f %% of %d KiB", 100*float64(sent)/float64(size), (size+1023)>>10)
	}
	b.progress(line, false)
}

// tell shows how far the service has come.
func (b *batchRun) tell(v batchView) {
	over, failed := v.over(), v.over()-v.Counts["succeeded"]
	rate := float64(over-b.first) / max(time.Since(b.began).Seconds(), .001)
	remaining := "unknown"
	switch left := v.Rows - over; {
	case left == 0:
		remaining = "none"
	case rate > 0:
		remaining = (time.Duration(float64(left)/rate*float64(time.Second)) + time.Second/2).Round(time.Second).String()
	}
	part := 0.0
	if v.Rows > 0 {
		part = float64(over) / float64(v.Rows)
	}
	line := fmt.Sprintf("%d of %d rows (%.0f %%), %d failed, %.1f a second, remaining: %s", over, v.Rows, 100*part, failed, rate, remaining)
	if b.columns != nil {
		line = withBar(line, part, b.columns())
	}
	b.progress(line, v.Finished)
}

// withBar puts a bar in front of a line, as long as a terminal of that many columns has room for; 0 is one of any width.
func withBar(line string, part float64, columns int) string {
	const most, least = 24, 5
	width := most
	if columns > 0 {
		width = min(most, columns-1-len("[] ")-len(line))
	}
	if width < least {
		return line
	}
	full := int(part * float64(width))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "] " + line
}

// fitted cuts a line that would go on in the next row of a terminal: it could not be drawn over there.
func fitted(line string, columns int) string {
	if columns > 0 {
		return line[:min(len(line), columns-1)]
	}
	return line
}

// progress draws a line over the one before on a terminal, and elsewhere writes one now and then.
func (b *batchRun) progress(line string, last bool) {
	switch {
	case b.settings.quiet:
	case b.columns != nil:
		_, _ = fmt.Fprintf(b.console.err, "\r\x1b[K%s", fitted(line, b.columns()))
		b.drawn = true
	case last || time.Since(b.told) >= batchLine:
		_, _ = fmt.Fprintln(b.console.err, line)
		b.told = time.Now()
	}
}

// say writes a line of its own.
func (b *batchRun) say(line string) {
	b.endLine()
	_, _ = fmt.Fprintln(b.console.err, line)
}

func (b *batchRun) endLine() {
	if b.drawn {
		_, _ = fmt.Fprintln(b.console.err)
		b.drawn = false
	}
}
