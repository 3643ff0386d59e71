package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/model"
)

const proveUsage = `accept prove asks a service for a credential, and proves that you hold the key of your account.

  accept prove --credential TYPE --documents FILE            requests it; FILE holds a JSON object, - is standard input
  accept prove --credential TYPE --documents FILE --follow   also waits, where a person has to decide
  accept prove --print                                       only the proof, as JSON, to put into a request of your own

The service is asked for a challenge, which names your account, the issuer, and a number that works once, for some minutes. It
is shown and signed; nothing else is ever signed, whatever the service sends. The seed, SUBJECT_ACCOUNT_SEED's or from a
masked prompt, stays here. Exit status: 0 issued, or stored for a person to decide on; 1 failed; 2 wrong use.

%s`

// maxDocuments is what a request may have, as the service has it.
const maxDocuments = 1 << 20

// proving is what accept prove was asked for.
type proving struct {
	options
	url         string
	print       bool
	follow      bool
	file        string // with the documents
	expiration  string
	uri         string
	renew       bool
	wantsIssuer model.Address
}

func readProving(args []string, dotenv string, errs io.Writer) (proving, *pflag.FlagSet, error) {
	var p proving
	flags := pflag.NewFlagSet("accept prove", pflag.ContinueOnError)
	credential := flags.String("credential", "", "the `type` of the credential that is asked for")
	flags.StringVar(&p.file, "documents", "", "`file` with what the decision rests on, a JSON object; - is standard input")
	flags.StringVar(&p.expiration, "expiration", "", "until `when` it is to hold, such as 2030-12-31T00:00:00Z; without it, as the issuer has it")
	flags.StringVar(&p.uri, "uri", "", "what it is to point to, where the issuer lets you say")
	flags.BoolVar(&p.renew, "renew", false, "replace the one that you have, which has expired or soon will")
	issuer := flags.String("issuer", "", "only if the service issues for this `address`")
	flags.BoolVar(&p.print, "print", false, "print the proof and send no request")
	flags.BoolVar(&p.follow, "follow", false, "where a person has to decide, wait for it")
	flags.BoolVar(&p.json, "json", false, "print for programs: what the service answers")
	v, err := config.Read(flags, config.Pick("ISSUER_URL", "HTTP_LISTEN",
		"SUBJECT_ACCOUNT_SEED", "SUBJECT_ACCOUNT_SEED_FILE", "SUBJECT_ACCOUNT_ADDRESS"), args, dotenv)
	if err != nil {
		return p, flags, err
	}
	p.url = v.Service()
	p.readSubject(v)
	if flags.Changed("issuer") {
		if p.wantsIssuer, err = model.ParseAddress(*issuer); err != nil {
			v.Fault("--issuer", err.Error())
		}
	}
	p.credential = model.CredentialType(*credential)
	switch {
	case p.print && (flags.Changed("documents") || p.expiration+p.uri != "" || p.renew || p.follow):
		v.Wrong("--print sends no request: leave out --documents, --expiration, --uri, --renew and --follow")
	case p.print:
	case !flags.Changed("credential") || p.file == "":
		v.Wrong("accept prove needs --credential TYPE and --documents FILE, or --print")
	}
	if flags.NArg() > 0 {
		v.Wrong(fmt.Sprintf("%d words too many: everything is said with flags, --help shows them", flags.NArg()))
	}
	return p, flags, checked(v, errs)
}

// request is what is sent. Fields that are not given are not there.
func (p proving) request(subject model.Address, documents json.RawMessage, by *proof) ([]byte, error) {
	return json.Marshal(struct {
		Subject    model.Address        `json:"subject"`
		Credential model.CredentialType `json:"credential"`
		Documents  json.RawMessage      `json:"documents"`
		Expiration string               `json:"expiration,omitempty"`
		URI        string               `json:"uri,omitempty"`
		Renew      bool                 `json:"renew,omitempty"`
		Proof      *proof               `json:"proof,omitempty"`
	}{subject, p.credential, documents, p.expiration, p.uri, p.renew, by})
}

// runProve is the subcommand.
func runProve(ctx context.Context, args []string, dotenv string, in *os.File, out, errs io.Writer) error {
	p, flags, err := readProving(args, dotenv, errs)
	if errors.Is(err, pflag.ErrHelp) {
		_, err := fmt.Fprintf(out, proveUsage, flags.FlagUsages())
		return err
	}
	if err != nil {
		return err
	}
	return forPrograms(p.json, out, p.run(ctx, in, out, errs))
}

