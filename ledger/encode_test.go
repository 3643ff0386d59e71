package ledger

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/Peersyst/xrpl-go/binary-codec/definitions"

	"github.com/xrplissuer/credential-issuer/hexutil"
	"github.com/xrplissuer/credential-issuer/model"
)

// asFields writes a transaction as the library reads it.
func asFields(tx model.Transaction, terms Terms, publicKey string) map[string]any {
	f := map[string]any{"TransactionType": tx.TransactionType(), "Account": string(terms.Account), "Sequence": terms.Sequence,
		"Fee": strconv.FormatInt(terms.Fee, 10), "LastLedgerSequence": terms.LastLedgerSequence, "SigningPubKey": publicKey}
	if terms.Ticket != 0 {
		f["TicketSequence"] = terms.Ticket
	}
	if terms.NetworkID > maxLegacyNetworkID {
		f["NetworkID"] = terms.NetworkID
	}
	party := func(name string, a model.Address) {
		if a != "" {
			f[name] = string(a)
		}
	}
	switch tx := tx.(type) {
	case model.CredentialCreate:
		party("Subject", tx.Subject)
		f["CredentialType"] = tx.Type.Hex()
		if tx.Expiration != nil {
			f["Expiration"] = *tx.Expiration
		}
		if tx.URI != "" {
			f["URI"] = hexutil.Encode(tx.URI)
		}
	case model.CredentialAccept:
		party("Issuer", tx.Issuer)
		f["CredentialType"] = tx.Type.Hex()
	case model.CredentialDelete:
		party("Subject", tx.Subject)
		party("Issuer", tx.Issuer)
		f["CredentialType"] = tx.Type.Hex()
	case ticketCreate:
		f["TicketCount"] = tx.count
	}
	return f
}

// sameAsLibrary signs a transaction here and with the library, and compares the bytes.
func sameAsLibrary(t *testing.T, seed Seed, tx model.Transaction, terms Terms) {
	t.Helper()
	got, err := seed.Sign(tx, terms)
	if err != nil {
		t.Fatalf("%#v under %+v: %v", tx, terms, err)
	}
	blob, hash := signFields(t, asFields(tx, terms, seed.PublicKey()), seed)
	if got.Blob != blob || got.Hash != hash {
		t.Fatalf("%#v under %+v:\n%s, the library\n%s", tx, terms, got.Blob, blob)
	}
}

// Every shape of a transaction, with each number and length at its bounds, comes out as it does of the library.
func TestEncodeAsTheLibrary(t *testing.T) {
	zero, some, most := uint32(0), uint32(900000000), uint32(math.MaxUint32)
	types := []model.CredentialType{"K", "\x00", "\x00\xffType", model.CredentialType(strings.Repeat("\xfe", 64))}
	txs := []model.Transaction{noop{}, ticketCreate{1}, ticketCreate{maxTickets}}
	for _, typ := range types {
		for _, expiration := range []*uint32{nil, &zero, &some, &most} {
			for _, n := range []int{0, 1, 191, 192, 193, 194, 256} {
				txs = append(txs, model.CredentialCreate{Subject: testAlice, Type: typ, Expiration: expiration, URI: strings.Repeat("/", n)})
			}
		}
		txs = append(txs, model.CredentialAccept{Issuer: testBob, Type: typ}, model.CredentialDelete{Subject: testAlice, Type: typ},
			model.CredentialDelete{Issuer: testBob, Type: typ}, model.CredentialDelete{Subject: testAlice, Issuer: testIssuer, Type: typ})
	}
	ed, _ := vectorSeed(t, "issuer", "ed25519")
	secp, _ := vectorSeed(t, "bob", "secp256k1")
	for i, tx := range txs {
		for j, terms := range []Terms{
			{Account: testIssuer, Sequence: 1, Fee: 1, LastLedgerSequence: 1},
			{Account: testIssuer, Sequence: math.MaxUint32, Fee: maxDrops, LastLedgerSequence: math.MaxUint32, NetworkID: math.MaxUint32},
			{Account: testBob, Ticket: 1, Fee: 10, LastLedgerSequence: 7, NetworkID: maxLegacyNetworkID},
			{Account: testBob, Ticket: math.MaxUint32, Fee: 12, LastLedgerSequence: 100, NetworkID: maxLegacyNetworkID + 1},
		} {
			sameAsLibrary(t, ed, tx, terms)
			if (i+j)%8 == 0 { // slow, and only its lengths are others
				sameAsLibrary(t, secp, tx, terms)
			}
		}
	}
}

