package main

import (
	"context"
	"encoding/hex"

	binarycodec "github.com/Peersyst/xrpl-go/binary-codec"
	"github.com/Peersyst/xrpl-go/keypairs"
	"github.com/Peersyst/xrpl-go/pkg/crypto"
	"github.com/Peersyst/xrpl-go/pkg/random"
)

// genesis is the seed of the account that holds everything on a fresh stand-alone ledger, public by design.
const genesis = "snoPBrXtMeMyMHUVTgbuqAfg1SUTb"

// lot is XRP enough for the reserve of more credentials than any part makes, in drops: 300,000 XRP.
const lot = "300000000000"

// account is one that transactions are signed for beforehand, with the library and not with the code under measurement.
type account struct {
	address, seed   string
	public, private string
}

func accountOf(seed string) (account, error) {
	private, public, err := keypairs.DeriveKeypair(seed, false)
	if err != nil {
		return account{}, err
	}
	address, err := keypairs.DeriveClassicAddress(public)
	return account{address, seed, public, private}, err
}

func newAccount() (account, error) {
	seed, err := keypairs.GenerateSeed(nil, crypto.ED25519(), random.NewRandomizer())
	if err != nil {
		return account{}, err
	}
	return accountOf(seed)
}

// sign returns the blobs of transactions of one account, numbered from its next sequence on, and the sequence that it
// has when all are done.
func (n *node) sign(ctx context.Context, a account, txs []map[string]any) (blobs []string, after uint32, err error) {
	seq, err := n.sequence(ctx, a.address, "current")
	if err != nil {
		return nil, 0, err
	}
	return a.sign(seq, txs)
}

// sign is node's sign from a sequence that the caller knows.
func (a account) sign(seq uint32, txs []map[string]any) (blobs []string, after uint32, err error) {
	blobs = make([]string, len(txs))
	for i, tx := range txs {
		tx["Account"], tx["Fee"], tx["Sequence"], tx["SigningPubKey"] = a.address, "10", seq, a.public
		message, err := binarycodec.EncodeForSigning(tx)
		if err != nil {
			return nil, 0, err
		}
		raw, err := hex.DecodeString(message)
		if err != nil {
			return nil, 0, err
		}
		if tx["TxnSignature"], err = keypairs.Sign(string(raw), a.private); err != nil {
			return nil, 0, err
		}
		if blobs[i], err = binarycodec.Encode(tx); err != nil {
			return nil, 0, err
		}
		seq++
	}
	return blobs, seq, nil
}

// fund makes an account with a lot of XRP from the genesis account, and waits until that is validated.
func (n *node) fund(ctx context.Context) (account, error) {
	from, err := accountOf(genesis)
	if err != nil {
		return account{}, err
	}
	a, err := newAccount()
	if err != nil {
		return account{}, err
	}
	blobs, after, err := n.sign(ctx, from, []map[string]any{
		{"TransactionType": "Payment", "Destination": a.address, "Amount": lot},
	})
	if err != nil {
		return account{}, err
	}
	if err := n.submit(ctx, blobs); err != nil {
		return account{}, err
	}
	return a, n.validated(ctx, from.address, after)
}
