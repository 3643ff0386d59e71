package main

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/issuer/vault"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

// known are the settings that this program uses.
var known = config.Pick(
	"XRPL_NETWORK", "XRPL_MAX_LEDGER_AGE", "XRPL_NETWORK_FILE", "XRPL_NODES", "HTTP_LISTEN", "DATA_DIR", "DATABASE_URL", "IDEMPOTENCY_KEEP",
	"ISSUER_ACCOUNT_SEED", "ISSUER_ACCOUNT_SEED_FILE", "ISSUER_ACCOUNT_ADDRESS", "ISSUER_SUBMIT_MODE",
	"SANDBOX_LISTEN", "SANDBOX_CLOSE_INTERVAL",
	"MAX_FEE_DROPS", "WAIT_LIMIT", "HTTP_STOP_LIMIT",
	"POLICY_DIR", "DOCUMENTS_KEY", "DOCUMENTS_KEY_FILE", "JOURNAL_KEY", "JOURNAL_KEY_FILE",
	"OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_ROLE_CLAIM", "OIDC_ROLES",
	"RATE_LIMIT_CLIENT", "RATE_LIMIT_SUBJECT", "RATE_LIMIT_LOGIN", "RATE_LIMIT_TOKEN", "RATE_LIMIT_CLOSED_SUBJECT", "RATE_LIMIT_CLOSED_CLIENT", "REQUEST_KEEP", "TRUSTED_PROXIES", "TLS_CERT_FILE", "TLS_KEY_FILE",
	"WEBHOOK_URLS", "WEBHOOK_SECRET", "WEBHOOKS_FILE", "WEBHOOK_ALLOW_PRIVATE", "RESERVE_WARNING", "INDEX_RECONCILE",
	"LOG_LEVEL", "LOG_FORMAT",
)

// Bounds of settings. The least fee is the base fee of every network there is.
const (
	leastFeeCeiling, mostFeeCeiling = 10, 100_000_000
	mostCloseInterval               = time.Hour
	leastWait, mostWait             = time.Second, 10 * time.Minute
	mostStop                        = 10 * time.Minute
	leastKeep, mostKeep             = time.Minute, 365 * 24 * time.Hour
	// What ended without a credential is counted for up to a day.
	leastRequestKeep, mostRequestKeep = 24 * time.Hour, 10 * 365 * 24 * time.Hour
	leastReconcile, mostReconcile     = 10 * time.Second, 24 * time.Hour
)

// settings are what the user asked for, checked.
type settings struct {
	network       config.Network
	maxLedgerAge  time.Duration    // 0: any
	nodes         []config.Address // more nodes of that network, which confirm
	httpListen    string
	dataDir       string
	databaseURL   string        // may hold a password; empty: SQLite in dataDir
	keepKeys      time.Duration // how long idempotency keys are kept
	keepRequests  time.Duration // how long closed review requests are kept
	seed          *ledger.Seed  // nil where none is set
	account       model.Address // empty: the seed's own
	sandboxListen string
	closeInterval time.Duration
	maxFeeDrops   int64
	submitMode    ledger.Mode
	waitLimit     time.Duration
	stopLimit     time.Duration
	logLevel      slog.Level
	logJSON       bool

	policyDir      string      // empty: none
	documentsKeys  []vault.Key // the first encrypts; empty: none is set
	journalKeys    []vault.Key // the first makes MACs; empty: derived from the seed
	accessSettings accessSettings
	webhooks       webhookSettings
	reserveWarning uint32 // in credentials
	reconcile      time.Duration

	// warnings deserve a look and stop nothing.
	warnings []string
}

// onSandbox says whether the embedded ledger is to run in this process.
func (s settings) onSandbox() bool { return s.network.Name == config.Sandbox }

