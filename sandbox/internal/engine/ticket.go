package engine

import "github.com/xrplissuer/credential-issuer/sandbox/internal/codec"

// maxTickets is how many tickets an account may hold, and a TicketCreate make
// (rippled's CreateTicket.h).
const maxTickets = 250

var ticketCreate = transactor{
	preflight: func(tx *codec.Tx) TER {
		if n := tx.Uint(codec.SfTicketCount); n < 1 || n > maxTickets {
			return TemInvalidCount
		}
		return TesSuccess
	},
	preclaim: func(v *view, tx *codec.Tx, _ applyFlags) TER {
		acct := v.read(AccountKey(tx.AccountID()))
		if acct == nil {
			return TerNoAccount
		}
		held := acct.Uint(codec.SfTicketCount) + tx.Uint(codec.SfTicketCount)
		if _, ticket := tx.SeqProxy(); ticket {
			held--
		}
		if held > maxTickets {
			return TecDirFull
		}
		return TesSuccess
	},
	apply: func(c *applyContext) TER {
		acct := c.peek(AccountKey(c.account))
		count := uint32(c.tx.Uint(codec.SfTicketCount))
		if c.priorBalance < c.base.fees.accountReserve(uint32(acct.Uint(codec.SfOwnerCount))+count) {
			return TecInsufficientReserve
		}
		first := uint32(acct.Uint(codec.SfSequence))
		for i := range count {
			key := TicketKey(c.account, first+i)
			o := newEntry(codec.LtTicket)
			o.SetAccount(codec.SfAccount, c.account)
			o.SetUint(codec.SfTicketSequence, uint64(first+i))
			if r := c.own(acct, key, o); r != TesSuccess {
				return r
			}
		}
		acct.SetUint(codec.SfTicketCount, acct.Uint(codec.SfTicketCount)+uint64(count))
		acct.SetUint(codec.SfSequence, uint64(first)+uint64(count))
		c.update(AccountKey(c.account))
		return TesSuccess
	},
	consequences: func(tx *codec.Tx) consequences {
		return consequences{sequences: uint32(tx.Uint(codec.SfTicketCount))}
	},
}

// deleteTicket spends a ticket. The caller has read acct, the account's root.
func (c *applyContext) deleteTicket(acct *codec.Object, sequence uint32) TER {
	return c.deleteTicketAt(acct, TicketKey(c.account, sequence))
}

func (c *applyContext) deleteTicketAt(acct *codec.Object, key codec.Hash256) TER {
	o := c.peek(key)
	if o == nil {
		return TefBadLedger
	}
	if !c.dirRemove(c.account, o.Uint(codec.SfOwnerNode), key, true) {
		return TefBadLedger
	}
	switch n := acct.Uint(codec.SfTicketCount); n {
	case 0:
		return TefBadLedger
	case 1:
		acct.Delete(codec.SfTicketCount)
	default:
		acct.SetUint(codec.SfTicketCount, n-1)
	}
	c.adjustOwnerCount(c.account, acct, -1)
	c.erase(key)
	return TesSuccess
}
