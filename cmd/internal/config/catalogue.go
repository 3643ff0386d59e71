package config

import (
	"fmt"
	"slices"
	"strings"
)

// Catalogue is every setting of every program, in the order in which .env.example shows them. A program takes the ones
// that it uses with [Pick], so that a name means the same everywhere.
var Catalogue = []Setting{
	{Key: "XRPL_NETWORK", Default: Sandbox,
		Usage: "ledger: sandbox (embedded, nothing leaves this machine), devnet, testnet, mainnet, or a node's http(s):// or ws(s):// address"},
	{Key: "XRPL_NETWORK_FILE",
		Usage: "file with that address, which only its owner may read; for an address with an API key: everything behind its host is a secret"},
	{Key: "XRPL_MAX_LEDGER_AGE", Default: "2m",
		Usage: "highest age of the last validated ledger, from 10s to 24h, or off; past it nothing is verified or issued; off is for stand-alone nodes whose ledgers close on command; the embedded ledger has no limit"},
	{Key: "XRPL_NODES", Secret: true,
		Usage: "more nodes of the same network, separated by commas: a result of an operation, and a valid credential, count once one of them confirms it; where they disagree, the result is undetermined; it has no flag, as addresses may hold API keys"},
	{Key: "HTTP_LISTEN", Default: "127.0.0.1:8080",
		Usage: "where the service answers HTTP; port 0 lets the system pick one"},
	{Key: "DATA_DIR", Default: "./data",
		Usage: "folder for what must outlive the process: the journal (issuer.db), the embedded ledger and its wallets"},
	{Key: "DATABASE_URL", Secret: true,
		Usage: "PostgreSQL database for the journal, postgres://user:password@host:port/database, which several replicas for one issuer can share; where it is not set, the journal is the SQLite file issuer.db in DATA_DIR; it has no flag, as it may hold a password"},
	{Key: "IDEMPOTENCY_KEEP", Default: "24h",
		Usage: "how long the Idempotency-Key of a request is remembered"},

	{Key: "ISSUER_ACCOUNT_SEED", Secret: true,
		Usage: "seed of the issuing account, or of its regular key; on the sandbox one is made and kept in DATA_DIR; elsewhere it is asked for on a terminal where it is not set"},
	{Key: "ISSUER_ACCOUNT_SEED_FILE",
		Usage: "file with that seed, which only its owner may read"},
	{Key: "ISSUER_ACCOUNT_ADDRESS",
		Usage: "address of the issuing account, where the seed is its regular key's"},

	{Key: "POLICY_DIR",
		Usage: "folder with one YAML file for each credential type that is offered: what its documents must be, who decides, how long it holds; read again on SIGHUP; where it is not set, every type is offered and a placeholder decides"},
	{Key: "DOCUMENTS_KEY", Secret: true,
		Usage: "key that documents are encrypted with while a person decides on them: 32 random bytes in base64, as openssl rand -base64 32 prints them; several, separated by commas, to replace one: the first encrypts, all decrypt; on the sandbox one is made and kept in DATA_DIR"},
	{Key: "DOCUMENTS_KEY_FILE",
		Usage: "file with that key, which only its owner may read"},

	{Key: "JOURNAL_KEY", Secret: true,
		Usage: "key that authenticates operations and review requests in the database, so that write access to it is not the right to issue: 32 random bytes in base64, as openssl rand -base64 32 prints them; several, separated by commas, to replace one: the first makes codes, all verify them; where it is not set, it is derived from the issuing account's seed"},
	{Key: "JOURNAL_KEY_FILE",
		Usage: "file with that key, which only its owner may read"},

	{Key: "OIDC_ISSUER",
		Usage: "URL of the organisation's identity provider (OpenID Connect), whose tokens are then taken beside those that issuer token makes"},
	{Key: "OIDC_AUDIENCE",
		Usage: "who those tokens must be meant for: this service's name at the provider"},
	{Key: "OIDC_ROLE_CLAIM", Default: "roles",
		Usage: "claim that names the caller's roles: a text or a list, at a path such as realm_access.roles"},
	{Key: "OIDC_ROLES", Default: "admin=admin,reviewer=reviewer,reader=reader",
		Usage: "what the provider's roles are here: NAME=admin, reviewer or reader, separated by commas"},
	{Key: "RATE_LIMIT_CLIENT",
		Usage: "most requests of one client to the public side in a time, such as 600/1m; 0 for no limit; where it is not set, 600/1m, and no limit on the sandbox"},
	{Key: "RATE_LIMIT_SUBJECT",
		Usage: "most requests for one subject in a time: with its proof, and of each client without; where it is not set, 60/1m, and no limit on the sandbox"},
	{Key: "RATE_LIMIT_LOGIN",
		Usage: "most tokens that do not hold of one client in a time; where it is not set, 20/1m, and no limit on the sandbox"},
	{Key: "RATE_LIMIT_TOKEN",
		Usage: "most requests of one caller to the administrators' side in a time; where it is not set, 6000/1m, and no limit on the sandbox"},
	{Key: "RATE_LIMIT_CLOSED_SUBJECT",
		Usage: "most review requests of one subject that are withdrawn, rejected or lapse in a time of up to 24h; where it is not set, 10/24h, and no limit on the sandbox"},
	{Key: "RATE_LIMIT_CLOSED_CLIENT",
		Usage: "the same for one client; where it is not set, 200/24h, and no limit on the sandbox"},
	{Key: "REQUEST_KEEP", Default: "720h",
		Usage: "how long lapsed and rejected review requests are kept, at least 24h; withdrawn ones are kept for a day"},
	{Key: "TRUSTED_PROXIES",
		Usage: "addresses or networks (CIDR) of proxies in front of the service, separated by commas, whose X-Forwarded-For is believed"},
	{Key: "TLS_CERT_FILE",
		Usage: "certificate chain in PEM; with TLS_KEY_FILE the service answers HTTPS; read again on SIGHUP"},
	{Key: "TLS_KEY_FILE",
		Usage: "private key of that certificate in PEM, which only its owner may read"},

	{Key: "WEBHOOK_URLS",
		Usage: "where events are sent, separated by commas: https:// addresses, or http:// ones of this machine or a private network, which WEBHOOK_ALLOW_PRIVATE must allow"},
	{Key: "WEBHOOK_SECRET", Secret: true,
		Usage: "what events are signed with (Standard Webhooks): whsec_ and base64 of 24 to 64 random bytes; several, separated by commas, to replace one: each event is signed with all of them"},
	{Key: "WEBHOOKS_FILE",
		Usage: "a YAML file, which only its owner may read, with more webhooks: each with its own secret, and the events that it is told of; read again on SIGHUP"},
	{Key: "WEBHOOK_ALLOW_PRIVATE", Default: "false",
		Usage: "whether events may be sent to this machine and to private networks: true or false"},
	{Key: "RESERVE_WARNING", Default: "20",
		Usage: "warn when the account's XRP suffices for fewer credentials than this"},
	{Key: "INDEX_RECONCILE", Default: "1h",
		Usage: "time between two comparisons of the credential index with the ledger, 10s to 24h"},

	{Key: "ISSUER_SUBMIT_MODE", Default: "sequences",
		Usage: "what transactions take their turn with: sequences (in order), or tickets (kept in stock, up to 250, each of which locks an owner reserve until it is used; one transaction that is stuck holds up no other)"},

	{Key: "SUBJECT_ACCOUNT_SEED", Secret: true,
		Usage: "seed of the account that accepts credentials, for cmd/accept; asked for on a terminal where it is not set"},
	{Key: "SUBJECT_ACCOUNT_SEED_FILE",
		Usage: "file with that seed, which only its owner may read, for cmd/accept"},
	{Key: "SUBJECT_ACCOUNT_ADDRESS",
		Usage: "address of that account, where the seed is its regular key's, for cmd/accept"},

	{Key: "SANDBOX_LISTEN", Default: "127.0.0.1:5005",
		Usage: "where the embedded ledger of the service answers JSON-RPC, WebSocket and the faucet"},
	{Key: "SANDBOX_CLOSE_INTERVAL", Default: "1s",
		Usage: "how often the embedded ledger closes; 0s is only on the request ledger_accept"},

	{Key: "MAX_FEE_DROPS", Default: "5000",
		Usage: "most that one transaction may cost, in drops (millionths of an XRP)"},
	{Key: "WAIT_LIMIT", Default: "60s",
		Usage: "how long a request waits for its transaction's final result; past it the answer is 202, and the operation can be followed"},
	{Key: "HTTP_STOP_LIMIT", Default: "30s",
		Usage: "how long a stop waits for requests in progress"},

	{Key: "ISSUER_URL",
		Usage: "where issuer batch, accept prove and accept follow find the running service; where it is not set, at HTTP_LISTEN on this machine"},

	{Key: "ISSUER_TOKEN", Secret: true,
		Usage: "token with the role admin that issuer batch shows the service, where that wants one"},

	{Key: "LOG_LEVEL", Default: "info", Usage: "least that is logged: debug, info, warn or error"},
	{Key: "LOG_FORMAT", Default: "text", Usage: "form of the log on standard error: text or json"},
}

// Pick takes settings out of the [Catalogue], in the order of keys.
func Pick(keys ...string) []Setting {
	picked := make([]Setting, 0, len(keys))
	for _, key := range keys {
		i := slices.IndexFunc(Catalogue, func(s Setting) bool { return s.Key == key })
		if i < 0 {
			panic("config: no setting is called " + key) // a typing error in the program; its tests meet it
		}
		picked = append(picked, Catalogue[i])
	}
	return picked
}

// Example is the text of .env.example: every setting with a comment and its default. Read as a .env file it changes
// nothing.
func Example() string {
	var b strings.Builder
	b.WriteString(`# Settings of the programs, each with its default. Copy this file to .env and change what you need.
# A flag (--http-listen) or a variable of the environment (HTTP_LISTEN) of the same name goes before this file.
# Once a seed stands in it, nobody else may read it: chmod 600 .env
# A value with $ or # in it goes into single quotes: outside of them $NAME is a variable, and # begins a comment.
`)
	for _, s := range Catalogue {
		b.WriteString("\n")
		for _, line := range wrap(s.Usage, 116) {
			b.WriteString("# " + line + "\n")
		}
		fmt.Fprintf(&b, "%s=%s\n", s.Key, s.Default)
	}
	return b.String()
}

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
