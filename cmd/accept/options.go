package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/model"
)

// known are the settings that this program uses.
var known = config.Pick("XRPL_NETWORK", "XRPL_MAX_LEDGER_AGE", "XRPL_NETWORK_FILE", "SANDBOX_LISTEN",
	"SUBJECT_ACCOUNT_SEED", "SUBJECT_ACCOUNT_SEED_FILE", "SUBJECT_ACCOUNT_ADDRESS", "MAX_FEE_DROPS")

// options are what the user asked for.
type options struct {
	network config.Network
	maxAge  time.Duration // of the last validated ledger; 0: any
	maxFee  int64
	// seed is empty where it must be asked for. It never leaves this program but as a signature. seedName is the setting that it
	// is from.
	seed, seedName string
	account        model.Address // empty: the seed's own

	list, all, json bool
	credential      model.CredentialType // empty: none named
	issuer          model.Address        // empty: any
}

// named says whether the choice was made on the command line, so that there is nothing to ask.
func (o options) named() bool { return o.list || o.all || o.credential != "" }

// readOptions reads the command line, the environment and .env. An error is a [config.Faults] that tells all that is
// wrong, or [pflag.ErrHelp].
func readOptions(args []string, dotenv string, errs io.Writer) (options, *pflag.FlagSet, error) {
	var o options
	flags := pflag.NewFlagSet("accept", pflag.ContinueOnError)
	credential := flags.String("credential", "", "accept the credential of this `type`, as the list shows it")
	issuer := flags.String("issuer", "", "of this issuer's `address`, where several issued that type")
	flags.BoolVar(&o.all, "all", false, "accept all that are pending")
	flags.BoolVar(&o.list, "list", false, "only list what is pending")
	flags.BoolVar(&o.json, "json", false, "print for programs: one JSON object a line")
	v, err := config.Read(flags, known, args, dotenv)
	if err != nil {
		return options{}, flags, err
	}

	o.network = v.Network()
	o.maxAge = v.MaxLedgerAge(o.network)
	o.maxFee = v.Int("MAX_FEE_DROPS", 10, 100_000_000)
	o.readSubject(v)
	if flags.Changed("credential") {
		if o.credential, err = model.ParseShownType(*credential); err != nil {
			v.Fault("--credential", err.Error())
		}
	}
	if flags.Changed("issuer") {
		if o.issuer, err = model.ParseAddress(*issuer); err != nil {
			v.Fault("--issuer", err.Error())
		}
		if !flags.Changed("credential") {
			v.Wrong("--issuer says whose credential --credential means: give that too")
		}
	}
	if n := count(o.all, o.list, flags.Changed("credential")); n > 1 {
		v.Wrong("--credential, --all and --list exclude each other: give one of them")
	}
	if flags.NArg() > 0 {
		v.Wrong(config.NoCommand("accept", flags.Args(), slices.Collect(maps.Keys(commands))))
	}
	return o, flags, checked(v, errs)
}

// checked returns what is wrong with the settings, or else tells what deserves a look.
func checked(v *config.Values, errs io.Writer) error {
	if err := v.Err(); err != nil {
		return err
	}
	return v.Warn(errs, "accept")
}

// readSubject reads whose account it is, and its seed.
func (o *options) readSubject(v *config.Values) {
	if o.seed = v.String("SUBJECT_ACCOUNT_SEED"); o.seed != "" {
		o.seedName = "SUBJECT_ACCOUNT_SEED"
	}
	if path := v.String("SUBJECT_ACCOUNT_SEED_FILE"); path != "" {
		seed, err := config.SecretFile(path)
		switch {
		case err != nil:
			v.Wrong("SUBJECT_ACCOUNT_SEED_FILE: " + err.Error())
		case o.seed != "" && o.seed != seed:
			v.Wrong("SUBJECT_ACCOUNT_SEED and SUBJECT_ACCOUNT_SEED_FILE hold different seeds: set one of them")
		default:
			o.seed, o.seedName = seed, "SUBJECT_ACCOUNT_SEED_FILE"
		}
	}
	if s := v.String("SUBJECT_ACCOUNT_ADDRESS"); s != "" {
		address, err := model.ParseAddress(s)
		if err != nil {
			v.Fault("SUBJECT_ACCOUNT_ADDRESS", err.Error())
		}
		o.account = address
	}
}

func count(conditions ...bool) int {
	n := 0
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}

// usage writes the help text.
func usage(w io.Writer, flags *pflag.FlagSet) error {
	_, err := fmt.Fprintf(w, `accept shows the credentials that were issued to your account and accepts one.

  accept                                        ask for the seed, show the menu
  accept --list [--json]                        show what is pending
  accept --credential TYPE [--issuer ADDRESS]   accept that one
  accept --all                                  accept all that are pending
  accept prove                                  ask a service for a credential, with a proof that the account is yours
  accept follow LINK                            wait until a person has decided on that
  accept --version                              which build this is

The seed comes from SUBJECT_ACCOUNT_SEED in the environment or in .env, from the file that SUBJECT_ACCOUNT_SEED_FILE
names, or from a masked prompt. prove and follow tell more with --help. Exit status: 0 done or nothing to do, 1 failed, 2
wrong use, 3 undetermined: no node in sync answers, or its last ledger is too old.

%s`, flags.FlagUsages())
	return err
}

// errUsage marks what the user must say differently: exit status 2, and nothing was sent.
type errUsage struct{ error }

func (e errUsage) Unwrap() error { return e.error }

// undetermined says that no ledger could be relied on, so that nobody knows the answer. Nothing was sent.
func undetermined(err error) bool {
	var e *model.Error
	return errors.As(err, &e) && e.Code == model.CodeLedgerUnavailable && e.Pending == nil && e.Tx == nil
}

// exitStatus is what the program leaves with.
func exitStatus(err error) int {
	var wrong errUsage
	var faults config.Faults
	switch {
	case err == nil:
		return 0
	case errors.As(err, &wrong), errors.As(err, &faults):
		return 2
	case undetermined(err):
		return 3
	}
	return 1
}
