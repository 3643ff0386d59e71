package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/hexutil"
	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
)

const verifyUsage = `issuer verify asks a validated ledger whether a credential can be relied on.

  issuer verify ISSUER SUBJECT TYPE [--json]     for example: issuer verify rIssuer… rSubject… Member

It asks a node, XRPL_NETWORK's, and no service: whoever relies on a credential needs to trust nobody else. It is valid when it
stands in a validated ledger, its subject has accepted it, and that ledger did not close past its expiration. Exit status:
0 valid, 1 not valid, 2 wrong use, 3 undetermined: no node answers that is in
sync and whose last ledger is younger than XRPL_MAX_LEDGER_AGE.

%s`

// errNotValid says that the credential cannot be relied on.
var errNotValid = errors.New("not valid")

// verifyTime bounds how long a node may take to answer.
const verifyTime = 30 * time.Second

// runVerify is the subcommand.
func runVerify(ctx context.Context, args []string, dotenv string, c console) error {
	flags := pflag.NewFlagSet("issuer verify", pflag.ContinueOnError)
	asJSON := flags.Bool("json", false, "for programs")
	v, err := config.Read(flags, config.Pick("XRPL_NETWORK", "XRPL_MAX_LEDGER_AGE", "XRPL_NETWORK_FILE", "XRPL_NODES", "SANDBOX_LISTEN"), args, dotenv)
	if errors.Is(err, pflag.ErrHelp) {
		_, err := fmt.Fprintf(c.out, verifyUsage, flags.FlagUsages())
		return err
	}
	if err != nil {
		return err
	}
	network, nodes := v.Network(), v.Nodes()
	maxAge := v.MaxLedgerAge(network)
	var vouching, subject model.Address
	var typ model.CredentialType
	if flags.NArg() != 3 {
		v.Wrong("issuer verify needs ISSUER, SUBJECT and TYPE")
	} else {
		for i, a := range []*model.Address{&vouching, &subject} {
			if *a, err = model.ParseAddress(flags.Arg(i)); err != nil {
				v.Wrong([]string{"ISSUER ", "SUBJECT "}[i] + err.Error())
			}
		}
		if typ, err = model.ParseShownType(flags.Arg(2)); err != nil {
			v.Wrong("TYPE " + err.Error())
		}
	}
	if err := errors.Join(v.Err(), warn(v, c)); err != nil {
		return err
	}
	nodeConfig := ledger.Config{URL: network.Node.URL(), MaxLedgerAge: maxAge, Logger: discard}
	client, err := ledger.New(nodeConfig)
	if err != nil {
		return fmt.Errorf("XRPL_NETWORK: %w", err)
	}
	defer client.Close()
	var others []*ledger.Client
	for _, node := range nodes {
		nodeConfig.URL = node.URL()
		other, err := ledger.New(nodeConfig)
		if err != nil {
			return fmt.Errorf("XRPL_NODES: %w", err)
		}
		defer other.Close()
		others = append(others, other)
	}
	bounded, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	verdict, err := issuer.New(issuer.Config{Account: vouching, Ledger: client, ReadLimit: verifyTime,
		Confirm: ledger.NewWitnesses(others, discard).ConfirmValid}).Verify(bounded, subject, vouching, typ)
	switch {
	case ctx.Err() != nil:
		return errUndecided{errors.New("interrupted")}
	case err != nil:
		return errUndecided{noNode(network, err)}
	}
	if err := showVerdict(c, verdict, *asJSON); err != nil {
		return err
	}
	if !verdict.Valid {
		return errNotValid
	}
	return nil
}

// noNode says what to do about a node that does not answer.
func noNode(n config.Network, err error) error {
	hint := "XRPL_NETWORK says which one is asked"
	if n.Name == config.Sandbox {
		hint = "is the service running? SANDBOX_LISTEN says where its ledger is, and XRPL_NETWORK asks another one"
	}
	if model.CodeOf(err) == "" {
		return err
	}
	return fmt.Errorf("%s answers nothing that can be relied on: %w (%s)", n.Name, told(err), hint)
}

// reasonWords say why a credential cannot be relied on.
var reasonWords = map[model.Reason]string{
	model.ReasonAbsent:      "there is no such credential on the ledger",
	model.ReasonNotAccepted: "its subject has not accepted it",
	model.ReasonExpired:     "it has expired",
	model.ReasonOtherIssuer: "the subject has one of this type from another issuer",
}

func showVerdict(c console, v model.Verdict, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(c.out).Encode(v)
	}
	word := "VALID"
	if !v.Valid {
		word = "NOT VALID"
	}
	_, err := fmt.Fprintf(c.out, "%s: '%s' of %s, issued by %s\n", word, v.Type.Text(), v.Subject, v.Issuer)
	line := func(name, text string) {
		if err == nil {
			_, err = fmt.Fprintf(c.out, "    %-8s %s\n", name, text)
		}
	}
	for _, r := range v.Reasons {
		line("because", reasonWords[r])
	}
	for _, other := range v.Others {
		line("from", other.String())
	}
	if found := v.Found; found != nil {
		if found.HasExpiration() {
			line("expires", model.FormatTime(found.Expiration))
		}
		if found.URI != "" {
			line("uri", hexutil.DisplayRaw(found.URI))
		}
	}
	line("ledger", fmt.Sprintf("%d, validated, closed %s (%v ago)", v.At.Index, model.FormatTime(v.At.CloseTime), v.Age))
	line("hash", v.At.Hash)
	return err
}
