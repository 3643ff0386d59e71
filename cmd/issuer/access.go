package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/issuer/access"
	"github.com/xrplissuer/credential-issuer/issuer/vault"
	"github.com/xrplissuer/credential-issuer/model"
)

// discard is the log of commands whose results are all there is to say.
var discard = slog.New(slog.DiscardHandler)

// accessSettings are who may do what, and how often.
type accessSettings struct {
	oidc                     *access.OIDC // nil for none
	clientRate, subjectRate  access.Rate
	loginRate, tokenRate     access.Rate
	closed                   model.ClosedLimits
	proxies                  access.Proxies
	certificateFile, keyFile string // empty: plain HTTP
}

// Rates where none is set. On the sandbox there are none: whoever tries things out there is in nobody's way.
const defaultClientRate, defaultSubjectRate, defaultLoginRate, defaultTokenRate = "600/1m", "60/1m", "20/1m", "6000/1m"

// How many review requests of a subject and of a client may end without a credential, where nothing is set.
const defaultClosedSubject, defaultClosedClient = "10/24h", "200/24h"

func readAccess(v *config.Values, onSandbox bool) accessSettings {
	var s accessSettings
	rate := func(key, otherwise string) access.Rate {
		text := v.String(key)
		switch {
		case text == "" && onSandbox:
			text = "0"
		case text == "":
			text = otherwise
		}
		r, err := access.ParseRate(text)
		if err != nil {
			v.Fault(key, err.Error())
		}
		return r
	}
	s.clientRate, s.subjectRate = rate("RATE_LIMIT_CLIENT", defaultClientRate), rate("RATE_LIMIT_SUBJECT", defaultSubjectRate)
	s.loginRate, s.tokenRate = rate("RATE_LIMIT_LOGIN", defaultLoginRate), rate("RATE_LIMIT_TOKEN", defaultTokenRate)
	ofSubject, ofClient := rate("RATE_LIMIT_CLOSED_SUBJECT", defaultClosedSubject), rate("RATE_LIMIT_CLOSED_CLIENT", defaultClosedClient)
	s.closed.PerSubject = model.ClosedLimit{Count: ofSubject.Count, Within: ofSubject.Per}
	s.closed.PerClient = model.ClosedLimit{Count: ofClient.Count, Within: ofClient.Per}
	var err error
	if s.proxies, err = access.ParseProxies(v.String("TRUSTED_PROXIES")); err != nil {
		v.Fault("TRUSTED_PROXIES", err.Error())
	}
	s.certificateFile, s.keyFile = v.String("TLS_CERT_FILE"), v.String("TLS_KEY_FILE")
	if (s.certificateFile == "") != (s.keyFile == "") {
		v.Wrong("TLS_CERT_FILE and TLS_KEY_FILE belong together: set both, or neither")
	}
	provider, audience := v.String("OIDC_ISSUER"), v.String("OIDC_AUDIENCE")
	roles, err := access.ParseRoles(v.String("OIDC_ROLES"))
	if err != nil {
		v.Fault("OIDC_ROLES", err.Error())
	}
	if provider == "" {
		if audience != "" {
			v.Fault("OIDC_ISSUER", "must be set beside OIDC_AUDIENCE: the provider's address")
		}
		return s
	}
	if audience == "" {
		v.Fault("OIDC_AUDIENCE", "must be set beside OIDC_ISSUER: tokens that the provider makes for others must not open this service")
	}
	s.oidc = &access.OIDC{Issuer: provider, Audience: audience, RoleClaim: v.String("OIDC_ROLE_CLAIM"), Roles: roles}
	return s
}

// readKeys reads the keys of a setting, or of the file that it names.
func readKeys(v *config.Values, setting string) []vault.Key {
	text, name := secretOrFile(v, setting)
	if text == "" {
		return nil
	}
	var keys []vault.Key
	for _, one := range strings.Split(text, ",") {
		k, err := vault.ParseKey(strings.TrimSpace(one))
		if err != nil {
			v.Fault(name, err.Error())
			return nil
		}
		keys = append(keys, k)
	}
	return keys
}

