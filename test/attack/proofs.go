package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

func onPlain(w *world) *service { return w.plain }
func onTLS(w *world) *service   { return w.tls }
func onOpen(w *world) *service  { return w.open }

var proofs = []attack{
	{name: "proof forged", on: onPlain, run: forgedProofs},
	{name: "proof replayed, one after another", on: onPlain, run: replayedProofs},
	{name: "proof replayed, all at once", on: onPlain, run: racedProofs},
	{name: "proof relayed to another request", on: onPlain, run: relayedProofs},
}

// take takes subjects that nothing was asked for yet; one key is on secp256k1 and the next is Ed25519.
func (w *world) take() (secp, ed wallet, err error) {
	for range cap(w.subjects) {
		select {
		case s := <-w.subjects:
			switch {
			case s.ed25519 == nil && secp.address == "":
				secp = s
			case s.ed25519 != nil && ed.address == "":
				ed = s
			default:
				w.subjects <- s
			}
		default:
		}
		if secp.address != "" && ed.address != "" {
			return secp, ed, nil
		}
	}
	return secp, ed, errors.New("there are no more subjects: make more at the start")
}

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

func half(b []byte) []byte { sum := sha512.Sum512(b); return sum[:32] }

// highS is the other one of the two forms of an ECDSA signature, which the ledger does not take.
func highS(signature string) (string, error) {
	raw, err := hex.DecodeString(signature)
	if err != nil {
		return "", err
	}
	parsed, err := ecdsa.ParseDERSignature(raw)
	if err != nil {
		return "", err
	}
	r, s := parsed.R(), parsed.S()
	s.Negate()
	der := func(n secp256k1.ModNScalar) []byte {
		b := n.Bytes()
		v := strings.TrimLeft(string(b[:]), "\x00")
		if v[0] >= 0x80 {
			v = "\x00" + v
		}
		return append([]byte{2, byte(len(v))}, v...)
	}
	body := append(der(r), der(s)...)
	return upperHex(append([]byte{0x30, byte(len(body))}, body...)), nil
}

