// Package model is the vocabulary that the rooms of this module share: accounts, credentials, what callers ask for,
// the transactions that come of it, their final results, and the errors that say what went wrong.
//
// It checks everything that can be checked without a ledger, and converts between what people write and what the
// ledger holds. It does no I/O, knows no clock, and imports only hexutil. Whether a credential may be issued, and
// whether something stands on the ledger, is decided elsewhere.
//
// Units: drops are millionths of an XRP. Times on the ledger are whole seconds since the Ripple Epoch,
// 2000-01-01T00:00:00Z, in 32 bits. Hex is upper case.
package model