func FuzzEncodeAsTheLibrary(f *testing.F) {
	f.Add(uint8(0), []byte("01234567890123456789"), []byte("98765432109876543210"), "Type", "https://x.example", uint32(5), true, uint32(7), false, uint64(12), uint32(100), uint32(0))
	f.Add(uint8(2), []byte("01234567890123456789"), []byte("98765432109876543210"), "\xff", strings.Repeat("u", 256), uint32(0), false, uint32(1), true, uint64(1), uint32(1), uint32(1025))
	f.Fuzz(func(t *testing.T, shape uint8, one, two []byte, typ, uri string, expiration uint32, expires bool, slot uint32, ticket bool, fee uint64, last, network uint32) {
		id := func(b []byte) (a model.Address) {
			var id [model.AccountIDLen]byte
			copy(id[:], b)
			id[0] |= 1 // not ACCOUNT_ZERO
			return model.AddressOf(id)
		}
		if typ == "" || len(typ) > model.MaxTypeLen || len(uri) > model.MaxURILen || slot == 0 || last == 0 {
			t.Skip()
		}
		var tx model.Transaction
		switch credential := model.CredentialType(typ); shape % 6 {
		case 0:
			create := model.CredentialCreate{Subject: id(one), Type: credential, URI: uri}
			if expires {
				create.Expiration = &expiration
			}
			tx = create
		case 1:
			tx = model.CredentialAccept{Issuer: id(one), Type: credential}
		case 2:
			tx = model.CredentialDelete{Subject: id(one), Type: credential}
		case 3:
			tx = model.CredentialDelete{Subject: id(one), Issuer: id(two), Type: credential}
		case 4:
			tx = noop{}
		case 5:
			tx = ticketCreate{slot%maxTickets + 1}
		}
		terms := Terms{Account: id(two), Sequence: slot, Fee: int64(fee%maxDrops) + 1, LastLedgerSequence: last, NetworkID: network}
		if ticket {
			terms.Sequence, terms.Ticket = 0, slot
		}
		seed, _ := vectorSeed(t, "issuer", "ed25519")
		sameAsLibrary(t, seed, tx, terms)
	})
}

// The codes are those of the library's table, which is rippled's.
func TestCodes(t *testing.T) {
	for name, code := range map[string]int32{"AccountSet": codeAccountSet, "TicketCreate": codeTicketCreate, "CredentialCreate": codeCredentialCreate,
		"CredentialAccept": codeCredentialAccept, "CredentialDelete": codeCredentialDelete} {
		if want := definitions.Get().TransactionTypes[name]; code != want {
			t.Errorf("%s is %d, want %d", name, code, want)
		}
	}
	for name, header := range map[string]string{"TransactionType": fieldTransactionType, "NetworkID": fieldNetworkID, "Sequence": fieldSequence,
		"Expiration": fieldExpiration, "LastLedgerSequence": fieldLastLedgerSequence, "TicketCount": fieldTicketCount,
		"TicketSequence": fieldTicketSequence, "Fee": fieldFee, "SigningPubKey": fieldSigningPubKey, "TxnSignature": fieldTxnSignature,
		"URI": fieldURI, "CredentialType": fieldCredentialType, "Account": fieldAccount, "Issuer": fieldIssuer, "Subject": fieldSubject} {
		f := definitions.Get().Fields[name]
		if f == nil || f.FieldHeader == nil {
			t.Fatalf("the library does not know %s", name)
		}
		var want []byte
		switch typ, n := byte(f.FieldHeader.TypeCode), byte(f.FieldHeader.FieldCode); {
		case typ < 16 && n < 16:
			want = []byte{typ<<4 | n}
		case typ < 16:
			want = []byte{typ << 4, n}
		default:
			t.Fatalf("%s has type %d", name, typ)
		}
		if header != string(want) {
			t.Errorf("%s is %s, want %s", name, hex.EncodeToString([]byte(header)), hex.EncodeToString(want))
		}
	}
}