// plainNodes warns of nodes whose answers can be changed on their way.
func plainNodes(s settings) (warnings []string) {
	for _, node := range append([]config.Address{s.network.Node}, s.nodes...) {
		if node.PlainRemote() {
			warnings = append(warnings, "the connection to the node is not encrypted: whoever is on the path to "+node.String()+" can change what it says; use wss:// or https://")
		}
	}
	return warnings
}

// noPolicies warns of a service that says yes to everyone.
const noPolicies = "POLICY_DIR is not set: whoever reaches the service and writes please gets any credential that they ask for; set it before others can reach the service"

// readSettings reads flags, environment and the .env file. The error is a [config.Faults] with all that is wrong, or
// [pflag.ErrHelp]. Nothing in it repeats a seed.
func readSettings(args []string, dotenv string) (settings, *pflag.FlagSet, error) {
	flags := pflag.NewFlagSet("issuer", pflag.ContinueOnError)
	v, err := config.Read(flags, known, args, dotenv)
	if err != nil {
		return settings{}, flags, err
	}
	s := settings{
		network:       v.Network(),
		nodes:         v.Nodes(),
		httpListen:    v.HostPort("HTTP_LISTEN"),
		dataDir:       v.String("DATA_DIR"),
		databaseURL:   v.String("DATABASE_URL"),
		keepKeys:      v.Duration("IDEMPOTENCY_KEEP", leastKeep, mostKeep),
		keepRequests:  v.Duration("REQUEST_KEEP", leastRequestKeep, mostRequestKeep),
		closeInterval: v.Duration("SANDBOX_CLOSE_INTERVAL", 0, mostCloseInterval),
		maxFeeDrops:   v.Int("MAX_FEE_DROPS", leastFeeCeiling, mostFeeCeiling),
		waitLimit:     v.Duration("WAIT_LIMIT", leastWait, mostWait),
		stopLimit:     v.Duration("HTTP_STOP_LIMIT", 0, mostStop),
		logJSON:       v.OneOf("LOG_FORMAT", "text", "json") == "json",
		warnings:      v.Warnings(),
	}
	s.maxLedgerAge = v.MaxLedgerAge(s.network)
	if s.onSandbox() {
		s.sandboxListen = v.String("SANDBOX_LISTEN") // Network has checked it
	}
	if s.dataDir == "" {
		v.Fault("DATA_DIR", "must name a folder")
	}
	if level := v.OneOf("LOG_LEVEL", "debug", "info", "warn", "error"); level != "" {
		_ = s.logLevel.UnmarshalText([]byte(level)) // what OneOf did not take is told already
	}
	if v.OneOf("ISSUER_SUBMIT_MODE", "sequences", "tickets") == "tickets" {
		s.submitMode = ledger.Tickets
	}
	checkDatabaseURL(v, s.databaseURL)
	readIssuer(v, &s)
	s.policyDir = v.String("POLICY_DIR")
	s.documentsKeys, s.journalKeys = readKeys(v, "DOCUMENTS_KEY"), readKeys(v, "JOURNAL_KEY")
	s.accessSettings = readAccess(v, s.onSandbox())
	s.webhooks = readWebhooks(v)
	if len(s.webhooks.endpoints) == 0 && v.String("WEBHOOK_SECRET") != "" {
		s.warnings = append(s.warnings, "WEBHOOK_SECRET is set and WEBHOOK_URLS is not: no events are sent")
	}
	s.warnings = append(s.warnings, plainNodes(s)...)
	if s.onSandbox() && len(s.nodes) > 0 {
		v.Wrong("XRPL_NODES: the embedded ledger has no other nodes: set XRPL_NETWORK to the network of these nodes")
	}
	if s.policyDir == "" && !s.onSandbox() {
		s.warnings = append(s.warnings, noPolicies)
	}
	if s.onSandbox() && s.sandboxListen == s.httpListen && !strings.HasSuffix(s.httpListen, ":0") {
		v.Wrong("HTTP_LISTEN and SANDBOX_LISTEN are the same address: the service and its ledger need one each")
	}
	s.reserveWarning = uint32(v.Int("RESERVE_WARNING", 0, math.MaxInt32))
	s.reconcile = v.Duration("INDEX_RECONCILE", leastReconcile, mostReconcile)
	if flags.NArg() > 0 {
		v.Wrong(config.NoCommand("issuer", flags.Args(), slices.Collect(maps.Keys(commands))))
	}
	return s, flags, v.Err()
}

