package codec

// Refusal is why bytes, a transaction or a signature was refused, in rippled's words: `submit` shows them to whoever
// sent it. Refusals are comparable.
type Refusal string

// Error is the text.
func (r Refusal) Error() string { return string(r) }
