package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

const (
	// closeInterval is how often the ledger closes: often, as each good request waits for it.
	closeInterval = 200 * time.Millisecond
	// proxyAddress is the one that the service with TLS takes for a proxy, and elsewhere where good clients are.
	proxyAddress, elsewhere = "127.0.0.9", "127.0.0.50"
)

// policies of the two services that have a folder.
var policies = map[string]string{
	"member.yaml": `credential: Member
decision: automatic
documents:
  type: object
  required: [name, email]
  additionalProperties: false
  properties:
    name: {type: string, minLength: 1, maxLength: 200}
    email: {type: string, format: email}
    age: {type: integer, minimum: 18, maximum: 150}
    tags: {type: array, maxItems: 10, uniqueItems: true, items: {type: string, pattern: "^(a+)+$"}}
proof: required
validity: {default: 365d, longest: 730d}
`,
	"accredited.yaml": `credential: Accredited
decision: review
keep_documents: 30d
documents:
  type: object
  required: [name]
  properties:
    name: {type: string, minLength: 1, maxLength: 20000}
proof: required
validity: {default: 90d, longest: 180d}
`,
	"plain.yaml": `credential: Plain
decision: automatic
documents: {type: object, required: [name], properties: {name: {type: string}}}
proof: none
unaccepted: {per_subject: 2, in_all: 1000}
`,
}

// world is all that the attacks are run in: a ledger, three services, an identity provider, and places that nobody may
// contact.
type world struct {
	dir                                          string
	issuerProgram, sandboxProgram, acceptProgram string
	node                                         *node
	provider                                     *provider
	trap                                         *trap
	receiver                                     *receiver
	plain, tls, open                             *service
	subjects                                     chan wallet
	webhookSecret, documentsKey, mark, documents string

	mu      sync.Mutex
	secrets []secret
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}

// build brings up everything, with so many funded subjects.
func (w *world) build(ctx context.Context, subjects int) (err error) {
	w.mark = "plaintext-" + strings.ToLower(rand.Text())
	w.documents = fmt.Sprintf(`{"name":%q,"email":"a@example.org"}`, w.mark)
	w.webhookSecret, w.documentsKey = "whsec_"+random(32), random(32)
	w.keep("the documents of a request", w.mark, true)
	w.keep("the webhook secret", strings.TrimPrefix(w.webhookSecret, "whsec_"), false)
	w.keep("the documents' key", w.documentsKey, false)
	if w.trap, err = newTrap(ctx, "127.0.0.1:0"); err != nil {
		return err
	}
	if w.receiver, err = newReceiver(ctx, w.trap); err != nil {
		return err
	}
	if w.provider, err = newProvider(ctx); err != nil {
		return err
	}
	address, err := programs.FreeAddress(ctx)
	if err != nil {
		return err
	}
	started, err := programs.StartNode(ctx, w.sandboxProgram, w.dir, address, "--close-interval", closeInterval.String())
	if started != nil {
		w.node = &node{started}
	}
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	if err := w.prepare(ctx); err != nil {
		return err
	}
	wallets := make([]wallet, subjects+2)
	for i := range wallets {
		if wallets[i], err = newWallet([][]byte{secp256k1Seed, ed25519Seed}[i%2]); err != nil {
			return err
		}
		w.keep("a seed", wallets[i].text, false)
	}
	faults := make([]error, len(wallets))
	atOnce(32, len(wallets), func(i int) {
		xrp := 100
		if i < 2 {
			xrp = 10_000
		}
		_, faults[i] = w.node.Fund(starting, wallets[i].address, xrp)
	})
	if err := errors.Join(faults...); err != nil {
		return err
	}
	w.plain.issuer, w.tls.issuer = wallets[0], wallets[1]
	w.subjects = make(chan wallet, subjects)
	for _, s := range wallets[2:] {
		w.subjects <- s
	}
	return w.startServices(starting)
}

// prepare makes the services' folders and settings.
func (w *world) prepare(ctx context.Context) error {
	w.plain, w.tls, w.open = &service{w: w, name: "plain"}, &service{w: w, name: "tls"}, &service{w: w, name: "open"}
	for _, s := range []*service{w.plain, w.tls, w.open} {
		var err error
		if s.address, err = programs.FreeAddress(ctx); err != nil {
			return err
		}
		s.dir = filepath.Join(w.dir, s.name)
		if err := errors.Join(os.MkdirAll(s.dataDir(), 0o700), os.MkdirAll(s.policies(), 0o700)); err != nil {
			return err
		}
		for name, text := range policies {
			if err := os.WriteFile(filepath.Join(s.policies(), name), []byte(text), 0o600); err != nil {
				return err
			}
		}
		s.tokens = map[string]string{}
		s.env = []string{"HTTP_LISTEN=" + s.address, "DATA_DIR=" + s.dataDir(), "HTTP_STOP_LIMIT=5s", "LOG_FORMAT=text"}
	}
	return w.certificate(w.tls)
}