func checkDatabaseURL(v *config.Values, url string) {
	if url == "" {
		return
	}
	if err := store.CheckURL(url); err != nil {
		v.Fault("DATABASE_URL", err.Error()) // not repeated: it may hold a password
	}
}

// secretOrFile returns a secret that stands in a setting or in the file that another one names, and which of them it is.
func secretOrFile(v *config.Values, key string) (text, name string) {
	file := key + "_FILE"
	text = v.String(key)
	path := v.String(file)
	if path == "" {
		return text, key
	}
	fromFile, err := config.SecretFile(path)
	switch {
	case err != nil:
		v.Wrong(file + ": " + err.Error())
	case text != "" && text != fromFile:
		v.Wrong(key + " and " + file + " hold different secrets: set one of them")
	default:
		return fromFile, file
	}
	return text, key
}

func readIssuer(v *config.Values, s *settings) {
	text, name := secretOrFile(v, "ISSUER_ACCOUNT_SEED")
	if text != "" {
		seed, err := ledger.ParseSeed(text)
		if err != nil {
			v.Wrong(name + ": " + err.Error())
		} else {
			s.seed = &seed
		}
	}
	if address := v.String("ISSUER_ACCOUNT_ADDRESS"); address != "" {
		var err error
		if s.account, err = model.ParseAddress(address); err != nil {
			v.Fault("ISSUER_ACCOUNT_ADDRESS", err.Error())
		}
		if text == "" && s.onSandbox() {
			v.Fault("ISSUER_ACCOUNT_ADDRESS", "needs a seed beside it: set ISSUER_ACCOUNT_SEED to that of the account or of its regular key")
		}
	}
}

// usage writes the help text.
func usage(w io.Writer, flags *pflag.FlagSet) error {
	_, err := fmt.Fprintf(w, `issuer issues credentials on the XRP Ledger, over HTTP.

  issuer                           on the embedded ledger: nothing to set up
  issuer --xrpl-network devnet     on Devnet, with the seed from ISSUER_ACCOUNT_SEED or a masked prompt
  issuer batch FILE                has a running service issue many credentials
  issuer token create|list|revoke|deny|allow  makes and revokes the tokens of the administrators' side
  issuer audit verify|export|restored  checks and writes out the audit log
  issuer verify ISSUER SUBJECT TYPE  asks the ledger whether a credential can be relied on
  issuer --version                 which build this is

Each of these tells more with --help.

Every flag is also a variable of the environment and a line in .env: --http-listen is HTTP_LISTEN. Flags go before the
environment, the environment before .env. Secrets have no flag, as other users of a machine see command lines. SIGHUP reads
policies, certificates and WEBHOOKS_FILE again. Exit status: 0 stopped, 1 failed, 2 wrong settings, which no other start
will mend.

%s`, flags.FlagUsages())
	return err
}

// logger returns the log that the settings ask for. Seeds cannot reach it: the type that holds them redacts itself.
func (s settings) logger(w io.Writer) slog.Handler {
	options := &slog.HandlerOptions{Level: s.logLevel}
	if s.logJSON {
		return slog.NewJSONHandler(shownLines{w}, options)
	}
	return slog.NewTextHandler(w, options) // which escapes what cannot be seen
}

// shownLines escapes in lines of JSON what a terminal would act on: a log repeats some of what callers send.
type shownLines struct{ w io.Writer }

// Write takes whole lines, as the handlers of slog write them.
func (s shownLines) Write(line []byte) (int, error) {
	if _, err := s.w.Write(model.ShownJSON(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}