// documentsVault returns what seals documents; nil where there is no key. On the sandbox a key is made where none is set, and
// kept beside the wallets.
func documentsVault(s settings) (*vault.Vault, error) {
	keys := s.documentsKeys
	if len(keys) == 0 && s.onSandbox() {
		k, err := sandboxKey(s, "documents.key")
		if err != nil {
			return nil, err
		}
		keys = []vault.Key{k}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	return vault.New(keys...)
}

// sandboxKey reads a key that the sandbox keeps beside the wallets, or makes it.
func sandboxKey(s settings, file string) (vault.Key, error) {
	path := filepath.Join(s.dataDir, "sandbox", file)
	text, err := keptSecret(path, func() (string, error) { return vault.NewKey().Reveal(), nil })
	if err != nil {
		return vault.Key{}, err
	}
	k, err := vault.ParseKey(text)
	if err != nil {
		return vault.Key{}, fmt.Errorf("%s %w", path, err)
	}
	return k, nil
}

// journalUse is what the keys are for that authenticate the journal.
const journalUse = "operations"

// journalKeys returns the keys that authenticate operations: those of JOURNAL_KEY, then the one that the seed gives, so that
// JOURNAL_KEY can be set, or the seed replaced, while operations are open. The sandbox, whose seed is made later, keeps a key.
func journalKeys(s settings) ([][32]byte, error) {
	given := s.journalKeys
	if s.onSandbox() && len(given) == 0 {
		k, err := sandboxKey(s, "journal.key")
		if err != nil {
			return nil, err
		}
		given = []vault.Key{k}
	}
	var keys [][32]byte
	for _, k := range given {
		keys = append(keys, k.Derive(journalUse))
	}
	if s.seed != nil {
		keys = append(keys, s.seed.Derive(journalUse))
	}
	return keys, nil
}

// errOpenBeyond says why a sandbox without tokens is not for other machines.
var errOpenBeyond = errors.New("HTTP_LISTEN: without tokens whoever reaches the service may issue and revoke, so that on the sandbox it listens on " +
	"127.0.0.1 alone: make a token first (issuer token create --name me --role admin), or set OIDC_ISSUER, or HTTP_LISTEN to 127.0.0.1 and a port")

// checkListener refuses to let other machines in where nobody is asked who they are.
func checkListener(ctx context.Context, s settings, addr net.Addr, who *access.Authenticator, log *slog.Logger) error {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		return nil
	}
	open, err := who.Open(ctx)
	if err != nil {
		return err
	}
	if open {
		return wrongSettings(errOpenBeyond)
	}
	if s.accessSettings.certificateFile == "" {
		log.Warn("the service listens beyond this machine without TLS: tokens and documents can be read on the way; "+
			"set TLS_CERT_FILE and TLS_KEY_FILE, or put a proxy in front that does it", "http_listen", s.httpListen)
	}
	return nil
}

// certificate is the service's, read again when it is told to.
type certificate struct {
	files   [2]string
	current atomic.Pointer[tls.Certificate]
}

// newCertificate reads a certificate and its key; nil where there is none.
func newCertificate(s accessSettings) (*certificate, error) {
	if s.certificateFile == "" {
		return nil, nil
	}
	c := &certificate{files: [2]string{s.certificateFile, s.keyFile}}
	return c, c.reload()
}

func (c *certificate) reload() error {
	chain, err := os.ReadFile(c.files[0])
	if err != nil {
		return fmt.Errorf("TLS_CERT_FILE: %w", err)
	}
	key, err := config.SecretFile(c.files[1])
	if err != nil {
		return fmt.Errorf("TLS_KEY_FILE: %w", err)
	}
	pair, err := tls.X509KeyPair([]byte(config.Text(chain)), []byte(key))
	if err != nil {
		return fmt.Errorf("TLS_CERT_FILE and TLS_KEY_FILE: the certificate cannot be used: %w", err)
	}
	c.current.Store(&pair)
	return nil
}

// config is for the listener; nil for plain HTTP.
func (c *certificate) config() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil }}
}

// clientOf returns what says which client a request comes from, as rates are counted and as the log shows it.
func clientOf(p access.Proxies) func(*http.Request) string {
	return func(r *http.Request) string {
		return access.ClientKey(p.ClientIP(r.RemoteAddr, r.Header.Values("X-Forwarded-For")))
	}
}
