package codec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Pairs that other implementations document.
func TestDeriveKeypair(t *testing.T) {
	for _, c := range []struct {
		seed, pub, address string
		kt                 KeyType
	}{
		{"snoPBrXtMeMyMHUVTgbuqAfg1SUTb", "0330E7FC9D56BB25D6893BA3F317AE5BCF33B3291BD63DB32654A313222F7FD020", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", Secp256k1},
		{"sp5fghtJtpUorTwvof1NpDXAzNwf5", "030D58EB48B4420B1F7B9DF55087E0E29FEF0E8468F9A6825B01CA2C361042D435", "rU6K7V3Po4snVhBBaU29sesqs2qTQJWDw1", Secp256k1},
		{"sEdSKaCy2JT7JaM7v95H9SxkhP9wS2r", "ED01FA53FA5A7E77798F882ECE20B1ABC00BB358A9E55A202D0D0676BD0CE37A63", "rLUEXYuLiQptky37CqLcm9USQpPiz5rkpD", Ed25519},
	} {
		seed, kt, err := SeedFromString(c.seed)
		if err != nil || kt != c.kt {
			t.Errorf("%s: %v %v", c.address, kt, err)
			continue
		}
		pub, priv := DeriveKeypair(seed, kt)
		if hexString(pub) != c.pub || AccountIDFromPublicKey(pub).String() != c.address {
			t.Errorf("%s: %X", c.address, pub)
		}
		if EncodeSeed(seed, kt) != c.seed {
			t.Errorf("%s: another seed", c.address)
		}
		if sig := Sign(priv, pub, []byte("x")); !Verify(pub, []byte("x"), sig) || Verify(pub, []byte("y"), sig) {
			t.Errorf("%s: signature", c.address)
		}
	}
	if Sign(PrivateKey{1}, make([]byte, 33), nil) != nil || Sign(make(PrivateKey, 31), append([]byte{0xED}, make([]byte, 32)...), nil) != nil {
		t.Error("signed with no key")
	}
	for kt, want := range map[KeyType]string{Secp256k1: "secp256k1", Ed25519: "ed25519", 0: "unknown"} {
		if kt.String() != want {
			t.Error(kt)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	seed := seedOf("secret")
	_, priv := DeriveKeypair(seed, Ed25519)
	for _, secret := range []any{seed, priv, &seed, &priv, struct {
		S Seed
		P PrivateKey
	}{seed, priv}, []any{seed, priv}, map[string]Seed{"a": seed}} {
		var out strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b"} {
			fmt.Fprintf(&out, verb+"\n", secret)
		}
		text, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", secret)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", secret)
		for _, b := range [][]byte{seed, priv} {
			for _, form := range []string{fmt.Sprintf("%x", b), hexString(b), fmt.Sprint([]byte(b)), string(b), fmt.Sprintf("%d, %d", b[0], b[1]), fmt.Sprintf("0x%x, 0x%x", b[0], b[1])} {
				if strings.Contains(out.String(), form) {
					t.Errorf("%T shows %s", secret, form)
				}
			}
		}
		if !strings.Contains(out.String(), redacted) {
			t.Errorf("%T: %s", secret, out.String())
		}
	}
	if seed.String() != redacted || priv.String() != redacted {
		t.Error("String")
	}
}

func TestSeedFromString(t *testing.T) {
	for _, bad := range []string{
		"", "s", "snoPBrXtMeMyMHUVTgbuqAfg1SUT", "snoPBrXtMeMyMHUVTgbuqAfg1SUTa", "snoPBrXtMeMyMHUVTgbuqAfg1SUTbb", " snoPBrXtMeMyMHUVTgbuqAfg1SUTb",
		"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", "sEdSKaCy2JT7JaM7v95H9SxkhP9wS2R", "masterpassphrase", "n0OIl", "sé", strings.Repeat("r", 1000),
		encodeToken([]byte{tokenFamilySeed}, make([]byte, 15)), encodeToken(seedEd25519[:], make([]byte, 17)), encodeToken([]byte{1, 0xE1, 0x4C}, make([]byte, 16)),
	} {
		seed, kt, err := SeedFromString(bad)
		if err != ErrSeed || seed != nil || kt != 0 {
			t.Errorf("%q: %v %v", bad, kt, err)
		}
		if bad != "" && len(bad) > 1 && strings.Contains(err.Error(), bad) {
			t.Errorf("the error repeats %q", bad)
		}
	}
}

func TestAccountID(t *testing.T) {
	var one AccountID
	one[19] = 1
	for text, id := range map[string]AccountID{
		"rrrrrrrrrrrrrrrrrrrrrhoLvTp":        {},
		"rrrrrrrrrrrrrrrrrrrrBZbvji":         one,
		"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh": AccountID(fields(t, "B5F762798A53D543A014CAF8B297CFF8F2F937E8")),
	} {
		if got := id.String(); got != text {
			t.Errorf("%s, want %s", got, text)
		}
		if got, ok := ParseAccountID(text); !ok || got != id {
			t.Errorf("%s: %v %v", text, got, ok)
		}
	}
	if !(AccountID{}).IsZero() || one.IsZero() {
		t.Error("IsZero")
	}
	for _, bad := range []string{
		"", "r", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyT", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTH", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyThh",
		"rrHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", " rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh\n", "0Hb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
		"snoPBrXtMeMyMHUVTgbuqAfg1SUTb", strings.Repeat("r", 25), strings.Repeat("z", 96), strings.Repeat("z", 97), strings.Repeat("r", 96),
		encodeToken([]byte{tokenAccountID}, make([]byte, 19)), encodeToken([]byte{tokenAccountID}, make([]byte, 21)), encodeToken([]byte{1}, make([]byte, 20)),
	} {
		if id, ok := ParseAccountID(bad); ok || !id.IsZero() {
			t.Errorf("%q reads as %v", bad, id)
		}
	}
}

func TestTokens(t *testing.T) {
	pub := fields(t, "0330E7FC9D56BB25D6893BA3F317AE5BCF33B3291BD63DB32654A313222F7FD020")
	if got := EncodeAccountPublic(pub); got != "aBQG8RQAzjs1eTKFEAQXr2gS4utcDiEC9wmi7pfUPTi27VCahwgw" {
		t.Error(got)
	}
	if got := EncodeNodePublic(pub); !strings.HasPrefix(got, "n9") || len(got) != 52 {
		t.Error(got)
	}
	for n := range 60 {
		for _, fill := range []byte{0, 1, 0xFF} {
			payload := bytes.Repeat([]byte{fill}, n)
			var buf [maxTokenBytes]byte
			body, ok := decodeToken(encodeToken([]byte{7}, payload), &buf)
			if n > maxTokenBytes-5 {
				continue
			}
			if !ok || body[0] != 7 || !bytes.Equal(body[1:], payload) {
				t.Errorf("%d bytes of %d: %X %v", n, fill, body, ok)
			}
		}
	}
}

// Keys, public and private, of nodes and accounts; seeds and addresses are none.
func TestIsKeyToken(t *testing.T) {
	pub, priv := DeriveKeypair(make(Seed, 16), Secp256k1)
	for _, c := range []struct {
		what, text string
		want       bool
	}{
		{"a node's public key", EncodeNodePublic(pub), true},
		{"an account's public key", EncodeAccountPublic(pub), true},
		{"a node's private key", encodeToken([]byte{tokenNodePrivate}, priv), true},
		{"an account's secret key", encodeToken([]byte{tokenAccountSecret}, priv), true},
		{"33 bytes that are no key", EncodeAccountPublic(make([]byte, 33)), false},
		{"a secret key that is too short", encodeToken([]byte{tokenAccountSecret}, priv[1:]), false},
		{"a seed", EncodeSeed(make(Seed, 16), Secp256k1), false},
		{"an address", AccountID{}.String(), false},
		{"a checksum that is wrong", EncodeNodePublic(pub)[1:], false},
		{"nothing", "", false},
	} {
		if got := IsKeyToken(c.text); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}
