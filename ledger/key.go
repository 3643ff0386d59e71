package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/xrplissuer/credential-issuer/model"
)

// KeyError says why a key cannot sign for an account, or why the account cannot send anything, in a sentence that says
// what to do.
type KeyError struct {
	Account model.Address
	Reason  string
	Cause   error
}

func (e *KeyError) Error() string { return e.Reason }

// Unwrap returns the cause.
func (e *KeyError) Unwrap() error { return e.Cause }

// amendment is what credentials depend on (XLS-70).
const amendment = "Credentials"

// CheckKey finds out whether seed's key may sign for account, before the first transaction would: the account must be
// on the ledger and able to pay a fee, the key must be its master key (and that not disabled) or its regular key, and
// the network must know credentials, where the node tells. Each failure of these is a [KeyError]; a node that does not
// answer is a [model.Error] with [model.CodeLedgerUnavailable].
func CheckKey(ctx context.Context, c *Client, account model.Address, seed Seed) error {
	fail := func(cause error, format string, args ...any) error {
		return &KeyError{Account: account, Reason: fmt.Sprintf(format, args...), Cause: cause}
	}
	if seed.Zero() {
		return fail(nil, "no seed is given: the issuer's seed is needed to sign")
	}
	key := seed.Address()
	info, err := c.AccountInfo(ctx, account)
	var node *NodeError
	if errors.As(err, &node) && node.Code == "actNotFound" {
		reserve := ""
		if ledger, err := c.Ledger(ctx); err == nil {
			reserve = fmt.Sprintf(" (at least %s XRP, the base reserve)", xrp(ledger.ReserveBase))
		}
		if hint := otherKeyType(ctx, c, account, seed, AccountInfo{}); hint != "" {
			return fail(err, "the account %s is not on the ledger of %s: %s", account, c.Node(), hint)
		}
		return fail(err, "the account %s is not on the ledger of %s: send it XRP%s, from a faucet on a test network, and start again; or check that this is the network you mean",
			account, c.Node(), reserve)
	}
	if err != nil {
		return unavailable("reading the account", err)
	}
	regular := info.RegularKey
	if hint := otherKeyType(ctx, c, account, seed, info); hint != "" {
		return fail(nil, "the seed is that of %s, which does not sign for %s: %s", key, account, hint)
	}
	switch {
	case key == account && info.MasterDisabled() && regular == "":
		return fail(nil, "the master key of %s is disabled, and it has no regular key: only its signer list can sign for it, which this service cannot use; set a regular key (SetRegularKey) and give its seed", account)
	case key == account && info.MasterDisabled():
		return fail(nil, "the master key of %s is disabled: give the seed of its regular key, %s, and %s as the account's address", account, regular, account)
	case key == account, key == regular:
	case regular == "":
		return fail(nil, "the seed is that of %s, which does not sign for %s, and that account has no regular key: give the seed of %s, or set %s as its regular key (SetRegularKey)", key, account, account, key)
	default:
		return fail(nil, "the seed is that of %s, which does not sign for %s: give the seed of its regular key, %s%s", key, account, regular, orMaster(info, account))
	}
	fee, err := c.Fee(ctx)
	if err != nil {
		return unavailable("reading the cost of transactions", err)
	}
	if info.Balance < fee.Base {
		return fail(nil, "the account %s has %d drops, and a transaction costs %d: send it XRP and start again", account, info.Balance, fee.Base)
	}
	enabled, known, err := c.Feature(ctx, amendment)
	if err == nil && known && !enabled {
		return fail(nil, "the network of %s does not know credentials: its %s amendment is not enabled; use another network", c.Node(), amendment)
	}
	return nil // a node that does not tell of amendments may have it all the same
}

// otherKeyType says what to do where the seed fits as one of the other key type: its form says which type is meant, and some
// wallets ignore that. It is empty where the other type does not fit either.
func otherKeyType(ctx context.Context, c *Client, account model.Address, seed Seed, info AccountInfo) string {
	key, other := seed.Address(), seed.keys().other
	own, otherType := seed.keyTypes()
	form := "sEd…"
	if otherType == "secp256k1" {
		form = "s… without Ed"
	}
	advice := fmt.Sprintf("give the seed in the form of %s keys, %s, as the wallet that made the account derives an %[1]s key from it", otherType, form)
	switch {
	case other == "" || key == account && info.Address != "" || key == info.RegularKey:
		return ""
	case other == account && info.Address != "", other == info.RegularKey:
		return fmt.Sprintf("its form is that of %s keys, and as an %s key it is %s, which does sign for it: %s", own, otherType, other, advice)
	case key == account: // not on the ledger
		if _, err := c.AccountInfo(ctx, other); err == nil {
			return fmt.Sprintf("as an %s key the same seed is %s, which is on the ledger: where that is the account, %s", otherType, other, advice)
		}
	}
	return ""
}

func orMaster(info AccountInfo, account model.Address) string {
	if info.MasterDisabled() {
		return ""
	}
	return fmt.Sprintf(", or of its master key, %s", account)
}

// xrp writes drops as XRP.
func xrp(drops int64) string {
	s := strconv.FormatInt(drops, 10)
	if n := 7 - len(s); n > 0 {
		s = strings.Repeat("0", n) + s
	}
	whole, fraction := s[:len(s)-6], strings.TrimRight(s[len(s)-6:], "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}
