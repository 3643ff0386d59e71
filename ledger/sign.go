package ledger

import (
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	binarycodec "github.com/Peersyst/xrpl-go/binary-codec"

	"github.com/xrplissuer/credential-issuer/hexutil"
	"github.com/xrplissuer/credential-issuer/model"
)

// Signed is a transaction that is ready to be submitted. Its sequence, or its ticket, can be used once: of two that are
// signed with the same one, at most one ever gets into a ledger.
type Signed struct {
	// Blob is the serialized transaction in hex, and Hash its identity on the ledger.
	Blob, Hash string
	// Sequence or Ticket is set, never both.
	Sequence, Ticket uint32
	// Fee is in drops.
	Fee int64
	// LastLedgerSequence is the last ledger that it can get into.
	LastLedgerSequence uint32
}

// Terms are what a transaction is signed with besides its content.
type Terms struct {
	// Account is the one that sends and pays. The key that signs may be its regular key.
	Account model.Address
	// Sequence or Ticket is set, never both.
	Sequence, Ticket uint32
	// Fee is in drops.
	Fee                int64
	LastLedgerSequence uint32
	// NetworkID is the network's; it goes into the transaction only above 1024, as nodes refuse it below.
	NetworkID uint32
}

// maxLegacyNetworkID is the highest network id that transactions must not name (rippled: telNETWORK_ID_MAKES_TX_NON_CANONICAL).
const maxLegacyNetworkID = 1024

// noop is an AccountSet that changes nothing. It uses up a sequence that nothing else is there for.
type noop struct{}

// TransactionType implements [model.Transaction].
func (noop) TransactionType() string { return "AccountSet" }

// ticketCreate is a TicketCreate: it sets sequences aside, to be used in any order.
type ticketCreate struct{ count uint32 }

// TransactionType implements [model.Transaction].
func (ticketCreate) TransactionType() string { return "TicketCreate" }

// Sign signs tx under terms. What comes out is decoded again and compared with what went in, as the codec leaves out
// what it does not know.
func (s Seed) Sign(tx model.Transaction, terms Terms) (Signed, error) {
	if s.Zero() {
		return Signed{}, errors.New("signing: there is no seed")
	}
	fields, err := content(tx)
	if err != nil {
		return Signed{}, err
	}
	if terms.Account == "" || (terms.Sequence == 0) == (terms.Ticket == 0) || terms.Fee <= 0 || terms.Fee > maxDrops || terms.LastLedgerSequence == 0 {
		return Signed{}, fmt.Errorf("signing %s: account, sequence or ticket, fee and LastLedgerSequence must all be set", tx.TransactionType())
	}
	keys := s.keys()
	fields["TransactionType"] = tx.TransactionType()
	fields["Account"] = string(terms.Account)
	fields["Sequence"] = terms.Sequence
	if terms.Ticket != 0 {
		fields["TicketSequence"] = terms.Ticket
	}
	fields["Fee"] = strconv.FormatInt(terms.Fee, 10)
	fields["LastLedgerSequence"] = terms.LastLedgerSequence
	fields["SigningPubKey"] = keys.public
	if terms.NetworkID > maxLegacyNetworkID {
		fields["NetworkID"] = terms.NetworkID
	}
	blob, err := signFields(fields, keys)
	if err != nil {
		return Signed{}, fmt.Errorf("signing %s: %w", tx.TransactionType(), err)
	}
	hash, err := transactionHash(blob)
	if err != nil {
		return Signed{}, fmt.Errorf("signing %s: %w", tx.TransactionType(), err)
	}
	return Signed{Blob: blob, Hash: hash, Sequence: terms.Sequence, Ticket: terms.Ticket, Fee: terms.Fee, LastLedgerSequence: terms.LastLedgerSequence}, nil
}

