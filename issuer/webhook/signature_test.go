package webhook

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// TestSignature has the vector that the libraries of Standard Webhooks are tested with.
func TestSignature(t *testing.T) {
	s, err := ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got := signatures([]Secret{s}, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestSignatureVerifies has the library of the specification's authors check ours, with each of several secrets.
func TestSignatureVerifies(t *testing.T) {
	secrets := []Secret{NewSecret(), NewSecret()}
	body, at := []byte(`{"type":"credential.issued"}`), time.Now()
	stamp := strconv.FormatInt(at.Unix(), 10)
	header := http.Header{headerID: {"01JD8Q4Z7T9XW3V5K2M6N8P0RS"}, headerTimestamp: {stamp},
		headerSignature: {signatures(secrets, "01JD8Q4Z7T9XW3V5K2M6N8P0RS", stamp, body)}}
	if n := len(strings.Split(header.Get(headerSignature), " ")); n != 2 {
		t.Errorf("%d signatures", n)
	}
	for i, s := range append(secrets, NewSecret()) {
		verifier, err := standard.NewWebhook(s.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify(body, header); (err == nil) != (i < 2) {
			t.Errorf("secret %d: %v", i, err)
		}
		if err := verifier.Verify(append(body, ' '), header); err == nil {
			t.Errorf("secret %d: another body is taken", i)
		}
	}
}