func forgedProofs(ctx context.Context, r *round) error {
	secp, ed, err := r.w.take()
	if err != nil {
		return err
	}
	for _, who := range []wallet{secp, ed} {
		other := ed
		if who.address == ed.address {
			other = secp
		}
		c, err := r.challenge(ctx, r.client, who.address, "Member")
		if err != nil {
			return err
		}
		foreign, err := r.challenge(ctx, r.client, other.address, "Member")
		if err != nil {
			return err
		}
		right := who.sign(c.Message)
		_, stranger, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		strange := "ED" + upperHex(stranger.Public().(ed25519.PublicKey))
		bySha := upperHex(ed25519.Sign(stranger, half([]byte(c.Message))))
		x := who.public[2:]
		forged := map[string]map[string]any{
			"another account's key":                proof(c, other.public, other.sign(c.Message)),
			"nobody's key":                         proof(c, strange, upperHex(ed25519.Sign(stranger, []byte(c.Message)))),
			"another's signature, own key":         proof(c, who.public, other.sign(c.Message)),
			"own signature, another's key":         proof(c, other.public, right),
			"the other subject's challenge":        proof(foreign, who.public, who.sign(foreign.Message)),
			"the other subject's nonce":            proof(foreign, who.public, right),
			"other text":                           proof(c, who.public, who.sign(c.Message+" ")),
			"other text, with a line end":          proof(c, who.public, who.sign(c.Message+"\n")),
			"the nonce alone":                      proof(c, who.public, who.sign(c.Nonce)),
			"cut":                                  proof(c, who.public, right[:len(right)-2]),
			"cut to a byte":                        proof(c, who.public, right[:2]),
			"longer":                               proof(c, who.public, right+"00"),
			"zeros":                                proof(c, who.public, strings.Repeat("0", len(right))),
			"all ones":                             proof(c, who.public, strings.Repeat("F", 128)),
			"odd hex":                              proof(c, who.public, right[1:]),
			"no hex":                               proof(c, who.public, strings.Repeat("Z", len(right))),
			"very long":                            proof(c, who.public, strings.Repeat("AB", 100_000)),
			"empty":                                proof(c, who.public, ""),
			"secp256k1 prefix 02":                  proof(c, "02"+x, bySha),
			"secp256k1 prefix 03":                  proof(c, "03"+x, bySha),
			"prefix 04":                            proof(c, "04"+x, right),
			"the point at infinity":                proof(c, "02"+strings.Repeat("0", 64), right),
			"an Ed25519 key of small order":        proof(c, "ED01"+strings.Repeat("0", 62), "01"+strings.Repeat("0", 126)),
			"an Ed25519 key of small order, twice": proof(c, "ED"+strings.Repeat("0", 64), strings.Repeat("0", 128)),
			"Ed25519 over the hash":                proof(c, strange, bySha),
			"nonce in other letters":               proof(challenge{strings.ToUpper(c.Nonce), c.Message}, who.public, right),
			"nonce padded":                         proof(challenge{c.Nonce + "=", c.Message}, who.public, right),
			"nonce with a tail":                    proof(challenge{c.Nonce + "A", c.Message}, who.public, right),
			"nonce cut":                            proof(challenge{c.Nonce[:len(c.Nonce)-1], c.Message}, who.public, right),
			"nonce of zeros":                       proof(challenge{base64.RawURLEncoding.EncodeToString(make([]byte, 40)), c.Message}, who.public, right),
			"nonce with a line end":                proof(challenge{c.Nonce + "\n", c.Message}, who.public, right),
		}
		if raw, err := base64.RawURLEncoding.DecodeString(c.Nonce); err == nil {
			for _, at := range []int{0, 7, 8, 20, 30, len(raw) - 1} { // its time, what is random, and its MAC
				bent := append([]byte(nil), raw...)
				bent[at] ^= 1
				nonce := base64.RawURLEncoding.EncodeToString(bent)
				forged["nonce bent at "+string(rune('A'+at))] = proof(challenge{nonce, c.Message}, who.public, who.sign(strings.Replace(c.Message, c.Nonce, nonce, 1)))
			}
		}
		if who.ed25519 == nil {
			forged["Ed25519 prefix"] = proof(c, "ED"+x, right)
			high, err := highS(right)
			if err != nil {
				return err
			}
			forged["high S"] = proof(c, who.public, high)
		} else {
			// The same words, signed as a transaction, as one of several signers', and as the hash that ECDSA signs.
			for name, prefix := range map[string]string{"as a transaction": "STX\x00", "as one of several": "SMT\x00", "as a claim": "CLM\x00"} {
				forged[name] = proof(c, who.public, upperHex(ed25519.Sign(who.ed25519, []byte(prefix+c.Message))))
			}
			forged["as a hash"] = proof(c, who.public, upperHex(ed25519.Sign(who.ed25519, half([]byte(c.Message)))))
		}
		for name, p := range forged {
			a := r.refuse(ctx, name, []int{http.StatusForbidden, http.StatusBadRequest}, http.MethodPost, "/credential", r.w.asking(who.address, "Member", p))
			if a.status == http.StatusForbidden && a.code() != "proofRefused" {
				r.fault("%s: %s", name, a)
			}
		}
		for name, body := range map[string]string{
			"no proof":      r.w.asking(who.address, "Member", nil),
			"a proof null":  strings.Replace(r.w.asking(who.address, "Member", proof(c, who.public, right)), `"proof":{`, `"proof":null,"x":{`, 1),
			"proof twice":   strings.Replace(r.w.asking(who.address, "Member", proof(c, who.public, right)), `"proof":{`, `"proof":{},"proof":{`, 1),
			"PROOF":         strings.Replace(r.w.asking(who.address, "Member", proof(c, who.public, right)), `"proof":{`, `"PROOF":{`, 1),
			"another field": r.w.asking(who.address, "Member", map[string]any{"nonce": c.Nonce, "public_key": who.public, "signature": right, "issuer": who.address}),
		} {
			r.refuse(ctx, name, []int{http.StatusBadRequest}, http.MethodPost, "/credential", body)
		}
	}
	return nil
}

