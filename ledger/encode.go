package ledger

import (
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/xrplissuer/credential-issuer/model"
)

// Prefixes of what is hashed or signed (rippled: HashPrefix.h).
const (
	prefixSigning = "STX\x00"
	prefixHash    = "TXN\x00"
)

// Codes of transaction types (rippled: transactions.macro).
const (
	codeAccountSet       = 3
	codeTicketCreate     = 10
	codeCredentialCreate = 58
	codeCredentialAccept = 59
	codeCredentialDelete = 60
)

// Headers of fields: the code of the type and that of the field, in one to three bytes (rippled: sfields.macro).
const (
	fieldTransactionType    = "\x12"
	fieldNetworkID          = "\x21"
	fieldSequence           = "\x24"
	fieldExpiration         = "\x2A"
	fieldLastLedgerSequence = "\x20\x1B"
	fieldTicketCount        = "\x20\x28"
	fieldTicketSequence     = "\x20\x29"
	fieldFee                = "\x68"
	fieldSigningPubKey      = "\x73"
	fieldTxnSignature       = "\x74"
	fieldURI                = "\x75"
	fieldCredentialType     = "\x70\x1F"
	fieldAccount            = "\x81"
	fieldIssuer             = "\x84"
	fieldSubject            = "\x80\x18"
)

// content is what a transaction is about. What is empty or 0 is left out.
type content struct {
	code            uint16
	expiration      *uint32
	tickets         uint32
	uri             string
	credential      model.CredentialType
	issuer, subject accountID
}

// accountID identifies an account. The zero one is ACCOUNT_ZERO, which no transaction of ours may name.
type accountID [model.AccountIDLen]byte

// serialize writes a transaction in the ledger's binary format: its fields in the order of their types and codes, each behind its
// header. signature is left out where it is nil, as in what is signed.
func (c *content) serialize(b []byte, account accountID, terms Terms, publicKey, signature []byte) []byte {
	b = append(b, fieldTransactionType...)
	b = binary.BigEndian.AppendUint16(b, c.code)
	number := func(header string, n uint32) {
		b = append(b, header...)
		b = binary.BigEndian.AppendUint32(b, n)
	}
	if terms.NetworkID > maxLegacyNetworkID {
		number(fieldNetworkID, terms.NetworkID)
	}
	number(fieldSequence, terms.Sequence)
	if c.expiration != nil {
		number(fieldExpiration, *c.expiration)
	}
	number(fieldLastLedgerSequence, terms.LastLedgerSequence)
	if c.tickets != 0 {
		number(fieldTicketCount, c.tickets)
	}
	if terms.Ticket != 0 {
		number(fieldTicketSequence, terms.Ticket)
	}
	b = append(b, fieldFee...)
	b = binary.BigEndian.AppendUint64(b, uint64(terms.Fee)|1<<62) // the bit says that it is not negative
	b = appendBlob(b, fieldSigningPubKey, publicKey)
	if signature != nil {
		b = appendBlob(b, fieldTxnSignature, signature)
	}
	if c.uri != "" {
		b = appendBlob(b, fieldURI, c.uri)
	}
	if c.credential != "" {
		b = appendBlob(b, fieldCredentialType, c.credential)
	}
	b = appendBlob(b, fieldAccount, account[:])
	if c.issuer != (accountID{}) {
		b = appendBlob(b, fieldIssuer, c.issuer[:])
	}
	if c.subject != (accountID{}) {
		b = appendBlob(b, fieldSubject, c.subject[:])
	}
	return b
}

// maxShortLength is the longest that one byte tells of; two tell of up to 12,480.
const maxShortLength = 192

// appendBlob writes bytes behind their header and length.
func appendBlob[T ~string | ~[]byte](b []byte, header string, value T) []byte {
	b = append(b, header...)
	if n := len(value); n <= maxShortLength {
		b = append(b, byte(n))
	} else {
		n -= maxShortLength + 1
		b = append(b, byte(maxShortLength+1+n>>8), byte(n))
	}
	return append(b, value...)
}

// contentOf takes out of tx what it is about, and refuses what a node would, before a signature or a sequence is spent on it
// (XLS-70).
func contentOf(tx model.Transaction) (c content, err error) {
	switch tx := tx.(type) {
	case model.CredentialCreate:
		c = content{code: codeCredentialCreate, credential: tx.Type, uri: tx.URI, expiration: tx.Expiration}
		if c.subject, err = partyID(tx.Subject); err != nil {
			return c, err
		}
	case model.CredentialAccept:
		c = content{code: codeCredentialAccept, credential: tx.Type}
		if c.issuer, err = partyID(tx.Issuer); err != nil {
			return c, err
		}
	case model.CredentialDelete:
		c = content{code: codeCredentialDelete, credential: tx.Type}
		if tx.Subject == "" && tx.Issuer == "" {
			return c, model.BadRequest("subject", "or issuer must be given")
		}
		if tx.Subject != "" {
			if c.subject, err = partyID(tx.Subject); err != nil {
				return c, err
			}
		}
		if tx.Issuer != "" {
			if c.issuer, err = partyID(tx.Issuer); err != nil {
				return c, err
			}
		}
	case noop:
		return content{code: codeAccountSet}, nil
	case ticketCreate:
		if tx.count == 0 || tx.count > maxTickets {
			return c, fmt.Errorf("a TicketCreate makes 1 to %d tickets, not %d", maxTickets, tx.count)
		}
		return content{code: codeTicketCreate, tickets: tx.count}, nil
	default:
		return c, fmt.Errorf("transactions of type %T cannot be signed", tx)
	}
	if len(c.credential) == 0 || len(c.credential) > model.MaxTypeLen {
		return c, model.BadRequest("credential", fmt.Sprintf("must stand for 1 to %d bytes", model.MaxTypeLen))
	}
	if len(c.uri) > model.MaxURILen {
		return c, model.BadRequest("uri", fmt.Sprintf("must have at most %d bytes", model.MaxURILen))
	}
	return c, nil
}

// partyID identifies an account that a transaction names besides its own.
func partyID(a model.Address) (accountID, error) {
	id, err := idOf(a)
	if err == nil && id == (accountID{}) {
		err = model.BadRequest("subject", "must not be ACCOUNT_ZERO, which nobody holds the key of")
	}
	return id, err
}

// idOf checks an address and returns what it stands for.
func idOf(a model.Address) (accountID, error) {
	parsed, err := model.ParseAddress(string(a))
	if err != nil {
		return accountID{}, fmt.Errorf("an account of the transaction %w", err)
	}
	return parsed.ID(), nil
}

// transactionHash returns the identity of a signed transaction: SHA-512Half("TXN\0" ‖ blob).
func transactionHash(blob []byte) string {
	h := sha512.New()
	h.Write([]byte(prefixHash))
	h.Write(blob)
	return upperHex(h.Sum(nil)[:32])
}

// upperHex is hex as the ledger shows it.
func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
