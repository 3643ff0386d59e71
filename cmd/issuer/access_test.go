package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer/access"
	"github.com/xrplissuer/credential-issuer/issuer/webhook"
)

const documentsKey = "3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu8="

// TestAccessFaults: what is wrong with the settings of access, documents and webhooks is told at once, by name, and no secret
// is repeated.
func TestAccessFaults(t *testing.T) {
	open := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(open, []byte(documentsKey), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		env  map[string]string
		want []string
	}{
		{"all of them", map[string]string{"RATE_LIMIT_CLIENT": "many", "RATE_LIMIT_SUBJECT": "1/0s", "RATE_LIMIT_LOGIN": "0/1m", "TRUSTED_PROXIES": "10.0.0.0/99", "TLS_CERT_FILE": "x.pem", "OIDC_ISSUER": "https://idp.example",
			"OIDC_ROLES": "boss=owner", "DOCUMENTS_KEY": "hush-hush", "WEBHOOK_URLS": "https://hooks.example,https://me:hush-hush@x/", "WEBHOOK_ALLOW_PRIVATE": "perhaps", "RESERVE_WARNING": "-1"},
			[]string{"- RATE_LIMIT_CLIENT must be", "- RATE_LIMIT_SUBJECT must be", "- RATE_LIMIT_LOGIN must be", "- TRUSTED_PROXIES must be", "- TLS_CERT_FILE and TLS_KEY_FILE belong together", "- OIDC_AUDIENCE must be set beside",
				"- OIDC_ROLES must have", "- DOCUMENTS_KEY must be", "- WEBHOOK_URLS each address ", "- WEBHOOK_SECRET must be set beside", "- WEBHOOK_ALLOW_PRIVATE must be", "- RESERVE_WARNING must be"}},
		{"roles without a provider", map[string]string{"OIDC_ROLES": "admin=boss"}, []string{"OIDC_ROLES must have"}},
		{"a secret without webhooks", map[string]string{"WEBHOOK_SECRET": "hush-hush"}, []string{"WEBHOOK_SECRET must be"}},
		{"the same address twice", map[string]string{"HTTP_LISTEN": "127.0.0.1:5005"}, []string{"HTTP_LISTEN and SANDBOX_LISTEN are the same"}},
		{"a key without a certificate", map[string]string{"TLS_KEY_FILE": "x"}, []string{"belong together"}},
		{"an audience without a provider", map[string]string{"OIDC_AUDIENCE": "us"}, []string{"OIDC_ISSUER must be set beside OIDC_AUDIENCE"}},
		{"every proxy", map[string]string{"TRUSTED_PROXIES": "0.0.0.0/0"}, []string{"TRUSTED_PROXIES must not hold"}},
		{"a role twice", map[string]string{"OIDC_ISSUER": "https://idp.example", "OIDC_AUDIENCE": "us", "OIDC_ROLES": "a=admin,a=reader"}, []string{"OIDC_ROLES names"}},
		{"webhooks in the clear", map[string]string{"WEBHOOK_URLS": "http://hooks.example", "WEBHOOK_SECRET": "hush-hush"}, []string{"WEBHOOK_URLS each address ", "WEBHOOK_SECRET "}},
		{"the second key is none", map[string]string{"DOCUMENTS_KEY": documentsKey + ",hush-hush"}, []string{"DOCUMENTS_KEY must be 32 random bytes"}},
		{"a short key", map[string]string{"DOCUMENTS_KEY": "aHVzaC1odXNo"}, []string{"DOCUMENTS_KEY must be 32 random bytes"}},
		{"a key of zeros", map[string]string{"DOCUMENTS_KEY": strings.Repeat("A", 43) + "="}, []string{"DOCUMENTS_KEY must be"}},
		{"a key file that others can read", map[string]string{"DOCUMENTS_KEY_FILE": open}, []string{"DOCUMENTS_KEY_FILE: ", "chmod 600"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			_, log, status := command(t) // the service itself
			if status != 2 {
				t.Errorf("status %d: %s", status, log)
			}
			for _, want := range tc.want {
				if !strings.Contains(log, want) {
					t.Errorf("%q is not in: %s", want, log)
				}
			}
			for _, secret := range []string{"hush", "aHVzaC1odXNo", documentsKey, strings.Repeat("A", 43)} {
				if strings.Contains(log, secret) {
					t.Errorf("a secret is repeated: %s", log)
				}
			}
		})
	}
}

