package codec

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// payment is a transaction that lacks nothing but a signature.
func payment(tb testing.TB, change func(o *Object)) *Object {
	tb.Helper()
	o, err := ParseObject(fields(tb, hexSmall))
	if err != nil {
		tb.Fatal(err)
	}
	if change != nil {
		change(o)
	}
	return o
}

func mustTx(tb testing.TB, o *Object) *Tx {
	tb.Helper()
	tx, err := NewTx(o)
	if err != nil {
		tb.Fatal(err)
	}
	return tx
}

func memo(f *Field, set map[*Field]string) Element {
	o := NewObject()
	for f, s := range set {
		o.SetBlob(f, []byte(s))
	}
	return Element{Field: f, Object: o}
}

func TestLocalChecks(t *testing.T) {
	const urlChars = "0123456789-._~:/?#[]@!$&'()*+,;=%ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	memos := func(list ...Element) func(*Object) {
		return func(o *Object) { o.SetArray(SfMemos, list) }
	}
	// A memo of n bytes of data, its own 2 markers, and its data's header and length.
	data := func(n int) Element {
		return memo(SfMemo, map[*Field]string{SfMemoData: strings.Repeat("x", n)})
	}
	token := append([]byte{0x60}, make([]byte, 32)...)
	for name, c := range map[string]struct {
		change func(*Object)
		want   string
	}{
		"plain":               {nil, ""},
		"memo":                {memos(memo(SfMemo, map[*Field]string{SfMemoData: "\x00\xff", SfMemoType: urlChars, SfMemoFormat: "text/plain"})), ""},
		"no memos":            {memos(), ""},
		"empty memo":          {memos(memo(SfMemo, nil)), ""},
		"memos of 1024 bytes": {memos(data(1024 - 5)), ""},
		"memos of 1025 bytes": {memos(data(1024 - 4)), "The memo exceeds the maximum allowed size."},
		"two memos too large": {memos(data(600), data(600)), "The memo exceeds the maximum allowed size."},
		"signer as memo":      {memos(memo(SfFinalFields, nil)), "A memo array may contain only Memo objects."},
		"URI in a memo":       {memos(memo(SfMemo, map[*Field]string{SfURI: "x"})), "A memo may contain only MemoType, MemoData or MemoFormat fields."},
		"blank in a type":     {memos(memo(SfMemo, map[*Field]string{SfMemoType: "a b"})), "The MemoType and MemoFormat fields may only contain characters that are allowed in URLs under RFC 3986."},
		"zero in a format":    {memos(memo(SfMemo, map[*Field]string{SfMemoFormat: "\x00"})), "The MemoType and MemoFormat fields may only contain characters that are allowed in URLs under RFC 3986."},
		"empty account":       {func(o *Object) { o.SetBlob(SfDestination, nil) }, "An account field is invalid."},
		"zero account":        {func(o *Object) { o.SetAccount(SfDestination, AccountID{}) }, ""},
		"tokens paid":         {func(o *Object) { o.SetBlob(SfAmount, token) }, ""},
		"tokens as a fee":     {func(o *Object) { o.SetBlob(SfFee, token) }, ""},
		"tokens for a check": {func(o *Object) {
			o.SetUint(SfTransactionType, uint64(TtCheckCreate))
			o.Delete(SfAmount)
			o.SetBlob(SfSendMax, token)
		}, ""},
		"amendment": {func(o *Object) {
			o.SetUint(SfTransactionType, uint64(TtEnableAmendment))
			o.Delete(SfAmount)
			o.Delete(SfDestination)
			o.SetUint(SfLedgerSequence, 1)
			o.SetHash(SfAmendment, Hash256{1})
		}, "Cannot submit pseudo transactions."},
	} {
		t.Run(name, func(t *testing.T) {
			err := mustTx(t, payment(t, c.change)).LocalChecks()
			if got := errorText(err); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

type signer struct {
	pub  []byte
	priv PrivateKey
	id   AccountID
}

func newSigner(name string, kt KeyType) signer {
	pub, priv := DeriveKeypair(seedOf(name), kt)
	return signer{pub, priv, AccountIDFromPublicKey(pub)}
}

func (s signer) sign(o *Object) *Object {
	o.SetAccount(SfAccount, s.id)
	o.SetBlob(SfSigningPubKey, s.pub)
	o.SetBlob(SfTxnSignature, Sign(s.priv, s.pub, SigningData(o)))
	return o
}

func TestCheckSignature(t *testing.T) {
	for _, kt := range []KeyType{Secp256k1, Ed25519} {
		s := newSigner("signer", kt)
		other := newSigner("other", kt)
		for name, c := range map[string]struct {
			change func(o *Object)
			want   string
		}{
			"good":             {func(o *Object) {}, ""},
			"another amount":   {func(o *Object) { o.SetDrops(SfAmount, 2) }, "Invalid signature."},
			"another key":      {func(o *Object) { o.SetBlob(SfSigningPubKey, other.pub) }, "Invalid signature."},
			"no signature":     {func(o *Object) { o.Delete(SfTxnSignature) }, "Invalid signature."},
			"empty signature":  {func(o *Object) { o.SetBlob(SfTxnSignature, nil) }, "Invalid signature."},
			"longer signature": {func(o *Object) { o.SetBlob(SfTxnSignature, append(o.Blob(SfTxnSignature), 0)) }, "Invalid signature."},
			"key of no kind":   {func(o *Object) { o.SetBlob(SfSigningPubKey, append([]byte{4}, s.pub[1:]...)) }, "Invalid signature."},
			"short key":        {func(o *Object) { o.SetBlob(SfSigningPubKey, s.pub[:32]) }, "Invalid signature."},
			"key off the curve": {func(o *Object) {
				o.SetBlob(SfSigningPubKey, append([]byte{s.pub[0]}, bytes.Repeat([]byte{0xFF}, 32)...))
			}, "Invalid signature."},
			"signed by both":     {func(o *Object) { o.SetArray(SfSigners, multiSign(o, other)) }, "Cannot both single- and multi-sign."},
			"no key":             {func(o *Object) { o.SetBlob(SfSigningPubKey, nil) }, "Empty SigningPubKey."},
			"no key but signers": {func(o *Object) { o.SetBlob(SfSigningPubKey, nil); o.SetArray(SfSigners, multiSign(o, other)) }, "Cannot both single- and multi-sign."},
		} {
			t.Run(kt.String()+" "+name, func(t *testing.T) {
				o := s.sign(payment(t, nil))
				c.change(o)
				if got := errorText(mustTx(t, o).CheckSignature()); got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
			})
		}
	}
}

// multiSign gives o's signers' array, in the order the ledger wants.
func multiSign(o *Object, signers ...signer) []Element {
	slices.SortFunc(signers, func(a, b signer) int { return bytes.Compare(a.id[:], b.id[:]) })
	var list []Element
	for _, s := range signers {
		e := NewObject()
		e.SetAccount(SfAccount, s.id)
		e.SetBlob(SfSigningPubKey, s.pub)
		e.SetBlob(SfTxnSignature, Sign(s.priv, s.pub, MultiSigningData(o, s.id)))
		list = append(list, Element{Field: SfSigner, Object: e})
	}
	return list
}

func TestCheckMultiSignature(t *testing.T) {
	sender := newSigner("sender", Ed25519)
	a, b := newSigner("a", Secp256k1), newSigner("b", Ed25519)
	many := func(n int) []signer {
		var list []signer
		for i := range n {
			list = append(list, newSigner(string(rune('A'+i)), Ed25519))
		}
		return list
	}
	var broken string
	for name, c := range map[string]struct {
		signers []signer
		change  func(o *Object, list []Element) []Element
		want    string
	}{
		"two":        {[]signer{a, b}, nil, ""},
		"one":        {[]signer{b}, nil, ""},
		"thirty-two": {many(32), nil, ""},
		"none":       {nil, nil, "Invalid Signers array size."},
		"too many":   {many(33), nil, "Invalid Signers array size."},
		"sender":     {[]signer{sender}, nil, "Invalid multisigner."},
		"delegate": {[]signer{a}, func(o *Object, list []Element) []Element {
			o.SetAccount(SfDelegate, a.id)
			return list
		}, "Invalid multisigner."},
		"sender with a delegate": {[]signer{sender}, func(o *Object, _ []Element) []Element {
			o.SetAccount(SfDelegate, a.id)
			return multiSign(o, sender)
		}, ""},
		"twice": {[]signer{a, a}, nil, "Duplicate Signers not allowed."},
		"unsorted": {[]signer{a, b}, func(_ *Object, list []Element) []Element {
			slices.Reverse(list)
			return list
		}, "Unsorted Signers array."},
		"another amount": {[]signer{a}, func(o *Object, list []Element) []Element {
			o.SetDrops(SfAmount, 5)
			return list
		}, "Invalid signature on account " + a.id.String() + "."},
		"for another account": {[]signer{a, b}, func(_ *Object, list []Element) []Element {
			list[1].Object.SetBlob(SfTxnSignature, list[0].Object.Blob(SfTxnSignature))
			broken = list[1].Object.Account(SfAccount).String()
			return list
		}, "Invalid signature on account *."},
		"no signer": {[]signer{a}, func(_ *Object, list []Element) []Element {
			return append([]Element{{Field: SfMemo, Object: NewObject()}}, list...)
		}, "Internal signature check failure."},
		"zero account": {[]signer{a}, func(_ *Object, list []Element) []Element {
			list[0].Object.SetAccount(SfAccount, AccountID{})
			return list
		}, "Duplicate Signers not allowed."},
	} {
		t.Run(name, func(t *testing.T) {
			o := payment(t, func(o *Object) { o.SetAccount(SfAccount, sender.id) })
			list := multiSign(o, c.signers...)
			if c.change != nil {
				list = c.change(o, list)
			}
			o.SetArray(SfSigners, list)
			want := strings.Replace(c.want, "*", broken, 1)
			if got := errorText(mustTx(t, o).CheckSignature()); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestSeqProxy(t *testing.T) {
	for _, c := range []struct {
		seq, ticket uint64
		want        uint32
		isTicket    bool
	}{{5, 0, 5, false}, {0, 7, 7, true}, {5, 7, 5, false}, {0, 0, 0, false}} {
		tx := mustTx(t, payment(t, func(o *Object) {
			o.SetUint(SfSequence, c.seq)
			if c.ticket != 0 {
				o.SetUint(SfTicketSequence, c.ticket)
			}
		}))
		if got, ticket := tx.SeqProxy(); got != c.want || ticket != c.isTicket {
			t.Errorf("%+v: %d %v", c, got, ticket)
		}
	}
	tx := mustTx(t, payment(t, func(o *Object) { o.SetUint(SfFlags, 1<<31) }))
	if tx.Fee() != 10 || tx.Flags() != 1<<31 || tx.Type != TtPayment || tx.AccountID().String() != "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh" || len(tx.SigningPubKey()) != 0 {
		t.Errorf("%v", tx.JSON())
	}
	if _, err := NewTx(NewObject()); err == nil {
		t.Error("a transaction of nothing")
	}
}

// A secp256k1 signature is accepted in one form only.
func TestSignatureForms(t *testing.T) {
	s := newSigner("forms", Secp256k1)
	msg := []byte("message")
	sig := Sign(s.priv, s.pub, msg)
	if !Verify(s.pub, msg, sig) {
		t.Fatal("good")
	}
	rLen := int(sig[3])
	r, rest := sig[4:4+rLen], sig[6+rLen:]
	der := func(r, s []byte) []byte {
		body := append([]byte{2, byte(len(r))}, r...)
		body = append(append(body, 2, byte(len(s))), s...)
		return append([]byte{0x30, byte(len(body))}, body...)
	}
	if !bytes.Equal(der(r, rest), sig) {
		t.Fatal("der")
	}
	order := fields(t, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141")
	high := make([]byte, 32) // order - s
	borrow := 0
	padded := append(make([]byte, 32), rest...)
	padded = padded[len(padded)-32:]
	for i := 31; i >= 0; i-- {
		d := int(order[i]) - int(padded[i]) - borrow
		borrow = 0
		if d < 0 {
			d, borrow = d+256, 1
		}
		high[i] = byte(d)
	}
	if high[0]&0x80 != 0 {
		high = append([]byte{0}, high...)
	}
	for name, bad := range map[string][]byte{
		"high S":          der(r, high),
		"padded R":        der(append([]byte{0}, r...), rest),
		"padded S":        der(r, append([]byte{0}, rest...)),
		"zero R":          der([]byte{0}, rest),
		"zero S":          der(r, []byte{0}),
		"negative S":      der(r, []byte{0x80}),
		"order as R":      der(append([]byte{0}, order...), rest),
		"order as S":      der(r, append([]byte{0}, order...)),
		"R of 34 bytes":   der(make([]byte, 34), rest),
		"empty R":         der(nil, rest),
		"something after": append(bytes.Clone(sig), 0),
		"cut":             sig[:len(sig)-1],
		"wrong length":    append([]byte{0x30, sig[1] + 1}, sig[2:]...),
		"wrong tag":       append([]byte{0x31}, sig[1:]...),
		"none":            nil,
		"zeros":           make([]byte, 72),
	} {
		if Verify(s.pub, msg, bad) {
			t.Errorf("%s is accepted: %X", name, bad)
		}
	}

	e := newSigner("forms", Ed25519)
	sig = Sign(e.priv, e.pub, msg)
	if !Verify(e.pub, msg, sig) {
		t.Fatal("good")
	}
	// S plus the group's order is the same number to a careless verifier.
	group := fields(t, "EDD3F55C1A631258D69CF7A2DEF9DE1400000000000000000000000000000010")
	moved := bytes.Clone(sig)
	carry := 0
	for i := range 32 {
		carry += int(moved[32+i]) + int(group[i])
		moved[32+i] = byte(carry)
		carry >>= 8
	}
	for name, bad := range map[string][]byte{"S above the order": moved, "short": sig[:63], "long": append(bytes.Clone(sig), 0), "none": nil} {
		if Verify(e.pub, msg, bad) {
			t.Errorf("%s is accepted", name)
		}
	}
}
