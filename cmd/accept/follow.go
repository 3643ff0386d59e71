package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/pflag"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/model"
)

const followUsage = `accept follow waits until a person has decided on a request, and says what became of it.

  accept follow LINK           LINK is what accept prove has printed
  accept follow -              reads it from standard input, so that it is on no command line
  accept follow --once LINK    says how it stands now, and does not wait

It needs no seed: who has the link may look. Exit status: 0 issued, or with --once still waiting; 1 rejected, lapsed, withdrawn or
failed; 2 wrong use.

%s`

const requests = "/request/"

// How often a request is looked at: often at first, as a reviewer may sit beside the applicant, and then less so.
const (
	firstPoll, mostPoll = time.Second, 15 * time.Second
	// mostDown is how often in a row nobody may answer. With the pauses between it is about an hour.
	mostDown = 240
)

// link is where one request is followed.
type link struct{ base, id, secret string }

func (l link) String() string {
	return l.base + requests + l.id + "?" + url.Values{"secret": {l.secret}}.Encode()
}

var errLink = errors.New("must be the link of a request: https://HOST/request/ID?secret=SECRET")

// parseLink reads a link. One that begins with a slash is of the service at base.
func parseLink(s, base string) (link, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.User != nil || u.Fragment != "" {
		return link{}, errLink
	}
	at := strings.LastIndex(u.Path, requests)
	l := link{base: base, secret: u.Query().Get("secret")}
	if at < 0 || l.secret == "" || strings.ContainsFunc(l.secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return link{}, errLink
	}
	if u.Host != "" {
		if u.Scheme != "http" && u.Scheme != "https" {
			return link{}, errLink
		}
		l.base = u.Scheme + "://" + u.Host + u.EscapedPath()[:strings.LastIndex(u.EscapedPath(), requests)]
	} else if at > 0 || u.Scheme != "" {
		return link{}, errLink
	}
	id, err := model.ParseOperationID(u.Path[at+len(requests):])
	if err != nil {
		return link{}, errLink
	}
	l.id = string(id)
	return l, nil
}

// link reads what the service tells as one: of itself, and of nobody else.
func (s *service) link(told string) (link, error) {
	if !strings.HasPrefix(told, requests) {
		return link{}, errLink
	}
	return parseLink(told, s.url)
}

// requestPath says whether a Location is that of a request that waits for a person.
func requestPath(location string) (string, bool) {
	return printable(location), strings.HasPrefix(location, requests)
}

// followed is how to follow.
type followed struct{ json, once bool }

// runFollow is the subcommand.
func runFollow(ctx context.Context, args []string, dotenv string, in *os.File, out, errs io.Writer) error {
	var f followed
	flags := pflag.NewFlagSet("accept follow", pflag.ContinueOnError)
	flags.BoolVar(&f.once, "once", false, "do not wait")
	flags.BoolVar(&f.json, "json", false, "print for programs: what the service answers at the end")
	v, err := config.Read(flags, config.Pick("ISSUER_URL", "HTTP_LISTEN"), args, dotenv)
	if errors.Is(err, pflag.ErrHelp) {
		_, err := fmt.Fprintf(out, followUsage, flags.FlagUsages())
		return err
	}
	if err != nil {
		return err
	}
	base, text := v.Service(), flags.Arg(0)
	if flags.NArg() != 1 {
		v.Wrong("accept follow needs one LINK, or - for standard input")
	} else if text == "-" {
		read, err := io.ReadAll(io.LimitReader(in, 4096))
		if err != nil {
			return errUsage{fmt.Errorf("the link: %w", err)}
		}
		text = string(read)
	}
	var at link
	if flags.NArg() == 1 {
		if at, err = parseLink(text, base); err != nil {
			v.Fault("LINK", err.Error())
		}
	}
	if err := checked(v, errs); err != nil {
		return err
	}
	s := newService(at.base)
	defer s.close()
	return forPrograms(f.json, out, interrupted(ctx, s.follow(ctx, at, f, out, errs)))
}

// standing is a request as its applicant is shown it.
type standing struct {
	State      model.ApplicationState `json:"state"`
	Credential string                 `json:"credential"`
	Reason     string                 `json:"reason"`
	Message    string                 `json:"message"`
	Operation  *operation             `json:"operation"`
}