// TestAccessSettings: what is read, and what holds where nothing is set.
func TestAccessSettings(t *testing.T) {
	s, _, err := readSettings(nil, noFile(t))
	if err != nil || !s.accessSettings.clientRate.Off() || !s.accessSettings.subjectRate.Off() || !s.accessSettings.loginRate.Off() || s.accessSettings.oidc != nil || s.documentsKeys != nil || s.webhooks.endpoints != nil {
		t.Errorf("on the sandbox: %+v, %v", s.accessSettings, err)
	}
	if s, _, err = readSettings([]string{"--xrpl-network=testnet"}, noFile(t)); err != nil || s.accessSettings.clientRate != (access.Rate{Count: 600, Per: time.Minute}) || s.accessSettings.subjectRate != (access.Rate{Count: 60, Per: time.Minute}) || s.accessSettings.loginRate != (access.Rate{Count: 20, Per: time.Minute}) {
		t.Errorf("elsewhere: %+v, %v", s.accessSettings, err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(documentsKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"RATE_LIMIT_CLIENT": "0", "RATE_LIMIT_SUBJECT": "5/1h", "OIDC_ISSUER": "https://idp.example", "OIDC_AUDIENCE": "us", "TRUSTED_PROXIES": "10.0.0.0/8, ::1",
		"DOCUMENTS_KEY_FILE": path, "WEBHOOK_URLS": "https://a.example/x, http://10.0.0.1/", "WEBHOOK_SECRET": webhook.NewSecret().Reveal(), "WEBHOOK_ALLOW_PRIVATE": "true"} {
		t.Setenv(k, v)
	}
	s, _, err = readSettings([]string{"--xrpl-network=testnet"}, noFile(t))
	if err != nil {
		t.Fatal(err)
	}
	if a := s.accessSettings; !a.clientRate.Off() || a.subjectRate != (access.Rate{Count: 5, Per: time.Hour}) || a.oidc == nil || a.oidc.RoleClaim != "roles" || len(a.oidc.Roles) != 3 {
		t.Errorf("%+v", a)
	}
	if len(s.documentsKeys) != 1 || len(s.webhooks.endpoints) != 2 || strings.Contains(fmt.Sprintf("%v %+v %#v", s.documentsKeys, s.documentsKeys, s.documentsKeys), documentsKey[:20]) {
		t.Errorf("%+v %+v", s.webhooks.endpoints, s.documentsKeys)
	}
}

// TestBeyondLoopback: where nobody is asked who they are, nobody of another machine is let in.
func TestBeyondLoopback(t *testing.T) {
	dir := t.TempDir()
	args := append(onSandbox(dir), "--http-listen=0.0.0.0:0")
	out, log, status := command(t, args...)
	if status != 2 || out != "" || !strings.Contains(log, "HTTP_LISTEN: without tokens whoever reaches the service") || !strings.Contains(log, "issuer token create --name me --role admin") {
		t.Fatalf("%d %s%s", status, out, log)
	}
	token := makeToken(t, "me", "admin", "--data-dir="+dir)
	s := boot(t, args...)
	if !strings.Contains(s.log.String(), "without TLS") {
		t.Errorf("nothing is said of TLS:\n%s", s.log)
	}
	for given, want := range map[string]int{"": http.StatusUnauthorized, token: http.StatusOK} {
		if got := s.get(t, "/admin/credential", given); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
}

// TestOpenIsForThisMachine: without tokens, a page in a browser of this machine is not let in, nor under a name that points here.
func TestOpenIsForThisMachine(t *testing.T) {
	s := boot(t, onSandbox(t.TempDir())...)
	url := s.field(t, "HTTP") + "/admin/credential"
	for name, change := range map[string]func(*http.Request){
		"another name": func(r *http.Request) { r.Host = "rebound.example" },
		"another site": func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"cross-site":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Close = true
		change(request)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, response.StatusCode)
		}
	}
	if got := s.get(t, "/admin/credential", ""); got != http.StatusOK {
		t.Errorf("this machine: %d", got)
	}
}

// writeCertificate makes a certificate for this machine with a serial number, and its key.
func writeCertificate(t *testing.T, dir string, serial int64) (args []string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, private := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, private: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return []string{"--tls-cert-file=" + cert, "--tls-key-file=" + private}, pool
}

// hangup sends this process SIGHUP, once the service is known to look at it, and waits for what the log says of it.
func (s *service) hangup(t *testing.T, said string) {
	t.Helper()
	before := strings.Count(s.log.String(), said)
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(syscall.SIGHUP)
	}
	if err != nil {
		t.Fatal(err)
	}
	late := time.After(10 * time.Second)
	for strings.Count(s.log.String(), said) == before {
		select {
		case <-s.log.wrote:
		case <-late:
			t.Fatalf("%q does not come:\n%s", said, s.log)
		}
	}
}

