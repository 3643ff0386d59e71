package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	addresscodec "github.com/Peersyst/xrpl-go/address-codec"
	binarycodec "github.com/Peersyst/xrpl-go/binary-codec"
	"github.com/Peersyst/xrpl-go/keypairs"
	"github.com/Peersyst/xrpl-go/pkg/crypto"

	"github.com/xrplissuer/credential-issuer/hexutil"
	"github.com/xrplissuer/credential-issuer/model"
)

// vectorSeed is the seed of a wallet of the recordings: the first 16 bytes of SHA-256("vector:" + name).
func vectorSeed(t testing.TB, name, family string) (Seed, string) {
	t.Helper()
	sum := sha256.Sum256([]byte("vector:" + name))
	var text string
	var err error
	if family == "ed25519" {
		text, err = addresscodec.EncodeSeed(sum[:16], crypto.ED25519())
	} else {
		text, err = addresscodec.EncodeSeed(sum[:16], crypto.SECP256K1())
	}
	if err != nil {
		t.Fatal(err)
	}
	seed, err := ParseSeed(text)
	if err != nil {
		t.Fatal(err)
	}
	return seed, text
}

// signFields signs any transaction with the library, which is also what our own encoding is compared with.
func signFields(t testing.TB, fields map[string]any, seed Seed) (blob, hash string) {
	t.Helper()
	message, err := binarycodec.EncodeForSigning(fields)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := seed.keys().sign([]byte(unhex(t, message)))
	if err != nil {
		t.Fatal(err)
	}
	fields["TxnSignature"] = upperHex(signature)
	if blob, err = binarycodec.Encode(fields); err != nil {
		t.Fatal(err)
	}
	return blob, transactionHash([]byte(unhex(t, blob)))
}

// A recorded transaction, signed again, must come out to the byte: both families sign the same each time.
func TestSignAsRecorded(t *testing.T) {
	type signed struct {
		Name   string         `json:"name"`
		Family string         `json:"family"`
		TxJSON map[string]any `json:"tx_json"`
		Blob   string         `json:"blob"`
		Hash   string         `json:"hash"`
	}
	for _, r := range readLines[signed](t, "testdata/signed.jsonl") {
		t.Run(r.TxJSON["TransactionType"].(string)+"_"+r.Name, func(t *testing.T) {
			seed, _ := vectorSeed(t, r.Name, r.Family)
			if got := r.TxJSON["SigningPubKey"]; got != seed.PublicKey() {
				t.Fatalf("public key %s, recorded %s", seed.PublicKey(), got)
			}
			fields := map[string]any{}
			for name, v := range r.TxJSON {
				if f, ok := v.(float64); ok {
					v = uint32(f)
				}
				fields[name] = v
			}
			delete(fields, "TxnSignature")
			blob, hash := signFields(t, fields, seed)
			if blob != r.Blob || hash != r.Hash {
				t.Errorf("blob\n%s, recorded\n%s; hash %s, recorded %s", blob, r.Blob, hash, r.Hash)
			}
		})
	}
}