// operation is one as the service shows it.
type operation struct {
	ID     string          `json:"id"`
	Final  bool            `json:"final"`
	Status int             `json:"status"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// undecided are the ends of a request that nobody decided on.
var undecided = map[model.ApplicationState]string{model.ApplicationLapsed: "has lapsed", model.ApplicationWithdrawn: "was withdrawn"}

// over says that nothing more will happen by itself.
func (r standing) over() bool {
	switch r.State {
	case model.ApplicationRejected, model.ApplicationLapsed, model.ApplicationWithdrawn:
		return true
	case model.ApplicationApproved:
		return r.Operation == nil || r.Operation.Final
	}
	return false
}

// look asks how a request stands. The secret goes into a header: what is in an address is in logs.
func (s *service) look(ctx context.Context, at link) (standing, []byte, error) {
	var r standing
	a, err := s.ask(ctx, http.MethodGet, requests+at.id, http.Header{"Authorization": {"Bearer " + at.secret}}, nil, 0)
	if err != nil {
		return r, nil, err
	}
	if err := json.Unmarshal(a.body, &r); err != nil || r.State == "" {
		return r, nil, s.stranger(a.status, nil)
	}
	return r, a.body, nil
}

// follow waits until a request is over, and says what became of it.
func (s *service) follow(ctx context.Context, at link, f followed, out, errs io.Writer) error {
	r, body, err := s.look(ctx, at)
	if err != nil {
		return err
	}
	if !r.over() && !f.once {
		if r, body, err = s.await(ctx, at, r, errs); err != nil {
			return err
		}
	}
	switch {
	case f.once && !r.over():
		if f.json {
			return printJSON(out, body)
		}
		how := "waits for a person to decide on it"
		if r.State == model.ApplicationApproved {
			how = "was approved, and is on its way to the ledger"
		}
		_, err := fmt.Fprintf(out, "%s %s.\n", quoteText(r.Credential), how)
		return err
	case f.json:
		err = printJSON(out, body)
	case r.State == model.ApplicationRejected:
		said := r.Reason
		if said == "" {
			said = "erased, as its time was over"
		}
		_, err = fmt.Fprintf(out, "%s was rejected.\n    reason   %s\n", quoteText(r.Credential), shown(said))
	case undecided[r.State] != "":
		_, err = fmt.Fprintf(out, "%s %s.\n    %s\n", quoteText(r.Credential), undecided[r.State], shown(r.Message))
	}
	switch {
	case err != nil:
		return err
	case r.State == model.ApplicationRejected:
		return errSaid{errors.New("the request was rejected")}
	case undecided[r.State] != "":
		return errSaid{errors.New("the request " + undecided[r.State])}
	case r.Operation == nil:
		return s.stranger(http.StatusOK, nil)
	case len(r.Operation.Error) > 0:
		e, _ := errorOf(r.Operation.Status, r.Operation.Error)
		err := fmt.Errorf("the request was approved, and nothing was issued; the issuer may approve it again: %w", e)
		if f.json {
			return errSaid{err}
		}
		return err
	case f.json:
		return nil
	}
	return printIssued(out, errs, false, r.Operation.Result)
}

// await looks again and again, until it is over.
func (s *service) await(ctx context.Context, at link, r standing, errs io.Writer) (standing, []byte, error) {
	line := newLine(errs, "Waiting for a decision")
	var body []byte
	down := 0
	for poll := firstPoll; ; poll = min(poll*5/4, mostPoll) {
		if r.State == model.ApplicationApproved {
			poll = firstPoll // a ledger closes every few seconds
		}
		if err := s.pause(ctx, poll); err != nil {
			line.end("Stopped")
			return r, nil, errors.New("stopped; the request goes on without this command, and the same link follows it again")
		}
		now, text, err := s.look(ctx, at)
		switch {
		case err == nil:
			r, body, down = now, text, 0
		case ctx.Err() != nil:
			continue
		case again(err) && down < mostDown:
			down++
			continue
		default:
			line.end("Ended")
			return r, nil, err
		}
		if r.over() {
			how := "Decided"
			if undecided[r.State] != "" {
				how = "Ended"
			}
			line.end(how)
			return r, body, nil
		}
	}
}

// outcome waits for the end of an operation that the service has answered before it was over.
func (s *service) outcome(ctx context.Context, body []byte) ([]byte, error) {
	for down := 0; ; {
		var op operation
		if err := json.Unmarshal(body, &op); err != nil || op.ID == "" {
			return nil, s.stranger(http.StatusAccepted, nil)
		}
		switch {
		case op.Final && len(op.Error) > 0:
			e, _ := errorOf(op.Status, op.Error)
			return nil, e
		case op.Final:
			return op.Result, nil
		}
		a, err := s.ask(ctx, http.MethodGet, "/operations/"+url.PathEscape(op.ID), nil, nil, waitAtOnce)
		switch {
		case err == nil:
			body, down = a.body, 0
		case ctx.Err() != nil || !again(err) || down == mostDown:
			return nil, hinted(err, fmt.Sprintf(". The request goes on without this command: %s/operations/%s tells its end", s.url, printable(op.ID)))
		default:
			down++
			if err := s.pause(ctx, firstPoll); err != nil {
				return nil, err
			}
		}
	}
}

// printIssued says what was issued: for programs the validated transaction as the service answers it.
func printIssued(out, errs io.Writer, asJSON bool, body []byte) error {
	if asJSON {
		return printJSON(out, body)
	}
	var v struct {
		settled
		Tx struct {
			Account, Subject, CredentialType string
		} `json:"tx_json"`
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("the validated transaction cannot be shown: %w", err)
	}
	t, err := model.ParseTypeHex(v.Tx.CredentialType)
	if err != nil {
		return fmt.Errorf("the validated transaction cannot be shown: its credential type %w", err)
	}
	if _, err := fmt.Fprintf(out, "Issued %s to %s.\n%s", quote(t), printable(v.Tx.Subject), v.settled); err != nil {
		return err
	}
	_, err = fmt.Fprintf(errs, "It counts once you have accepted it:  accept --credential %s --issuer %s\n", shellWord(t.Text()), shellWord(printable(v.Tx.Account)))
	return err
}

// printJSON writes an answer of the service on one line.
func printJSON(out io.Writer, body []byte) error {
	var line bytes.Buffer
	if err := json.Compact(&line, ascii(body)); err != nil {
		return fmt.Errorf("the answer cannot be shown: %w", err)
	}
	_, err := fmt.Fprintf(out, "%s\n", line.Bytes())
	return err
}

// shown is what a person wrote, on one line, without what could act on a terminal.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return '?'
	}, s)
}