// TestTLS: with a certificate the service answers HTTPS, and takes another one on SIGHUP; one that is wrong changes nothing.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	files, pool := writeCertificate(t, dir, 1)
	s := boot(t, append(onSandbox(t.TempDir()), files...)...)
	url := s.field(t, "HTTP")
	if !strings.HasPrefix(url, "https://127.0.0.1:") {
		t.Fatal(url)
	}
	serial := func(pool *x509.CertPool) (int64, error) {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			return 0, err
		}
		_ = response.Body.Close()
		if response.TLS.Version < tls.VersionTLS12 || response.StatusCode != http.StatusOK {
			t.Errorf("%+v", response)
		}
		return response.TLS.PeerCertificates[0].SerialNumber.Int64(), nil
	}
	if n, err := serial(pool); err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	_, pool = writeCertificate(t, dir, 2)
	s.hangup(t, "read the certificate again")
	if n, err := serial(pool); err != nil || n != 2 {
		t.Errorf("after SIGHUP: %d, %v", n, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.hangup(t, "the certificate was not read again; the one before stays")
	if n, err := serial(pool); err != nil || n != 2 {
		t.Errorf("after a wrong one: %d, %v", n, err)
	}
	if status, body := paste(t, []string{"", "", "", "", strings.Replace(url, "https", "http", 1) + "/healthz"}); status != http.StatusBadRequest {
		t.Errorf("plain HTTP: %d %s", status, body)
	}
	rows := filepath.Join(dir, "rows.csv") // a file, as the server resets the connection, perhaps before its answer is read
	if err := os.WriteFile(rows, []byte("subject,credential\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, log, err := batchCommand(t, "", "--issuer-url="+strings.Replace(url, "https", "http", 1), rows)
	if err == nil || !strings.Contains(err.Error(), "answers HTTPS: set ISSUER_URL") {
		t.Errorf("%v %s", err, log)
	}
}

func TestTLSFaults(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	files, _ := writeCertificate(t, dir, 1)
	foreign, _ := writeCertificate(t, other, 2)
	readable, _ := writeCertificate(t, t.TempDir(), 3)
	if err := os.Chmod(strings.TrimPrefix(readable[1], "--tls-key-file="), 0o640); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ args, want []string }{
		"no certificate":                  {[]string{"--tls-cert-file=" + dir + "/none", files[1]}, []string{"TLS_CERT_FILE: ", "no such file"}},
		"no key":                          {[]string{files[0], "--tls-key-file=" + dir + "/none"}, []string{"TLS_KEY_FILE: ", "no such file"}},
		"a key that others can read":      {readable, []string{"TLS_KEY_FILE: ", "mode 0640", "chmod 600"}},
		"a key of another certificate":    {[]string{files[0], foreign[1]}, []string{"TLS_CERT_FILE and TLS_KEY_FILE: the certificate cannot be used"}},
		"the certificate for the key too": {[]string{files[0], strings.Replace(files[0], "cert-file", "key-file", 1)}, []string{"the certificate cannot be used"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, log, status := command(t, append(onSandbox(t.TempDir()), tc.args...)...)
			if status != 2 || strings.Contains(log, "PRIVATE") {
				t.Errorf("%d %s", status, log)
			}
			for _, want := range tc.want {
				if !strings.Contains(log, want) {
					t.Errorf("%q is not in %s", want, log)
				}
			}
		})
	}
}

const (
	clubPolicy   = "credential: Club\ndecision: automatic\ndocuments: {type: object}\n"
	reviewPolicy = "credential: Looked\ndecision: review\nkeep_documents: 30d\n"
)

func writePolicy(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestPolicies: what is wrong with them keeps the service from starting, and what is put wrong while it runs changes nothing.
func TestPolicies(t *testing.T) {
	dir := t.TempDir()
	where := "--policy-dir=" + dir
	if _, log, status := command(t, append(onSandbox(t.TempDir()), where+"/none")...); status != 2 || !strings.Contains(log, "POLICY_DIR: ") {
		t.Errorf("%d %s", status, log)
	}
	writePolicy(t, dir, "club.yaml", "credential: Club\ndecision: perhaps\n")
	writePolicy(t, dir, "more.yaml", "credential: [1]\n")
	if _, log, status := command(t, append(onSandbox(t.TempDir()), where)...); status != 2 || !strings.Contains(log, "POLICY_DIR: ") || !strings.Contains(log, "club.yaml:2: decision must be") || !strings.Contains(log, "more.yaml:1: ") {
		t.Errorf("%d %s", status, log)
	}
	writePolicy(t, dir, "club.yaml", clubPolicy)
	if err := os.Remove(filepath.Join(dir, "more.yaml")); err != nil {
		t.Fatal(err)
	}
	s := boot(t, append(onSandbox(t.TempDir()), where)...)
	if !strings.Contains(s.out.String(), "1. Request a credential (Club), with documents as its policy wants them\n\nSUBJECT_ACCOUNT_SEED=") ||
		!strings.Contains(s.out.String(), " ISSUER_URL="+s.field(t, "HTTP")+" go run ./cmd/accept prove --credential Club --documents FILE\n") {
		t.Errorf("%s", s.out)
	}
	subject := s.field(t, "Subject")
	ask := func(credential string) int {
		t.Helper()
		body := fmt.Sprintf(`{"subject":"%s","credential":"%s","documents":{"a":1}}`, subject, credential)
		status, _ := paste(t, []string{"", "Content-Type: application/json", "POST", body, s.field(t, "HTTP") + "/credential"})
		return status
	}
	if got := ask("Club"); got != http.StatusCreated {
		t.Errorf("Club: %d", got)
	}
	if got := ask("Looked"); got != http.StatusBadRequest {
		t.Errorf("Looked: %d", got)
	}
	writePolicy(t, dir, "looked.yaml", reviewPolicy)
	s.hangup(t, "read the policies again")
	if got := ask("Looked"); got != http.StatusAccepted {
		t.Errorf("Looked, once it has a policy: %d", got)
	}
	writePolicy(t, dir, "club.yaml", "credential: Club\ndecision: perhaps\n")
	s.hangup(t, "the policies were not read again; those before stay")
	if !strings.Contains(s.log.String(), "club.yaml:2: decision must be") {
		t.Errorf("%s", s.log)
	}
	if got := ask("Club"); got != http.StatusConflict { // it stands
		t.Errorf("Club, while its policy is wrong: %d", got)
	}
}

// TestDocumentsKeyMissing: where a person decides, documents have to be kept, and no key means no start, and no policy later.
func TestDocumentsKeyMissing(t *testing.T) {
	node := startNode(t)
	made, err := node.Fund(t.Context(), "", 1_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ISSUER_ACCOUNT_SEED", made.Seed.Reveal())
	dir := t.TempDir()
	writePolicy(t, dir, "looked.yaml", reviewPolicy)
	args := []string{"--http-listen=127.0.0.1:0", "--xrpl-network=" + node.WebSocketURL(), "--policy-dir=" + dir, "--data-dir=" + t.TempDir()}
	if _, log, status := command(t, args...); status != 2 || !strings.Contains(log, "DOCUMENTS_KEY: ") || !strings.Contains(log, "openssl rand -base64 32") {
		t.Errorf("%d %s", status, log)
	}
	writePolicy(t, dir, "looked.yaml", clubPolicy)
	s := boot(t, args...)
	if got := s.get(t, "/healthz", ""); got != http.StatusOK {
		t.Fatal(got)
	}
	writePolicy(t, dir, "looked.yaml", reviewPolicy)
	s.hangup(t, "the policies were not read again; those before stay")
	if !strings.Contains(s.log.String(), "DOCUMENTS_KEY: ") {
		t.Errorf("%s", s.log)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCUMENTS_KEY", documentsKey)
	s = boot(t, args...)
	if strings.Contains(s.log.String()+s.out.String(), documentsKey) {
		t.Error("the key is shown")
	}
	if !strings.Contains(s.out.String(), "\nISSUER_URL="+s.field(t, "HTTP")+" go run ./cmd/accept prove --credential Looked --documents FILE\n") {
		t.Errorf("%s", s.out)
	}
}

// TestTerminalGone: only a terminal that was there and is not any more is gone.
func TestTerminalGone(t *testing.T) {
	if gone := watchTerminal(console{strings.NewReader(""), newTerminal(), newTerminal()}); gone() {
		t.Error("gone without ever being there")
	}
	ours, theirs := terminalPair(t)
	gone := watchTerminal(console{theirs, newTerminal(), theirs})
	if gone() {
		t.Error("gone while it is there")
	}
	if err := ours.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for !gone() {
		if ctx.Err() != nil {
			t.Fatal("there after it was closed")
		}
	}
}
