package issuer

import (
	"fmt"

	"github.com/xrplissuer/credential-issuer/model"
)

// Funds say when an account's XRP counts as short. The zero value never warns.
type Funds struct {
	// Room is the number of credentials that the XRP beyond the reserve should suffice for; 0 does not look.
	Room int64
	// Balance is the least that should be there to pay fees from, in drops, the reserve included; 0 does not look.
	Balance int64
}

// Shortage is the kind of a [Warning].
type Shortage string

// The shortages.
const (
	// ShortReserve: few more credentials can be issued.
	ShortReserve Shortage = "reserve"
	// ShortFees: not even fees can be paid for much longer.
	ShortFees Shortage = "fees"

	// FeeAboveLimit: the ledger asks more for a transaction than may be paid.
	FeeAboveLimit Shortage = "fee_above_limit"
	// Stalled: nothing is validated while work is pending.
	Stalled Shortage = "stalled"
	// Undecided: the node lacks the history to decide operations.
	Undecided Shortage = "undecided"
)

// Warning is what an operator should look at.
type Warning struct {
	Kind    Shortage
	Message string
}

// Shortages returns what an account's XRP is too little for, as of a ledger.
func (f Funds) Shortages(self model.Account, last model.Ledger) []Warning {
	return f.shortages(self, last, nil)
}

// shortages counts what was short before as short until there is a tenth more than what is warned at, so that a balance that
// moves about that line is not told of again and again.
func (f Funds) shortages(self model.Account, last model.Ledger, before map[Shortage]bool) []Warning {
	line := func(s Shortage, least int64) int64 {
		if before[s] {
			return least + least/10
		}
		return least
	}
	var out []Warning
	if n := room(self, last); f.Room > 0 && n < line(ShortReserve, f.Room) {
		out = append(out, Warning{ShortReserve, fmt.Sprintf("the issuing account's XRP suffices for %d more credentials: fund it, or have credentials accepted or revoked", n)})
	}
	if f.Balance > 0 && self.Balance < line(ShortFees, f.Balance) {
		out = append(out, Warning{ShortFees, fmt.Sprintf("the issuing account has %d drops left, which soon pay no fees any more: fund it", self.Balance)})
	}
	return out
}