// replayedProofs uses a proof as it is meant to be, and then again and again.
func replayedProofs(ctx context.Context, r *round) error {
	secp, ed, err := r.w.take()
	if err != nil {
		return err
	}
	for _, who := range []wallet{secp, ed} {
		c, err := r.challenge(ctx, r.client, who.address, "Member")
		if err != nil {
			return err
		}
		p := proof(c, who.public, who.sign(c.Message))
		a, err := r.send(ctx, http.MethodPost, "/credential", r.w.asking(who.address, "Member", p))
		r.expect("the first time", a, err, http.StatusCreated)
		r.grant(1, 0)
		r.refuse(ctx, "the same again", []int{http.StatusConflict, http.StatusForbidden}, http.MethodPost, "/credential", r.w.asking(who.address, "Member", p))
		for range r.many(20) {
			r.refuse(ctx, "for another credential", []int{http.StatusForbidden}, http.MethodPost, "/credential", r.w.asking(who.address, "Accredited", p))
			lower := map[string]any{"nonce": c.Nonce, "public_key": strings.ToLower(who.public), "signature": strings.ToLower(p["signature"].(string))}
			r.refuse(ctx, "in other letters", []int{http.StatusForbidden}, http.MethodPost, "/credential", r.w.asking(who.address, "Accredited", lower))
		}
	}
	return nil
}

// relayedProofs uses a proof that somebody obtained for one request with other requests of its subject.
func relayedProofs(ctx context.Context, r *round) error {
	secp, ed, err := r.w.take()
	if err != nil {
		return err
	}
	for _, who := range []wallet{secp, ed} {
		right := r.w.asking(who.address, "Member", nil)
		c, err := r.challengeFor(ctx, r.client, right)
		if err != nil {
			return err
		}
		p := text(proof(c, who.public, who.sign(c.Message)))
		with := func(request, more string) string {
			return strings.TrimSuffix(request, "}") + more + `,"proof":` + p + "}"
		}
		for name, body := range map[string]string{
			"another credential":     with(r.w.asking(who.address, "Accredited", nil), ""),
			"other documents":        with(`{"subject":"`+who.address+`","credential":"Member","documents":{"name":"Mallory","email":"m@example.org"}}`, ""),
			"a renewal":              with(right, `,"renew":true`),
			"another expiration":     with(right, `,"expiration":"2099-01-01T00:00:00Z"`),
			"the type in lower case": with(strings.Replace(right, "Member", "member", 1), ""),
		} {
			r.refuse(ctx, name, []int{http.StatusForbidden, http.StatusBadRequest}, http.MethodPost, "/credential", body)
		}
		a, err := r.send(ctx, http.MethodPost, "/credential", with(right, ""))
		r.expect("what was consented to", a, err, http.StatusCreated)
		r.grant(1, 0)
	}
	return nil
}

// racedProofs sends one proof many times at once: its request is granted once.
func racedProofs(ctx context.Context, r *round) error {
	secp, ed, err := r.w.take()
	if err != nil {
		return err
	}
	for _, who := range []wallet{secp, ed} {
		c, err := r.challenge(ctx, r.client, who.address, "Member")
		if err != nil {
			return err
		}
		p := proof(c, who.public, who.sign(c.Message))
		var granted, waiting atomic.Int64
		atOnce(50, 50, func(i int) {
			credential := []string{"Member", "Member", "Accredited"}[i%3]
			a, err := r.send(ctx, http.MethodPost, "/credential", r.w.asking(who.address, credential, p))
			r.expect("at once", a, err, http.StatusCreated, http.StatusAccepted, http.StatusConflict, http.StatusForbidden)
			switch a.status {
			case http.StatusCreated:
				granted.Add(1)
			case http.StatusAccepted:
				waiting.Add(1)
			}
		})
		if granted.Load()+waiting.Load() != 1 {
			r.fault("one proof was good for %d credentials and %d requests", granted.Load(), waiting.Load())
		}
		r.grant(int(granted.Load()), int(waiting.Load()))
	}
	return nil
}
