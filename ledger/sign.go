package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"

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

// Sign signs tx under terms.
func (s Seed) Sign(tx model.Transaction, terms Terms) (Signed, error) {
	if s.Zero() {
		return Signed{}, errors.New("signing: there is no seed")
	}
	c, err := contentOf(tx)
	if err != nil {
		return Signed{}, err
	}
	if (terms.Sequence == 0) == (terms.Ticket == 0) || terms.Fee <= 0 || terms.Fee > maxDrops || terms.LastLedgerSequence == 0 {
		return Signed{}, fmt.Errorf("signing %s: sequence or ticket, fee and LastLedgerSequence must all be set", tx.TransactionType())
	}
	account, err := idOf(terms.Account)
	if err != nil {
		return Signed{}, fmt.Errorf("signing %s: %w", tx.TransactionType(), err)
	}
	keys := s.keys()
	publicKey, err := hex.DecodeString(keys.public)
	if err != nil {
		return Signed{}, fmt.Errorf("signing %s: the public key: %w", tx.TransactionType(), err)
	}
	signature, err := keys.sign(c.serialize([]byte(prefixSigning), account, terms, publicKey, nil))
	if err != nil {
		return Signed{}, fmt.Errorf("signing %s: %w", tx.TransactionType(), err)
	}
	blob := c.serialize(make([]byte, 0, 512), account, terms, publicKey, signature)
	return Signed{Blob: upperHex(blob), Hash: transactionHash(blob), Sequence: terms.Sequence, Ticket: terms.Ticket, Fee: terms.Fee,
		LastLedgerSequence: terms.LastLedgerSequence}, nil
}
