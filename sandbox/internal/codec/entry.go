package codec

const errEntryType Refusal = "invalid ledger entry type"

// ParseEntry reads a ledger entry and checks it against its type's template, as rippled does for what it finds in a
// ledger. The object keeps slices of b, which must not change afterwards.
func ParseEntry(b []byte) (*Object, LedgerEntryType, error) {
	o, err := ParseObject(b)
	if err != nil {
		return nil, 0, err
	}
	t := LedgerEntryType(o.Uint(SfLedgerEntryType))
	format := entryFormats[t]
	if format == nil || !o.Has(SfLedgerEntryType) {
		return nil, 0, errEntryType
	}
	if err := applyTemplate(format.unique, entryCommon, o.fields); err != nil {
		return nil, 0, err
	}
	return o, t, nil
}
