package engine

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// CredentialKind is what a preauthorization and a permissioned domain say of a
// credential: who issued it, and its type.
type CredentialKind struct {
	Issuer codec.AccountID
	Type   []byte
}

func compareKinds(a, b CredentialKind) int {
	return cmp.Or(bytes.Compare(a.Issuer[:], b.Issuer[:]), bytes.Compare(a.Type, b.Type))
}

// SortCredentialKinds gives the kinds in the order in which a ledger keeps them:
// by issuer, then by type. It tells whether each is there once only.
func SortCredentialKinds(kinds []CredentialKind) (sorted []CredentialKind, unique bool) {
	sorted = slices.Clone(kinds)
	slices.SortFunc(sorted, compareKinds)
	for i := 1; i < len(sorted); i++ {
		if compareKinds(sorted[i-1], sorted[i]) == 0 {
			return sorted, false
		}
	}
	return sorted, true
}

// credentialKinds are the kinds that an array field names, as they stand there.
func credentialKinds(o *codec.Object, f *codec.Field) []CredentialKind {
	list := o.Array(f)
	kinds := make([]CredentialKind, len(list))
	for i, e := range list {
		kinds[i] = CredentialKind{Issuer: e.Object.Account(codec.SfIssuer), Type: e.Object.Blob(codec.SfCredentialType)}
	}
	return kinds
}

// setCredentialKinds writes kinds into an entry, in the ledger's order.
func setCredentialKinds(o *codec.Object, f *codec.Field, kinds []CredentialKind) {
	sorted, _ := SortCredentialKinds(kinds)
	list := make([]codec.Element, len(sorted))
	for i, k := range sorted {
		inner := codec.NewObject()
		inner.SetAccount(codec.SfIssuer, k.Issuer)
		inner.SetBlob(codec.SfCredentialType, k.Type)
		list[i] = codec.Element{Field: codec.SfCredential, Object: inner}
	}
	o.SetArray(f, list)
}

// checkKinds are the checks on an array of kinds by itself. An element that is
// no Credential, and lacks what is read of one, is an exception to rippled.
func checkKinds(list []codec.Element, most int) TER {
	if len(list) == 0 {
		return TemArrayEmpty
	}
	if len(list) > most {
		return TemArrayTooLarge
	}
	var before []CredentialKind
	for _, e := range list {
		if !e.Object.Has(codec.SfIssuer) {
			return TefException
		}
		k := CredentialKind{Issuer: e.Object.Account(codec.SfIssuer), Type: e.Object.Blob(codec.SfCredentialType)}
		if k.Issuer.IsZero() {
			return TemInvalidAccountID
		}
		if !e.Object.Has(codec.SfCredentialType) {
			return TefException
		}
		if len(k.Type) == 0 || len(k.Type) > maxCredentialTypeLength ||
			slices.ContainsFunc(before, func(b CredentialKind) bool { return compareKinds(b, k) == 0 }) {
			return TemMalformed
		}
		before = append(before, k)
	}
	return TesSuccess
}