func (p proving) run(ctx context.Context, in *os.File, out, errs io.Writer) error {
	var documents json.RawMessage
	var err error
	if !p.print { // before a seed is typed for nothing
		if documents, err = readDocuments(p.file, in); err != nil {
			return errUsage{err}
		}
	}
	seed, err := findSeed(ctx, p.options, in, errs)
	if err != nil {
		return err
	}
	subject := p.account
	if subject == "" {
		subject = seed.Address()
	}
	if !p.print {
		// What the service would refuse by its form alone is told before anything is asked or signed.
		body, err := p.request(subject, documents, nil)
		if err != nil {
			return errUsage{err}
		}
		if _, err := model.ParseCredentialRequest(body); err != nil {
			return errUsage{err}
		}
	}
	if config.OpenToOthers(p.url) {
		if _, err := fmt.Fprintf(errs, "The way to %s is not encrypted: what is sent can be read on it.\n", p.url); err != nil {
			return err
		}
	}
	s := newService(p.url)
	defer s.close()
	c, err := s.challenge(ctx, subject, p.wantsIssuer)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(errs, "Signing, with the key of %s:\n    %s\n", seed.Address(), strings.ReplaceAll(c.Message(), "\n", "\n    ")); err != nil {
		return err
	}
	signed, err := prove(c, seed)
	if err != nil {
		return err
	}
	if p.print {
		line, err := json.Marshal(signed)
		if err == nil {
			_, err = fmt.Fprintf(out, "%s\n", line)
		}
		return err
	}
	body, err := p.request(subject, documents, &signed)
	if err != nil {
		return err
	}
	return p.send(ctx, s, body, out, errs)
}

// readDocuments reads the documents of a request.
func readDocuments(file string, in *os.File) (json.RawMessage, error) {
	from := in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("--documents: %w", err)
		}
		defer func() { _ = f.Close() }()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxDocuments+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("--documents: %w", err)
	case len(text) > maxDocuments:
		return nil, fmt.Errorf("--documents: %s must not have more than %d bytes", file, maxDocuments)
	}
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	if _, err := model.DocumentsOf(text); err != nil {
		return nil, fmt.Errorf("--documents: %s: %s", file, told(err))
	}
	return text, nil
}

// mostTries is how often a request is sent whose answer is lost on the way.
const mostTries = 4

// send brings a request to the service, and says what came of it. With its key it is taken once, however often it arrives.
func (p proving) send(ctx context.Context, s *service, body []byte, out, errs io.Writer) error {
	header := http.Header{"Idempotency-Key": {"accept-" + rand.Text()}}
	line := newLine(errs, "Waiting for the answer")
	a, err := s.ask(ctx, http.MethodPost, "/credential", header, body, waitAtOnce)
	for try := 1; try < mostTries && model.CodeOf(err) == codeServiceUnavailable; try++ {
		if perr := s.pause(ctx, time.Second<<(try-1)); perr != nil {
			break
		}
		a, err = s.ask(ctx, http.MethodPost, "/credential", header, body, waitAtOnce)
	}
	if err != nil {
		line.end("Ended")
		return err
	}
	if place, ok := requestPath(a.header.Get("Location")); ok {
		line.end("Stored")
		return p.stored(ctx, s, place, a, out, errs)
	}
	body = a.body
	if a.status == http.StatusAccepted {
		if body, err = s.outcome(ctx, body); err != nil {
			line.end("Ended")
			return err
		}
	}
	line.end("Validated")
	return printIssued(out, errs, p.json, body)
}

// stored says that a request waits for a person, and how to follow it.
func (p proving) stored(ctx context.Context, s *service, path string, a answer, out, errs io.Writer) error {
	var waits struct{ ID, Link string }
	if err := json.Unmarshal(a.body, &waits); err != nil {
		return err
	}
	at, err := s.link(waits.Link)
	if err != nil {
		return &model.Error{Code: codeNoService, Message: "the request is stored as " + path + ", and the service tells no link to follow it with", Cause: err}
	}
	if p.json {
		err = printJSON(out, a.body)
	} else {
		_, err = fmt.Fprintf(out, "%s waits for a person to decide on it.\n    request  %s\n    link     %s\n", quote(p.credential), printable(waits.ID), at)
	}
	if err != nil {
		return err
	}
	if p.follow {
		return s.follow(ctx, at, followed{json: p.json}, out, errs)
	}
	_, err = fmt.Fprintf(errs, "Keep the link: it is told only now. To wait for the decision:  accept follow '%s'\n", at)
	return err
}