func TestSign(t *testing.T) {
	expiration := uint32(900000000)
	ed, _ := vectorSeed(t, "issuer", "ed25519")
	secp, _ := vectorSeed(t, "bob", "secp256k1")
	terms := Terms{Account: testIssuer, Sequence: 7, Fee: 12, LastLedgerSequence: 100}
	every := model.CredentialCreate{Subject: testAlice, Type: "\x00\xffType", Expiration: &expiration, URI: "https://x.example/%41"}
	tests := []struct {
		name string
		tx   model.Transaction
		seed Seed
		net  uint32
		want map[string]any // besides what every transaction has
	}{
		{"create", every, ed, 0, map[string]any{"Subject": string(testAlice), "CredentialType": "00FF54797065",
			"Expiration": expiration, "URI": hexutil.Encode("https://x.example/%41")}},
		{"create, least", model.CredentialCreate{Subject: testAlice, Type: "K"}, secp, 1024,
			map[string]any{"Subject": string(testAlice), "CredentialType": "4B"}},
		{"create on a side network", model.CredentialCreate{Subject: testAlice, Type: "K"}, ed, 1025,
			map[string]any{"Subject": string(testAlice), "CredentialType": "4B", "NetworkID": uint32(1025)}},
		{"accept", model.CredentialAccept{Issuer: testBob, Type: "K"}, ed, 0, map[string]any{"Issuer": string(testBob), "CredentialType": "4B"}},
		{"delete", model.CredentialDelete{Subject: testAlice, Type: "K"}, ed, 0, map[string]any{"Subject": string(testAlice), "CredentialType": "4B"}},
		{"delete, both named", model.CredentialDelete{Subject: testAlice, Issuer: testIssuer, Type: "K"}, ed, 0,
			map[string]any{"Subject": string(testAlice), "Issuer": string(testIssuer), "CredentialType": "4B"}},
		{"nothing", noop{}, secp, 0, map[string]any{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			terms := terms
			terms.NetworkID = tt.net
			signed, err := tt.seed.Sign(tt.tx, terms)
			if err != nil {
				t.Fatal(err)
			}
			got, err := binarycodec.Decode(signed.Blob)
			if err != nil {
				t.Fatal(err)
			}
			signature, _ := got["TxnSignature"].(string)
			delete(got, "TxnSignature")
			tt.want["TransactionType"], tt.want["Account"], tt.want["Fee"] = tt.tx.TransactionType(), string(testIssuer), "12"
			tt.want["Sequence"], tt.want["LastLedgerSequence"], tt.want["SigningPubKey"] = 7, 100, tt.seed.PublicKey()
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("decoded %v, want %v", got, tt.want)
			}
			message, err := binarycodec.EncodeForSigning(got)
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := keypairs.Validate(unhex(t, message), tt.seed.PublicKey(), signature); err != nil || !ok {
				t.Errorf("the signature does not verify: %v", err)
			}
			if signed.Sequence != 7 || signed.Fee != 12 || signed.LastLedgerSequence != 100 || len(signed.Hash) != 64 {
				t.Errorf("signed %+v", signed)
			}
		})
	}
}

func unhex(t testing.TB, s string) string {
	t.Helper()
	raw, err := hexutil.Undisplay(hexutil.BinaryPrefix + s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

type unknownTransaction struct{}

func (unknownTransaction) TransactionType() string { return "Payment" }

func TestSignRefuses(t *testing.T) {
	seed, _ := vectorSeed(t, "issuer", "ed25519")
	good := Terms{Account: testIssuer, Sequence: 7, Fee: 12, LastLedgerSequence: 100}
	create := model.CredentialCreate{Subject: testAlice, Type: "K"}
	zero := model.AddressOf([model.AccountIDLen]byte{})
	tests := []struct {
		name  string
		seed  Seed
		tx    model.Transaction
		terms Terms
	}{
		{"no seed", Seed{}, create, good},
		{"no account", seed, create, Terms{Sequence: 7, Fee: 12, LastLedgerSequence: 100}},
		{"no sequence", seed, create, Terms{Account: testIssuer, Fee: 12, LastLedgerSequence: 100}},
		{"no fee", seed, create, Terms{Account: testIssuer, Sequence: 7, LastLedgerSequence: 100}},
		{"more than there is", seed, create, Terms{Account: testIssuer, Sequence: 7, Fee: maxDrops + 1, LastLedgerSequence: 100}},
		{"no last ledger", seed, create, Terms{Account: testIssuer, Sequence: 7, Fee: 12}},
		{"no type", seed, model.CredentialCreate{Subject: testAlice}, good},
		{"a long type", seed, model.CredentialCreate{Subject: testAlice, Type: model.CredentialType(strings.Repeat("x", 65))}, good},
		{"a long URI", seed, model.CredentialCreate{Subject: testAlice, Type: "K", URI: strings.Repeat("x", 257)}, good},
		{"no subject", seed, model.CredentialCreate{Type: "K"}, good},
		{"the zero account", seed, model.CredentialCreate{Subject: zero, Type: "K"}, good},
		{"a wrong subject", seed, model.CredentialCreate{Subject: testAlice[:30], Type: "K"}, good},
		{"a deletion of nobody's", seed, model.CredentialDelete{Type: "K"}, good},
		{"something else", seed, unknownTransaction{}, good},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := tt.seed.Sign(tt.tx, tt.terms); err == nil {
				t.Errorf("signed: %+v", got)
			}
		})
	}
}