// content returns the fields of what tx is about, as plain strings and numbers: the codec panics on some other types.
func content(tx model.Transaction) (map[string]any, error) {
	switch tx := tx.(type) {
	case model.CredentialCreate:
		f := map[string]any{"Subject": string(tx.Subject), "CredentialType": tx.Type.Hex()}
		if tx.Expiration != nil {
			f["Expiration"] = *tx.Expiration
		}
		if tx.URI != "" {
			f["URI"] = hexutil.Encode(tx.URI)
		}
		return f, checkContent(tx.Type, tx.URI, tx.Subject)
	case model.CredentialAccept:
		return map[string]any{"Issuer": string(tx.Issuer), "CredentialType": tx.Type.Hex()}, checkContent(tx.Type, "", tx.Issuer)
	case model.CredentialDelete:
		f := map[string]any{"CredentialType": tx.Type.Hex()}
		var parties []model.Address
		if tx.Subject != "" {
			f["Subject"] = string(tx.Subject)
			parties = append(parties, tx.Subject)
		}
		if tx.Issuer != "" {
			f["Issuer"] = string(tx.Issuer)
			parties = append(parties, tx.Issuer)
		}
		return f, checkContent(tx.Type, "", parties...)
	case noop:
		return map[string]any{}, nil
	case ticketCreate:
		if tx.count == 0 || tx.count > maxTickets {
			return nil, fmt.Errorf("a TicketCreate makes 1 to %d tickets, not %d", maxTickets, tx.count)
		}
		return map[string]any{"TicketCount": tx.count}, nil
	}
	return nil, fmt.Errorf("transactions of type %T cannot be signed", tx)
}

// checkContent refuses what a node would, before a signature or a sequence is spent on it (XLS-70).
func checkContent(t model.CredentialType, uri string, parties ...model.Address) error {
	if len(t) == 0 || len(t) > model.MaxTypeLen {
		return model.BadRequest("credential", fmt.Sprintf("must stand for 1 to %d bytes", model.MaxTypeLen))
	}
	if len(uri) > model.MaxURILen {
		return model.BadRequest("uri", fmt.Sprintf("must have at most %d bytes", model.MaxURILen))
	}
	if len(parties) == 0 {
		return model.BadRequest("subject", "or issuer must be given")
	}
	for _, a := range parties {
		if _, err := model.ParseAddress(string(a)); err != nil {
			return fmt.Errorf("an account of the transaction %w", err)
		}
		if a.Zero() {
			return model.BadRequest("subject", "must not be ACCOUNT_ZERO, which nobody holds the key of")
		}
	}
	return nil
}

// signFields encodes and signs. The library panics on values it does not expect; none of ours are, but a panic here
// would take the lane along.
func signFields(fields map[string]any, keys keyPair) (blob string, err error) {
	defer func() {
		if r := recover(); r != nil {
			blob, err = "", errors.New("the codec panicked") // not with r, which may hold what was being signed with
		}
	}()
	message, err := binarycodec.EncodeForSigning(fields)
	if err != nil {
		return "", fmt.Errorf("encoding: %w", err)
	}
	raw, err := hex.DecodeString(message)
	if err != nil {
		return "", fmt.Errorf("encoding: %w", err)
	}
	signature, err := keys.sign(raw)
	if err != nil {
		return "", err
	}
	fields["TxnSignature"] = signature
	blob, err = binarycodec.Encode(fields)
	if err != nil {
		return "", fmt.Errorf("encoding: %w", err)
	}
	decoded, err := binarycodec.Decode(blob)
	if err != nil {
		return "", fmt.Errorf("decoding what was encoded: %w", err)
	}
	if len(decoded) != len(fields) {
		return "", fmt.Errorf("of %d fields %d were encoded", len(fields), len(decoded))
	}
	for name, want := range fields {
		if got := decoded[name]; !reflect.DeepEqual(got, want) && fmt.Sprint(got) != fmt.Sprint(want) {
			return "", fmt.Errorf("field %s came out of the codec as something else", name)
		}
	}
	return blob, nil
}

// transactionHash returns the identity of a signed transaction: SHA-512Half("TXN\0" ‖ blob).
func transactionHash(blob string) (string, error) {
	raw, err := hex.DecodeString(blob)
	if err != nil {
		return "", err
	}
	h := sha512.New()
	h.Write([]byte("TXN\x00"))
	h.Write(raw)
	return strings.ToUpper(hex.EncodeToString(h.Sum(nil)[:32])), nil
}
