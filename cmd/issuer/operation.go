package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
)

const operationUsage = `issuer operation settle ends an operation that no node can decide.

  issuer operation settle ID --as succeeded --ledger N --reason TEXT
  issuer operation settle ID --as failed --ledger N --result tecCODE --reason TEXT
  issuer operation settle ID --as expired --reason TEXT

An operation is undecided when its sequence or ticket is used up and the node lacks the history that shows by which transaction.
The log names it. First set XRPL_NETWORK to a node with more history: the service then decides by itself. Where there is none,
look up the transaction's hash in another source, such as an explorer:

  validated with tesSUCCESS   --as succeeded, with its ledger
  validated with a tec code   --as failed, with its ledger and that code
  not found, and another transaction of the account has its sequence or ticket
                              --as expired: then it may be asked for again

A wrong answer issues or revokes twice, or not at all. The command refuses while a ledger can still take the transaction, and
while XRPL_NETWORK's node can decide. --reason is written to the audit log, with your name. DATA_DIR or DATABASE_URL must be
those of the service, which need not stop. Exit status: 0 settled, 1 refused, 2 wrong use, 3 the node or the journal does not answer.

%s`

// settlement is what an operator says of an operation.
type settlement struct {
	as, hash, result, reason string
	ledger                   uint32
}

// runOperation is the subcommand.
func runOperation(ctx context.Context, args []string, dotenv string, c console) (err error) {
	what := ""
	if len(args) > 0 {
		what, args = args[0], args[1:]
	}
	flags := pflag.NewFlagSet("issuer operation", pflag.ContinueOnError)
	var said settlement
	flags.StringVar(&said.as, "as", "", "succeeded, failed or expired")
	flags.Uint32Var(&said.ledger, "ledger", 0, "the validated ledger that has the transaction; not with expired")
	flags.StringVar(&said.hash, "hash", "", "which of its transactions that is; the last one where it is left out")
	flags.StringVar(&said.result, "result", "", "the engine result, such as tecDUPLICATE; with failed alone")
	flags.StringVar(&said.reason, "reason", "", "what you have seen, and where")
	v, err := config.Read(flags, config.Pick("DATA_DIR", "DATABASE_URL", "XRPL_NETWORK", "XRPL_NETWORK_FILE", "SANDBOX_LISTEN"), args, dotenv)
	if errors.Is(err, pflag.ErrHelp) || what == "--help" || what == "-h" {
		_, err := fmt.Fprintf(c.out, operationUsage, flags.FlagUsages())
		return err
	}
	if err != nil {
		return err
	}
	s := storeSettings{flags: flags}
	s.dataDir, s.databaseURL, s.network = v.String("DATA_DIR"), v.String("DATABASE_URL"), v.Network()
	checkDatabaseURL(v, s.databaseURL)
	if what != "settle" {
		v.Wrong("issuer operation must be followed by settle")
	}
	id, err := model.ParseOperationID(flags.Arg(0))
	if err != nil {
		v.Wrong("ID " + err.Error())
	}
	said.check(v)
	st, err := s.open(ctx, v, c, 1, mustBe)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	op, err := st.Operation(ctx, id)
	if err != nil {
		return told(err)
	}
	if op.State != model.StateSigned {
		return fmt.Errorf("operation %s is %s: only a signed one is settled", id, op.State)
	}
	decision, err := s.decide(ctx, op)
	if err != nil {
		return err
	}
	outcome, err := said.outcome(op, decision)
	if err != nil {
		return err
	}
	if err := st.Settle(ctx, outcome, model.AuditEntry{Actor: commandActor()}, said.reason); err != nil {
		return told(err)
	}
	_, err = fmt.Fprintf(c.err, "Operation %s is settled as %s. A running service takes notice within %d ledgers.\n", id, outcome.State, ledger.UndecidedLookUp)
	return err
}

// check finds what is wrong with what was said, whatever the operation.
func (said *settlement) check(v *config.Values) {
	said.hash, said.reason = strings.ToUpper(said.hash), strings.TrimSpace(said.reason)
	if !slices.Contains([]string{"succeeded", "failed", "expired"}, said.as) {
		v.Wrong("--as must be succeeded, failed or expired")
	}
	if validated := said.as == "succeeded" || said.as == "failed"; validated != (said.ledger != 0) {
		v.Wrong("--ledger must be given with --as succeeded or failed, and not with expired")
	}
	if failed := said.as == "failed"; failed != (said.result != "") || failed && !strings.HasPrefix(said.result, "tec") {
		v.Wrong("--result must be given with --as failed alone, and be a tec code, such as tecDUPLICATE")
	}
	if said.reason == "" {
		v.Wrong("--reason must say what you have seen, and where")
	}
}

// decide asks the node about an operation, and is an error unless no node's word can be waited for.
func (s storeSettings) decide(ctx context.Context, op model.Operation) (ledger.Decision, error) {
	client, err := ledger.New(ledger.Config{URL: s.network.Node.URL(), Logger: discard})
	if err != nil {
		return ledger.Decision{}, fmt.Errorf("XRPL_NETWORK: %w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	d, err := client.Decide(ctx, op)
	switch {
	case err != nil:
		return d, errUndecided{noNode(s.network, err)}
	case d.Open:
		return d, fmt.Errorf("operation %s may still be validated up to ledger %d, and the last validated one is %d: wait", op.ID, d.Last, d.At)
	case d.Evidence != "":
		return d, fmt.Errorf("the node can decide operation %s, and a running service does so by itself: %s", op.ID, d.Evidence)
	}
	return d, nil
}

// outcome makes the operation's end of what was said.
func (said settlement) outcome(op model.Operation, d ledger.Decision) (model.Outcome, error) {
	o := model.Outcome{Operation: op.ID, State: model.State(said.as)}
	var named *model.Attempt
	for i := range op.Attempts {
		a := &op.Attempts[i]
		if a.State != model.AttemptSigned {
			continue
		}
		if o.State == model.StateExpired {
			o.Absent = append(o.Absent, a.Hash)
		}
		if said.hash == "" || said.hash == a.Hash {
			named = a
		}
	}
	switch {
	case o.State == model.StateExpired:
		return o, nil
	case named == nil:
		return o, fmt.Errorf("operation %s has no transaction %s that is undecided", op.ID, said.hash)
	case said.ledger <= d.First || said.ledger > d.Last:
		return o, fmt.Errorf("--ledger must be from %d to %d: no other can have the transaction", d.First+1, d.Last)
	}
	result := "tesSUCCESS"
	if o.State == model.StateFailed {
		result = said.result
	}
	v, err := ledger.Reconstruct(named.Blob, named.Hash, said.ledger, result, "settled by an operator; the audit log has the reason")
	if err != nil {
		return o, fmt.Errorf("--result: %w", err)
	}
	o.Result = &v
	return o, nil
}
