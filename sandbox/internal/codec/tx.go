package codec

import (
	"bytes"
	"strconv"
	"strings"
)

// The fewest and the most bytes of a transaction (Protocol.h).
const (
	MinTxSize = 32
	MaxTxSize = 1 << 20
)

const (
	errTxLength     Refusal = "Transaction length invalid"
	errTxTerminator Refusal = "Transaction contains an object terminator"
	errNoTxType     Refusal = "Field not found: TransactionType"
)

// Tx is a well-formed transaction. It is not changed after it was parsed.
type Tx struct {
	*Object
	Type TxType
	ID   Hash256 // the hash of Blob
	Blob []byte  // canonical bytes
}

const noSuchType = "Invalid transaction type "

// IsUnknownType tells the error of ParseTx and NewTx that is of a type that there is not.
func IsUnknownType(err error) bool { return err != nil && strings.HasPrefix(err.Error(), noSuchType) }

// ParseTx reads a signed transaction and checks it against its type's template. An error's text is what rippled
// answers to `submit` in error_exception. The transaction keeps slices of blob, which must not change afterwards.
func ParseTx(blob []byte) (*Tx, error) {
	if len(blob) < MinTxSize || len(blob) > MaxTxSize {
		return nil, errTxLength
	}
	r := newReader(blob)
	fields, ended, err := r.readObject(0)
	r.free()
	if err != nil {
		return nil, err
	}
	if ended {
		return nil, errTxTerminator
	}
	o := &Object{fields: fields}
	if !o.Has(SfTransactionType) {
		return nil, errNoTxType
	}
	t := TxType(o.Uint(SfTransactionType))
	format := txFormats[t]
	if format == nil {
		return nil, Refusal(noSuchType + strconv.Itoa(int(t)))
	}
	if err := applyTemplate(format.unique, txCommon, fields); err != nil {
		return nil, err
	}
	sortFields(fields)
	return newTx(o, t, blob), nil
}

// NewTx makes a transaction of an object that has all its type needs, as a signer does. The object is the
// transaction's from then on.
func NewTx(o *Object) (*Tx, error) {
	return ParseTx(o.Append(nil))
}

func newTx(o *Object, t TxType, blob []byte) *Tx {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	hashed := o.Append(append((*buf)[:0], PrefixTxID[:]...))
	*buf = hashed[:0]
	if canonical := hashed[len(PrefixTxID):]; !bytes.Equal(canonical, blob) {
		blob = bytes.Clone(canonical)
	}
	return &Tx{Object: o, Type: t, Blob: blob, ID: Sha512Half(hashed)}
}

// AccountID is the sender.
func (t *Tx) AccountID() AccountID { return t.Account(SfAccount) }

// SeqProxy is the sequence, or the ticket when the sequence is 0 and there is one.
func (t *Tx) SeqProxy() (seq uint32, ticket bool) {
	seq = uint32(t.Uint(SfSequence))
	if seq == 0 && t.Has(SfTicketSequence) {
		return uint32(t.Uint(SfTicketSequence)), true
	}
	return seq, false
}

// Fee is the fee in drops; 0 when it is not XRP (see IsXRP).
func (t *Tx) Fee() int64 { return t.Drops(SfFee) }

// Flags are the transaction's flags, 0 when it has none.
func (t *Tx) Flags() uint32 { return uint32(t.Uint(SfFlags)) }

// SigningPubKey is the key that signed; empty when several did.
func (t *Tx) SigningPubKey() []byte { return t.Object.Blob(SfSigningPubKey) }

const maxMemoSize = 1024

const (
	errMemoSize    Refusal = "The memo exceeds the maximum allowed size."
	errMemoArray   Refusal = "A memo array may contain only Memo objects."
	errMemoFields  Refusal = "A memo may contain only MemoType, MemoData or MemoFormat fields."
	errMemoChars   Refusal = "The MemoType and MemoFormat fields may only contain characters that are allowed in URLs under RFC 3986."
	errAccountZero Refusal = "An account field is invalid."
	errPseudoTx    Refusal = "Cannot submit pseudo transactions."
)

var memoChar = func() (ok [256]bool) {
	const allowed = "0123456789-._~:/?#[]@!$&'()*+,;=%ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for i := range len(allowed) {
		ok[allowed[i]] = true
	}
	return ok
}()

// LocalChecks applies the rules that need no ledger: memos, account fields, no pseudo transactions
// (passesLocalChecks in STTx.cpp). The error's text is rippled's reason.
func (t *Tx) LocalChecks() error {
	if err := t.checkMemos(); err != nil {
		return err
	}
	for i := range t.fields {
		if v := &t.fields[i]; v.field.Type == TypeAccountID && len(v.data) == 0 {
			return errAccountZero
		}
	}
	if t.Type == TtEnableAmendment || t.Type == TtSetFee || t.Type == TtUNLModify {
		return errPseudoTx
	}
	return nil
}

func (t *Tx) checkMemos() error {
	v := t.find(SfMemos)
	if v == nil {
		return nil
	}
	// The size is that of the elements: without the array's own header and end marker.
	if size := len(v.append(make([]byte, 0, 2*maxMemoSize))) - int(SfMemos.hlen) - 1; size > maxMemoSize {
		return errMemoSize
	}
	for _, memo := range v.list {
		if memo.Field != SfMemo {
			return errMemoArray
		}
		for i := range memo.Object.fields {
			switch v := &memo.Object.fields[i]; v.field {
			case SfMemoData:
			case SfMemoType, SfMemoFormat:
				for _, c := range v.data {
					if !memoChar[c] {
						return errMemoChars
					}
				}
			default:
				return errMemoFields
			}
		}
	}
	return nil
}