// certificate makes one for a service, and its key.
func (w *world) certificate(s *service) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "attack run"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(chain)
	w.keep("the TLS key", base64.StdEncoding.EncodeToString(raw)[:60], false)
	return errors.Join(os.WriteFile(filepath.Join(s.dir, "cert.pem"), chain, 0o600),
		os.WriteFile(filepath.Join(s.dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
}

func (w *world) startServices(ctx context.Context) error {
	silent, err := programs.FreeAddress(ctx) // where no identity provider answers
	if err != nil {
		return err
	}
	network := "XRPL_NETWORK=ws://" + w.node.Address
	w.plain.env = append(w.plain.env, network, "ISSUER_ACCOUNT_SEED="+w.plain.issuer.text, "POLICY_DIR="+w.plain.policies(),
		"DOCUMENTS_KEY="+w.documentsKey, "OIDC_ISSUER="+w.provider.issuer, "OIDC_AUDIENCE="+audience,
		"RATE_LIMIT_CLIENT=1000000/1s", "RATE_LIMIT_LOGIN=0", // what comes from one client here is what is looked at
		"WEBHOOK_URLS="+w.receiver.url, "WEBHOOK_SECRET="+w.webhookSecret, "WEBHOOK_ALLOW_PRIVATE=true")
	w.tls.env = append(w.tls.env, network, "ISSUER_ACCOUNT_SEED="+w.tls.issuer.text, "POLICY_DIR="+w.tls.policies(),
		"DOCUMENTS_KEY="+w.documentsKey, "OIDC_ISSUER=http://"+silent, "OIDC_AUDIENCE="+audience, "RATE_LIMIT_LOGIN=0", "LOG_FORMAT=json",
		"WEBHOOK_URLS="+strings.Join(w.innerURLs(), ","), "WEBHOOK_SECRET="+w.webhookSecret,
		"TRUSTED_PROXIES="+proxyAddress, "TLS_CERT_FILE="+filepath.Join(w.tls.dir, "cert.pem"), "TLS_KEY_FILE="+filepath.Join(w.tls.dir, "key.pem"))
	w.open.env = append(w.open.env, "XRPL_NETWORK=sandbox", "SANDBOX_LISTEN=127.0.0.1:0", "SANDBOX_CLOSE_INTERVAL="+closeInterval.String())
	for _, s := range []*service{w.plain, w.tls} {
		for _, role := range []string{"reader", "reviewer", "admin"} {
			out, said, err := s.command(ctx, "token", "create", "--name", "good-"+role, "--role", role)
			if err != nil {
				return fmt.Errorf("issuer token create: %w %s", err, said)
			}
			s.tokens[role] = strings.TrimSpace(out)
			w.keep("a token", s.tokens[role][len("xci_")+17:], false)
		}
	}
	all := []*service{w.plain, w.tls, w.open}
	faults := make([]error, len(all))
	atOnce(len(all), len(all), func(i int) { faults[i] = all[i].start(ctx) })
	return errors.Join(faults...)
}

// close ends everything, and tells what did not end well.
func (w *world) close() error {
	var faults []error
	for _, s := range []*service{w.plain, w.tls, w.open} {
		if s == nil || s.process == nil {
			continue
		}
		if s.journal != nil {
			faults = append(faults, s.journal.db.Close())
		}
		faults = append(faults, s.process.Stop())
		s.client.CloseIdleConnections()
	}
	if w.node != nil {
		faults = append(faults, w.node.Process.Stop())
		w.node.CloseIdle()
	}
	return errors.Join(faults...)
}

// challenge asks for what a subject has to sign.
type challenge struct{ Nonce, Message string }

func (r *round) challenge(ctx context.Context, client *http.Client, subject, credential string) (challenge, error) {
	return r.challengeFor(ctx, client, r.w.asking(subject, credential, nil))
}

// challengeFor asks for what a subject has to sign for a request.
func (r *round) challengeFor(ctx context.Context, client *http.Client, request string) (challenge, error) {
	body, err := challengeBody(request)
	if err != nil {
		return challenge{}, err
	}
	a, err := r.sendBy(ctx, client, http.MethodPost, "/challenge", body)
	if err != nil {
		return challenge{}, err
	}
	var c challenge
	if err := json.Unmarshal(a.body, &c); err != nil || a.status != http.StatusOK {
		return c, fmt.Errorf("POST /challenge: %s", a)
	}
	return c, nil
}

// challengeBody is what asks for the challenge of a request.
func challengeBody(request string) (string, error) {
	var asked struct {
		Subject, Credential string
		Renew               bool
	}
	if err := json.Unmarshal([]byte(request), &asked); err != nil {
		return "", err
	}
	digest, err := model.RequestDigest([]byte(request))
	return text(map[string]any{"subject": asked.Subject, "credential": asked.Credential, "renew": asked.Renew, "request_hash": digest}), err
}

// asking is the body of a request for a credential.
func (w *world) asking(subject, credential string, p map[string]any) string {
	body := map[string]any{"subject": subject, "credential": credential, "documents": json.RawMessage(w.documents)}
	if credential == "Accredited" || credential == "Plain" {
		body["documents"] = map[string]any{"name": w.mark}
	}
	if p != nil {
		body["proof"] = p
	}
	return text(body)
}

func proof(c challenge, public, signature string) map[string]any {
	return map[string]any{"nonce": c.Nonce, "public_key": public, "signature": signature}
}

// good asks for a credential as it is meant to be done, and must get it.
func (r *round) good(ctx context.Context, client *http.Client) (time.Duration, error) {
	if r.service == r.w.open {
		began := time.Now()
		a, err := r.sendBy(ctx, client, http.MethodGet, "/readyz", "")
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("GET /readyz: %s", a)
		}
		return time.Since(began), err
	}
	var s wallet
	select {
	case s = <-r.w.subjects:
	default:
		return 0, errors.New("there are no more subjects: make more at the start")
	}
	began := time.Now()
	c, err := r.challenge(ctx, client, s.address, "Member")
	if err != nil {
		return 0, err
	}
	a, err := r.sendBy(ctx, client, http.MethodPost, "/credential", r.w.asking(s.address, "Member", proof(c, s.public, s.sign(c.Message))))
	if err != nil {
		return 0, err
	}
	if a.status != http.StatusCreated {
		return 0, fmt.Errorf("POST /credential: %s", a)
	}
	r.grant(1, 0)
	return time.Since(began), nil
}
