package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/pflag"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/cmd/internal/version"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
)

// atOnce is how many acceptances --all has under way: a busy network queues ten transactions of an account.
const atOnce = 8

// sandboxOffset is how many ledgers a transaction may miss on the embedded ledger before it expires. That one closes more
// often than a public network, and a machine that is busy for a moment must not make transactions expire.
const sandboxOffset = 30

// commands are what the program does besides accepting, by their first word.
var commands = map[string]func(ctx context.Context, args []string, dotenv string, in *os.File, out, errs io.Writer) error{
	"follow": runFollow,
	"prove":  runProve,
}

// run is the program. Its error is what main prints and leaves with.
func run(ctx context.Context, args []string, dotenv string, in *os.File, out, errs io.Writer) error {
	which, args := config.Asks(args)
	if which {
		return version.Print(out, "accept")
	}
	if len(args) > 0 {
		if command := commands[args[0]]; command != nil {
			return command(ctx, args[1:], dotenv, in, out, errs)
		}
	}
	o, flags, err := readOptions(args, dotenv, errs)
	if errors.Is(err, pflag.ErrHelp) {
		return usage(out, flags)
	}
	if err != nil {
		return err
	}
	if !o.named() && !isTerminal(in) {
		return errUsage{errors.New("there is no terminal to ask on: say what to accept with --credential TYPE [--issuer ADDRESS] or --all, or use --list")}
	}
	seed, err := findSeed(ctx, o, in, errs)
	if err != nil {
		return err
	}
	if o.account == "" {
		o.account = seed.Address()
	}

	return forPrograms(o.json, out, interrupted(ctx, accept(ctx, o, seed, in, out, errs)))
}

// findSeed returns the seed from the settings, or else asks for it.
func findSeed(ctx context.Context, o options, in *os.File, errs io.Writer) (ledger.Seed, error) {
	text := o.seed
	if text == "" {
		if !isTerminal(in) {
			return ledger.Seed{}, errUsage{errors.New("there is no seed, and no terminal to ask for it: set SUBJECT_ACCOUNT_SEED or SUBJECT_ACCOUNT_SEED_FILE")}
		}
		var err error
		if text, err = askSeed(ctx, errs, in); err != nil {
			return ledger.Seed{}, err
		}
	}
	seed, err := ledger.ParseSeed(text)
	if err != nil && o.seedName != "" {
		err = fmt.Errorf("%s: %w", o.seedName, err)
	}
	if err != nil {
		return ledger.Seed{}, errUsage{err}
	}
	return seed, nil
}

// accept does what the options say with the account's pending credentials.
func accept(ctx context.Context, o options, seed ledger.Seed, in *os.File, out, errs io.Writer) error {
	client, err := ledger.New(ledger.Config{URL: o.network.Node.URL(), MaxLedgerAge: o.maxAge})
	if err != nil {
		return err
	}
	defer client.Close()
	at, err := client.Ledger(ctx)
	if err != nil {
		return silent(o, err)
	}
	waiting := client.Credentials(ctx, o.account, model.Filter{Side: model.About, Acceptance: model.Unaccepted})

	if o.list {
		return printList(out, o.json, o.account, at.CloseTime, waiting)
	}
	var chosen []model.Credential
	switch {
	case o.credential != "":
		c, err := find(ctx, o, at.CloseTime, client)
		if err != nil {
			return err
		}
		if c.Accepted {
			_, err := fmt.Fprintf(errs, "%s issued by %s is accepted already. Nothing to do.\n", quote(c.Type), c.Issuer)
			return err
		}
		chosen = []model.Credential{c}
	default:
		p, err := collect(o.account, at.CloseTime, waiting)
		if err != nil {
			return err
		}
		if note := p.note(); note != "" && (o.all || len(p.open) == 0) {
			if _, err := fmt.Fprintln(errs, note); err != nil {
				return err
			}
		}
		if len(p.open) == 0 {
			_, err := fmt.Fprintf(errs, "No credential is waiting for %s to accept it. Nothing to do.\n", o.account)
			return err
		}
		if chosen = p.open; o.all {
			break
		}
		c, err := ask(ctx, errs, newLineReader(in).read, p)
		if err != nil || c == nil {
			return err
		}
		chosen = []model.Credential{*c}
	}
	if err := ledger.CheckKey(ctx, client, o.account, seed); err != nil {
		return err
	}
	return submit(ctx, o, seed, client, chosen, out, errs)
}

// silent adds to a node that does not answer which one that is, why, and what mends it.
func silent(o options, err error) error {
	var e *model.Error
	if !errors.As(err, &e) || e.Code != model.CodeLedgerUnavailable {
		return err
	}
	if o.network.Name == config.Sandbox {
		return hinted(err, fmt.Sprintf(" (%s). Is the service running? `make run` starts it with its ledger; SANDBOX_LISTEN or XRPL_NETWORK says where another one is", o.network.Node))
	}
	why := ""
	if e.Cause != nil {
		why = ": " + e.Cause.Error()
	}
	return hinted(err, fmt.Sprintf(" (%s%s). XRPL_NETWORK says which one is asked", o.network.Name, why))
}

// errInterrupted is the end of what the user broke off before anything was sent.
var errInterrupted = errors.New("interrupted")

// interrupted says so of an error that an interrupt has caused, where it says nothing of a transaction that may still happen.
func interrupted(ctx context.Context, err error) error {
	var e *model.Error
	ours := errors.As(err, &e) && e.Pending == nil && e.Tx == nil || errors.Is(err, context.Canceled)
	if ctx.Err() == nil || !ours || errors.As(err, new(errSaid)) {
		return err
	}
	return errInterrupted
}

