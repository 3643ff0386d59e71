package codec

// Release is a release of rippled, as far as it brought fields, transaction types and entry types that this package knows. Each
// knows what those before it know. To a program of an earlier release a later one's field is an unknown field.
type Release uint8

// The releases, oldest first.
const (
	Release230 Release = iota // all that is not marked with another: 2.3.0-b4, of September 2024, with credentials (XLS-70)
	Release240                // multi-purpose tokens (XLS-33), AMMClawback (XLS-73), permissioned domains (XLS-80), NFTokenModify (XLS-46)

	Latest = Release240
)

// Knows tells whether the release has the field.
func (known Release) Knows(f *Field) bool { return f != nil && f.since <= known }

// KnowsTx tells whether the release has the transaction type.
func (known Release) KnowsTx(t TxType) bool {
	return txFormats[t] != nil && txFormats[t].since <= known
}

// KnowsEntry tells whether the release has the kind of ledger entry.
func (known Release) KnowsEntry(t LedgerEntryType) bool {
	return entryFormats[t] != nil && entryFormats[t].since <= known
}
