package ledger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// signedText is a text that the JavaScript client's ripple-keypairs 3.1.0 signed.
type signedText struct {
	Name      string        `json:"name"`
	Algorithm string        `json:"algorithm"`
	Seed      string        `json:"seed"`
	Address   model.Address `json:"address"`
	PublicKey string        `json:"public_key"`
	Message   string        `json:"message"`
	Signature string        `json:"signature"`
}

func signedTexts(t *testing.T) []signedText {
	t.Helper()
	return readLines[signedText](t, "testdata/proofs.jsonl")
}

// What another implementation signed is taken, and what is signed here is the same to the byte.
func TestSignedTextsAsOthersMakeThem(t *testing.T) {
	for _, v := range signedTexts(t) {
		t.Run(v.Algorithm+"/"+v.Name, func(t *testing.T) {
			signer, err := VerifyMessage([]byte(v.Message), v.PublicKey, v.Signature)
			if err != nil || signer != v.Address {
				t.Errorf("verified as %s, %v; want %s", signer, err, v.Address)
			}
			if signer, err := VerifyMessage([]byte(v.Message), strings.ToLower(v.PublicKey), strings.ToLower(v.Signature)); err != nil || signer != v.Address {
				t.Errorf("in lower case: %s, %v", signer, err)
			}
			seed, err := ParseSeed(v.Seed)
			if err != nil {
				t.Fatal(err)
			}
			if seed.PublicKey() != v.PublicKey || seed.Address() != v.Address {
				t.Fatalf("the seed's key is %s of %s", seed.PublicKey(), seed.Address())
			}
			if signature, err := seed.SignMessage([]byte(v.Message)); err != nil || signature != v.Signature {
				t.Errorf("signed %s, %v; want %s", signature, err, v.Signature)
			}
		})
	}
}

// Each bit of the message, and each byte of key and signature, counts.
func TestVerifyMessageRefusesChanges(t *testing.T) {
	for _, v := range signedTexts(t) {
		if v.Name != "challenge" {
			continue
		}
		refused := func(what, message, key, signature string) {
			t.Helper()
			if signer, err := VerifyMessage([]byte(message), key, signature); err == nil && signer == v.Address {
				t.Errorf("%s, %s: taken", v.Algorithm, what)
			}
		}
		for i := range v.Message {
			changed := []byte(v.Message)
			changed[i] ^= 1
			refused("message changed", string(changed), v.PublicKey, v.Signature)
		}
		refused("message longer", v.Message+"\n", v.PublicKey, v.Signature)
		refused("message cut", v.Message[:len(v.Message)-1], v.PublicKey, v.Signature)
		refused("message with CR LF", strings.ReplaceAll(v.Message, "\n", "\r\n"), v.PublicKey, v.Signature)
		for i := 0; i < len(v.Signature); i += 2 {
			refused("signature changed", v.Message, v.PublicKey, flipped(t, v.Signature, i/2))
			refused("signature cut", v.Message, v.PublicKey, v.Signature[:i])
		}
		for i := 0; i < len(v.PublicKey); i += 2 {
			refused("key changed", v.Message, flipped(t, v.PublicKey, i/2), v.Signature)
			refused("key cut", v.Message, v.PublicKey[:i], v.Signature)
		}
		refused("signature with a byte more", v.Message, v.PublicKey, v.Signature+"00")
		refused("no hex", v.Message, v.PublicKey, v.Signature[:len(v.Signature)-2]+"zz")
		refused("key no hex", v.Message, v.PublicKey[:64]+"zz", v.Signature)
		refused("another's signature", v.Message, v.PublicKey, strings.Repeat("0", len(v.Signature)))
	}
}

func flipped(t *testing.T, text string, at int) string {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	raw[at] ^= 1
	return strings.ToUpper(hex.EncodeToString(raw))
}

// A signature has one form: S in the lower half, in DER without room for anything else.
func TestVerifyMessageTakesOneForm(t *testing.T) {
	for _, v := range signedTexts(t) {
		if v.Algorithm == "ed25519" {
			continue
		}
		raw, err := hex.DecodeString(v.Signature)
		if err != nil {
			t.Fatal(err)
		}
		rLen := int(raw[3])
		r, s := raw[4:4+rLen], new(big.Int).SetBytes(raw[6+rLen:])
		high := new(big.Int).Sub(secp256k1.Params().N, s).Bytes()
		if high[0] >= 0x80 {
			high = append([]byte{0}, high...)
		}
		der := func(r, s []byte) string {
			body := append(append([]byte{2, byte(len(r))}, r...), append([]byte{2, byte(len(s))}, s...)...)
			return hex.EncodeToString(append([]byte{0x30, byte(len(body))}, body...))
		}
		if again := der(r, raw[6+rLen:]); !strings.EqualFold(again, v.Signature) {
			t.Fatalf("put together again it is %s, not %s", again, v.Signature)
		}
		for name, signature := range map[string]string{
			"S in the upper half": der(r, high),
			"R padded":            der(append([]byte{0}, r...), raw[6+rLen:]),
			"S padded":            der(r, append([]byte{0}, raw[6+rLen:]...)),
			"not DER at all":      hex.EncodeToString(bytes.Repeat([]byte{1}, 64)),
			"S zero":              der(r, []byte{0}),
			"R zero":              der([]byte{0}, raw[6+rLen:]),
		} {
			if signer, err := VerifyMessage([]byte(v.Message), v.PublicKey, signature); err == nil {
				t.Errorf("%s, %s: taken as %s's", v.Name, name, signer)
			}
		}
	}
}