// find returns the credential that --credential and --issuer name. One that is accepted already is returned only where
// no other fits; one that has expired is an error.
func find(ctx context.Context, o options, closeTime uint32, client *ledger.Client) (model.Credential, error) {
	fitting := client.Credentials(ctx, o.account, model.Filter{Side: model.About})
	if o.issuer != "" {
		fitting = one(client.Credential(ctx, o.account, o.issuer, o.credential))
	}
	return pick(o, closeTime, fitting)
}

func one(c model.Credential, err error) iter.Seq2[model.Credential, error] {
	return func(yield func(model.Credential, error) bool) { yield(c, err) }
}

// mostNamed bounds the issuers that an error counts up.
const mostNamed = 5

func pick(o options, closeTime uint32, all iter.Seq2[model.Credential, error]) (model.Credential, error) {
	var open, accepted, expired []model.Credential
	for c, err := range all {
		if err != nil {
			return model.Credential{}, err
		}
		switch {
		case c.Type != o.credential:
		case c.Accepted:
			accepted = append(accepted[:0], c)
		case c.Expired(closeTime):
			expired = append(expired[:0], c)
		case len(open) <= mostNamed:
			open = append(open, c)
		}
	}
	switch {
	case len(open) == 1:
		return open[0], nil
	case len(open) > 1:
		var b strings.Builder
		for i, c := range open {
			if i == mostNamed {
				b.WriteString(", and others")
				break
			}
			fmt.Fprintf(&b, ", %s", c.Issuer)
		}
		return model.Credential{}, errUsage{fmt.Errorf("several issuers have issued %s: name one with --issuer%s", quote(o.credential), b.String()[1:])}
	case len(accepted) > 0:
		return accepted[0], nil
	case len(expired) > 0:
		return model.Credential{}, &model.Error{Code: model.CodeExpired, Message: fmt.Sprintf(
			"%s issued by %s expired %s: accepting it would only delete it, for a fee. Ask its issuer for a new one",
			quote(o.credential), expired[0].Issuer, model.FormatTime(expired[0].Expiration))}
	}
	return model.Credential{}, &model.Error{Code: model.CodeEntryNotFound, Message: fmt.Sprintf(
		"no %s waits for %s: --list shows what does", quote(o.credential), o.account)}
}

// printList writes all that is pending, one at a time: the list may be long.
func printList(out io.Writer, asJSON bool, account model.Address, closeTime uint32, all iter.Seq2[model.Credential, error]) error {
	n := 0
	for c, err := range all {
		if err != nil {
			return err
		}
		n++
		if asJSON {
			line, err := json.Marshal(newListed(c, closeTime))
			if err != nil {
				return err
			}
			separator := ","
			if n == 1 {
				separator = `{"credentials":[`
			}
			if _, err := fmt.Fprintf(out, "%s%s", separator, line); err != nil {
				return err
			}
		} else if _, err := fmt.Fprintln(out, describe(c, closeTime)); err != nil {
			return err
		}
	}
	var err error
	switch {
	case asJSON && n == 0:
		_, err = fmt.Fprintln(out, `{"credentials":[]}`)
	case asJSON:
		_, err = fmt.Fprintln(out, "]}")
	case n == 0:
		_, err = fmt.Fprintf(out, "No credential is waiting for %s to accept it.\n", account)
	}
	return err
}

// errSaid is a failure that was printed in full already.
type errSaid struct{ error }

// submit accepts the chosen ones and prints each result. After a failure it begins no other.
func submit(ctx context.Context, o options, seed ledger.Seed, client *ledger.Client, chosen []model.Credential, out, errs io.Writer) error {
	cfg := ledger.LaneConfig{Account: o.account, Seed: seed, MaxFeeDrops: o.maxFee}
	if o.network.Name == config.Sandbox {
		cfg.LedgerOffset = sandboxOffset
	}
	lane, err := ledger.NewLane(client, cfg)
	if err != nil {
		return err
	}
	laneCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { _ = lane.Run(laneCtx) }) // what fails in it fails the submissions
	defer running.Wait()
	defer stop()

	what := "Waiting for validation"
	if len(chosen) > 1 {
		what = fmt.Sprintf("Waiting for validation of %d credentials", len(chosen))
	}
	line := newLine(errs, what)

	type result struct {
		validated model.Validated
		err       error
	}
	results := make([]result, len(chosen))
	var failed atomic.Bool
	places := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	begun := 0
	for i, c := range chosen {
		places <- struct{}{}
		if failed.Load() {
			break
		}
		begun++
		group.Go(func() {
			v, err := lane.Submit(ctx, model.CredentialAccept{Issuer: c.Issuer, Type: c.Type})
			if err != nil {
				failed.Store(true)
			}
			results[i] = result{v, err}
			<-places
		})
	}
	group.Wait()

	done := 0
	for _, r := range results[:begun] {
		if r.err == nil {
			done++
		}
	}
	if done == len(chosen) {
		line.end("Validated")
	} else {
		line.end("Ended")
	}
	for i, r := range results[:begun] {
		switch {
		case r.err == nil:
			err = errors.Join(err, printAccepted(out, o.json, chosen[i], r.validated))
		case len(chosen) == 1:
			return r.err
		default:
			_, werr := fmt.Fprintf(errs, "%s issued by %s: %s\n", quote(chosen[i].Type), chosen[i].Issuer, told(r.err))
			err = errors.Join(err, werr)
			if o.json {
				err = errors.Join(err, printFailed(out, &chosen[i], r.err))
			}
		}
	}
	if done < len(chosen) {
		return errors.Join(err, errSaid{fmt.Errorf("%d of %d accepted", done, len(chosen))})
	}
	return err
}