func TestSeedShowsNothing(t *testing.T) {
	for _, family := range []string{"ed25519", "secp256k1"} {
		seed, text := vectorSeed(t, "issuer", family)
		private := seed.keys().private
		holder := struct {
			Seed   Seed
			hidden Seed
			Ptr    *Seed
		}{seed, seed, &seed}
		var shown []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			shown = append(shown, fmt.Sprintf(verb, seed), fmt.Sprintf(verb, &seed), fmt.Sprintf(verb, holder), fmt.Sprintf(verb, []Seed{seed}))
		}
		asJSON, err := json.Marshal(holder)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "seed", seed, "holder", holder)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "seed", seed, "holder", holder)
		shown = append(shown, string(asJSON), log.String(), fmt.Errorf("wrapped: %v", seed).Error(), seed.String())
		for _, s := range shown {
			if strings.Contains(s, text) || strings.Contains(strings.ToUpper(s), strings.ToUpper(private[2:])) {
				t.Fatalf("the seed shows in %q", s)
			}
		}
		if got := fmt.Sprintf("%v|%+v|%#v|%s", seed, seed, seed, seed); got != "[redacted]|[redacted]|[redacted]|[redacted]" {
			t.Errorf("prints as %s", got)
		}
		if !strings.Contains(string(asJSON), `"Seed":"[redacted]"`) {
			t.Errorf("JSON %s", asJSON)
		}
	}
}

func TestParseSeed(t *testing.T) {
	_, ed := vectorSeed(t, "issuer", "ed25519")
	_, secp := vectorSeed(t, "bob", "secp256k1")
	swapped := ed[:len(ed)-2] + string(ed[len(ed)-1]) + string(ed[len(ed)-2])
	tests := []struct {
		name, in string
		want     error
		address  model.Address
	}{
		{"ed25519", ed, nil, testIssuer},
		{"secp256k1", secp, nil, testBob},
		{"genesis", "snoPBrXtMeMyMHUVTgbuqAfg1SUTb", nil, "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"},
		{"spaces around", " \t" + ed + "\r\n", nil, testIssuer},
		{"empty", "", errSeedEmpty, ""},
		{"blank", "  ", errSeedEmpty, ""},
		{"an address", string(testAlice), errSeedAddress, ""},
		{"a broken address", "rwcFzkQUB4bKUPdyyJV4B59SEmxtNF1mN", errSeedAddress, ""},
		{"an X-address", "XVLhHMPHU98es4dbozjVtdWzVrDjtV5fdx1mHp98tDMoQXb", errSeedAddress, ""},
		{"a public key", "aKGheSBjmCsKJVuLNKRAKpZXT6wpk2FCuEZAXJupXgdAxX5THCqR", errSeedPublic, ""},
		{"hex", "DEDCE9CE67B451D852FD4E846FCDE31C", errSeedHex, ""},
		{"words", "hiss dawn hull cram", errSeedWords, ""},
		{"a mistyped one", swapped, errSeedChecksum, ""},
		{"a short one", secp[:len(secp)-1], errSeedChecksum, ""},
		{"something", "password", errSeedForm, ""},
		{"something long", strings.Repeat("s", 4000), errSeedForm, ""},
		{"control characters", "s\x1b[31m", errSeedForm, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seed, err := ParseSeed(tt.in)
			if err != tt.want {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if seed.Address() != tt.address || seed.Zero() != (tt.want != nil) {
				t.Errorf("address %q, want %q", seed.Address(), tt.address)
			}
		})
	}
}

func FuzzParseSeed(f *testing.F) {
	for _, s := range []string{"", "s", "snoPBrXtMeMyMHUVTgbuqAfg1SUTb", "sEdTM1uX8pu2do5XvTnutH6HsouMaM2", string(testAlice), "hiss dawn"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		seed, err := ParseSeed(s)
		if err != nil {
			if trimmed := strings.TrimSpace(s); len(trimmed) > 10 && strings.Contains(err.Error(), trimmed) {
				t.Errorf("the error repeats what was given: %v", err)
			}
			return
		}
		if _, err := model.ParseAddress(string(seed.Address())); err != nil {
			t.Errorf("address %q: %v", seed.Address(), err)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	for _, family := range []string{"ed25519", "secp256k1"} {
		b.Run(family, func(b *testing.B) {
			seed, _ := vectorSeed(b, "issuer", family)
			tx := model.CredentialCreate{Subject: testAlice, Type: "TestCredential"}
			for i := 0; b.Loop(); i++ {
				if _, err := seed.Sign(tx, Terms{Account: testIssuer, Sequence: uint32(i + 1), Fee: 10, LastLedgerSequence: 100}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