// What a node could take for something of the ledger is neither signed nor believed, whoever signed it.
func TestMessagesAreNoTransactions(t *testing.T) {
	seed, _ := vectorSeed(t, "alice", "ed25519")
	for _, prefix := range []string{"", "STX", "STX\x00", "SMT\x00and more", "CLM\x00and more", "VAL\x00", "TXN\x00"} {
		if s, err := seed.SignMessage([]byte(prefix)); err == nil {
			t.Errorf("%q is signed: %s", prefix, s)
		}
		signature, err := seed.keys().sign([]byte(prefix))
		if err != nil {
			t.Fatal(err)
		}
		if signer, err := VerifyMessage([]byte(prefix), seed.PublicKey(), upperHex(signature)); err == nil {
			t.Errorf("%q is believed, of %s", prefix, signer)
		}
	}
	if _, err := (Seed{}).SignMessage([]byte("a text")); err == nil {
		t.Error("signed without a seed")
	}
}

// Which key may speak for an account is what a validated ledger says.
func TestCheckProof(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 100, testAlice, testBob)
	alice, _ := vectorSeed(t, "alice", "ed25519")
	bob, _ := vectorSeed(t, "bob", "secp256k1")
	stranger, _ := vectorSeed(t, "issuer", "ed25519")
	c := newClient(t, node.URL(), nil)
	message := []byte(model.Challenge{Issuer: testIssuer, Subject: testAlice, Nonce: "nonce"}.Message())
	check := func(name string, account model.Address, seed Seed, code model.Code, part string) {
		t.Helper()
		signature, err := seed.SignMessage(message)
		if err != nil {
			t.Fatal(err)
		}
		err = c.CheckProof(t.Context(), account, seed.PublicKey(), signature, message)
		if model.CodeOf(err) != code || err != nil && !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, want %q", name, err, code)
		}
		if code != "" && code != model.CodeNoTarget && c.CheckProof(t.Context(), account, seed.PublicKey(), signature, append(message, '!')) == nil {
			t.Errorf("%s: another message is taken", name)
		}
	}
	check("master key, Ed25519", testAlice, alice, "", "")
	check("master key, secp256k1", testBob, bob, "", "")
	check("another's key", testAlice, bob, model.CodeProofRefused, "may not sign for "+string(testAlice))
	check("a key of nobody", testAlice, stranger, model.CodeProofRefused, "may not sign for")
	check("no account", testIssuer, stranger, model.CodeNoTarget, "fund it")

	sendFields(t, node, c, alice, map[string]any{"TransactionType": "SetRegularKey", "Account": string(testAlice), "RegularKey": string(testBob)})
	check("regular key", testAlice, bob, "", "")
	check("master key beside a regular key", testAlice, alice, "", "")
	check("neither", testAlice, stranger, model.CodeProofRefused, "may not sign for")

	const asfDisableMaster = 4
	sendFields(t, node, c, alice, map[string]any{"TransactionType": "AccountSet", "Account": string(testAlice), "SetFlag": uint32(asfDisableMaster)})
	check("master key, disabled", testAlice, alice, model.CodeProofRefused, "may not sign for")
	check("regular key, master disabled", testAlice, bob, "", "")
	check("a regular key's own account", testBob, bob, "", "")

	// A signature that does not fit is refused without asking anybody; what is asked may stay unanswered.
	down := newClient(t, "http://127.0.0.1:1", func(c *Config) { c.RetryFor = 1 })
	signature, err := alice.SignMessage(message)
	if err != nil {
		t.Fatal(err)
	}
	if err := down.CheckProof(t.Context(), testAlice, alice.PublicKey(), flipped(t, signature, 5), message); model.CodeOf(err) != model.CodeProofRefused {
		t.Errorf("forged, node down: %v", err)
	}
	if err := down.CheckProof(t.Context(), testAlice, alice.PublicKey(), signature, message); model.CodeOf(err) != model.CodeLedgerUnavailable {
		t.Errorf("node down: %v", err)
	}
}

// A node that answers about another account, or from an open ledger, proves nothing.
func TestCheckProofRefusesAnswers(t *testing.T) {
	alice, _ := vectorSeed(t, "alice", "ed25519")
	message := []byte("Credential request")
	signature, err := alice.SignMessage(message)
	if err != nil {
		t.Fatal(err)
	}
	const good = `{"account_data":{"Account":"` + string(testAlice) + `","Balance":"1","Flags":0,"OwnerCount":0,"Sequence":1},"ledger_index":7,"validated":true}`
	answer := ""
	s := newStub(t, func(_ int, _ string, params map[string]any) string { return reply(params, answer) })
	c := newClient(t, s.http(), nil)
	for name, text := range map[string]string{
		"another account": strings.Replace(good, string(testAlice), string(testBob), 1),
		"an open ledger":  strings.Replace(strings.Replace(good, `"ledger_index"`, `"ledger_current_index"`, 1), "true", "false", 1),
		"no flags":        strings.Replace(good, `"Flags":0,`, "", 1),
		"nothing":         `{}`,
	} {
		answer = text
		err := c.CheckProof(t.Context(), testAlice, alice.PublicKey(), signature, message)
		var e *AnswerError
		if model.CodeOf(err) != model.CodeLedgerUnavailable || !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
	answer = good
	if err := c.CheckProof(t.Context(), testAlice, alice.PublicKey(), signature, message); err != nil {
		t.Error(err)
	}
}

func FuzzVerifyMessage(f *testing.F) {
	for _, v := range readLines[signedText](f, "testdata/proofs.jsonl") {
		f.Add([]byte(v.Message), v.PublicKey, v.Signature)
	}
	f.Fuzz(func(t *testing.T, message []byte, key, signature string) {
		if signer, err := VerifyMessage(message, key, signature); err == nil {
			if again, err := model.ParseAddress(string(signer)); err != nil || again != signer {
				t.Errorf("%q signed: %v", signer, err)
			}
		}
	})
}
