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
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
)

const proveUsage = `accept prove asks a service for a credential, and proves that you hold the key of your account.

  accept prove --credential TYPE --documents FILE            requests it; FILE holds a JSON object, - is standard input
  accept prove --credential TYPE --documents FILE --follow   also waits, where a person has to decide
  accept prove --credential TYPE --documents FILE --print    only prints the request with its proof, as JSON, and sends nothing

The service is asked for a challenge, which names your account, the issuer, the network, the credential, a hash of the request, and a number that
works once, for some minutes. It is shown and signed; nothing else is ever signed, whatever the service sends. Without --issuer you
are asked to confirm the issuer; without a terminal, --issuer is needed. The seed, SUBJECT_ACCOUNT_SEED's or from a masked prompt,
stays here. Exit status: 0 issued, or stored for a person to decide on; 1 failed or declined; 2 wrong use.

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
	issuer := flags.String("issuer", "", "the `address` of the issuer that you expect; without it you are asked to confirm")
	flags.BoolVar(&p.print, "print", false, "print the request with its proof and send nothing")
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
	case p.print && p.follow:
		v.Wrong("--print sends no request: leave out --follow")
	case !flags.Changed("credential") || p.file == "":
		v.Wrong("accept prove needs --credential TYPE and --documents FILE: the proof is for exactly that request")
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
	documents, err := readDocuments(p.file, in) // before a seed is typed for nothing
	if err != nil {
		return errUsage{err}
	}
	if p.wantsIssuer == "" && !p.canAsk(in, errs) {
		return errUsage{errors.New("there is no terminal to confirm the issuer on: name the issuer that you expect with --issuer ADDRESS")}
	}
	seed, err := findSeed(ctx, p.options, in, errs)
	if err != nil {
		return err
	}
	want, err := p.wanted(seed, documents)
	if err != nil {
		return errUsage{err}
	}
	if config.OpenToOthers(p.url) {
		if _, err := fmt.Fprintf(errs, "The way to %s is not encrypted: what is sent can be read on it.\n", p.url); err != nil {
			return err
		}
	}
	s := newService(p.url)
	defer s.close()
	c, err := s.challenge(ctx, want)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(errs, "Signing, with the key of %s:\n    %s\n", seed.Address(), strings.ReplaceAll(c.Message(), "\n", "\n    ")); err != nil {
		return err
	}
	if p.wantsIssuer == "" {
		if err := confirm(ctx, errs, in, "Is "+string(c.Issuer)+" the issuer that you expect, and is this what you request? [y/N] "); err != nil {
			return err
		}
	}
	signed, err := prove(c, seed)
	if err != nil {
		return err
	}
	body, err := p.request(c.Subject, documents, &signed)
	if err != nil {
		return err
	}
	if p.print {
		_, err = fmt.Fprintf(out, "%s\n", body)
		return err
	}
	return p.send(ctx, s, body, out, errs)
}

// canAsk reports whether the issuer can be confirmed: on a terminal that is not the source of the documents.
func (p proving) canAsk(in *os.File, errs io.Writer) bool {
	return p.file != "-" && isTerminal(in) && isTerminal(errs)
}

// wanted returns the challenge that this request needs, without issuer, nonce and expiry. A request whose form the service would
// refuse is an error, before anything is asked or signed.
func (p proving) wanted(seed ledger.Seed, documents json.RawMessage) (model.Challenge, error) {
	subject := p.account
	if subject == "" {
		subject = seed.Address()
	}
	body, err := p.request(subject, documents, nil)
	if err != nil {
		return model.Challenge{}, err
	}
	r, err := model.ParseCredentialRequest(body)
	if err != nil {
		return model.Challenge{}, err
	}
	digest, err := model.RequestDigest(body)
	return model.Challenge{Issuer: p.wantsIssuer, Subject: r.Subject, Type: r.Type, Renew: r.Renew, Request: digest}, err
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
	text = bytes.TrimSpace([]byte(config.Text(text)))
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
