package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/xrplissuer/credential-issuer/model"
)

// Mode says what a lane's transactions take their turn with.
type Mode int

const (
	// Sequences: the account's own, one after another. One transaction that no ledger takes holds up those behind it
	// until it is replaced.
	Sequences Mode = iota
	// Tickets: sequences that were set aside before, in any order. One that is stuck holds up nobody; but a ledger takes
	// no more than there are tickets, and each locks an owner reserve until it is used.
	Tickets
)

// String returns the mode's name, as [ParseMode] reads it.
func (m Mode) String() string {
	if m == Tickets {
		return "tickets"
	}
	return "sequences"
}

// ParseMode reads a mode's name. The error reads on from the name of a setting.
func ParseMode(s string) (Mode, error) {
	switch s {
	case "sequences":
		return Sequences, nil
	case "tickets":
		return Tickets, nil
	}
	return 0, errors.New("must be sequences or tickets")
}

const (
	// maxTickets is how many tickets an account can hold, and one TicketCreate make (rippled: maxTicketThreshold).
	maxTickets = 250
	// refillPause is for how many ledgers no tickets are asked for after that has failed.
	refillPause = 16
	// accountEvery is after how many ledgers the account is read again to know its reserve.
	accountEvery = 10
)

// laneStock is what a lane knows of its tickets.
type laneStock struct {
	due, reading bool
	known        bool     // the account's tickets have been read
	tickets      []uint32 // unused, in the order in which they are used
	refill       *operation
	early        bool              // refill's tickets are in stock since the open ledger has them
	spent        map[uint32]uint32 // used, and in which ledger
	madeIn       uint32            // the ledger that made tickets last, as far as this lane made them
	readAt       uint32            // the ledger that they were last read from
	stale        bool              // it was older than madeIn: they are to be read again with the next ledger
	ripe         bool              // the last ledger is a while ago: all of it is told
	notBefore    uint32            // no refill before this ledger
	changed      uint32            // the ledger of the last transaction of the account's that was told: it may have changed its reserve
}

// hasSlot says whether there is a sequence or a ticket for the next operation. While a TicketCreate is under way there is
// no sequence, as nobody knows which one comes after it.
func (l *Lane) hasSlot() bool {
	s := &l.stock
	switch {
	case l.cfg.Mode == Tickets && !s.known:
		return false
	case l.cfg.Mode == Tickets && len(s.tickets) > 0:
		return true
	case s.refill != nil:
		return false
	case l.cfg.Mode == Sequences:
		return true
	}
	// Without the means to hold a ticket, sequences have to do.
	return l.canHold() == 0 || l.validated.Index < s.notBefore
}

// canHold is how many more entries the account can carry, as far as is known.
func (l *Lane) canHold() int64 {
	base, each := l.validated.ReserveBase, l.validated.ReserveIncrement
	if each <= 0 {
		return 0
	}
	return max(0, (l.account.Balance-base)/each-int64(l.account.OwnerCount))
}

// refill asks for tickets when less than half of the stock is left.
func (l *Lane) refill() {
	s := &l.stock
	if l.cfg.Mode != Tickets {
		return
	}
	l.readTickets()
	if !s.known || s.due || s.reading || s.refill != nil || 2*len(s.tickets) > l.cfg.Tickets || l.validated.Index < s.notBefore || len(l.free) > 0 || !l.mayBegin() {
		return
	}
	held, told := len(s.tickets), true
	for used, op := range l.inFlight {
		if !used.ticket {
			return // the tickets' numbers follow it, and it is not decided
		}
		held++
		told = told && !(op.state == stateTaken && op.newest().sentIn < l.validated.Index)
	}
	for used := range l.limbo {
		switch {
		case !used.ticket:
			return
		case s.spent[used.n] == 0: // absent: the ticket is still there
			held++
		}
	}
	missing := l.cfg.Tickets - held
	// One TicketCreate is under way at a time: it waits for the results of the ledger that are just being told, so that it
	// makes up for all that were used in it.
	if 2*missing < l.cfg.Tickets || 5*missing < 4*l.cfg.Tickets && !told && !s.ripe {
		return
	}
	room := l.canHold()
	if l.account.LedgerIndex < s.changed && room < int64(missing)+maxTickets {
		return // it may be less by now: the account is read again with the next ledger
	}
	count := min(int64(missing), room)
	if count <= 0 {
		return
	}
	op := l.ownOperation(model.KindTickets, ticketCreate{uint32(count)})
	s.refill, s.early = op, false
	l.begin(op)
	if op.state == stateFinal {
		return
	}
	l.next = op.slot.n + 1 + uint32(count)
	l.log.Debug("asking for tickets", "count", count, "in_stock", len(s.tickets))
}

// ticketsTaken puts a TicketCreate's tickets into stock as soon as the node's open ledger has them: in a ledger, an
// account's sequences come before its tickets.
func (l *Lane) ticketsTaken(op *operation, tc ticketCreate) {
	if l.stock.refill == op && !l.stock.early {
		l.stock.early = true
		l.addTickets(op, tc)
	}
}

// addTickets puts those into stock that a TicketCreate makes: they have the numbers after its own sequence. What was read of
// the account may have told of them already.
func (l *Lane) addTickets(op *operation, tc ticketCreate) {
	s := &l.stock
	for i := range tc.count {
		n := op.slot.n + 1 + i
		if taken := (slot{n, true}); l.inFlight[taken] == nil && !l.limbo[taken] && s.spent[n] == 0 && !slices.Contains(s.tickets, n) {
			s.tickets = append(s.tickets, n)
		}
	}
}

// ticketsEnded goes on after a TicketCreate; v is nil where no ledger took it.
func (l *Lane) ticketsEnded(op *operation, v *model.Validated) {
	s, tc := &l.stock, op.tx.(ticketCreate)
	if s.refill != op {
		return
	}
	s.refill = nil
	if v != nil && v.Succeeded() {
		s.madeIn = v.LedgerIndex
		if !s.early && s.readAt < s.madeIn {
			l.addTickets(op, tc)
		}
		return
	}
	first := op.slot.n + 1
	s.tickets = slices.DeleteFunc(s.tickets, func(n uint32) bool { return n >= first && n < first+tc.count })
	if l.next == first+tc.count {
		l.next = first
	}
	s.notBefore = l.validated.Index + refillPause
	s.due = true
	if v != nil {
		l.log.Warn("the ledger gave no tickets; going on with sequences for a while", "result", v.EngineResult)
	}
}

// readTickets asks the ledger which tickets the account holds.
func (l *Lane) readTickets() {
	s := &l.stock
	if !s.due || s.reading {
		return
	}
	s.due, s.reading = false, true
	l.job(func(ctx context.Context) func() {
		held, index, err := l.client.tickets(ctx, l.cfg.Account)
		return func() {
			s.reading = false
			if err != nil {
				s.due = true
				if ctx.Err() == nil {
					l.log.Warn("cannot read the account's tickets", "error", err)
				}
				return
			}
			l.tookStock(held, index)
		}
	})
}

// tookStock compares the stock with what the account held in a validated ledger.
func (l *Lane) tookStock(held []uint32, index uint32) {
	s := &l.stock
	if index < s.madeIn { // the node lags, or was asked before: it knows nothing of the tickets that were made last
		s.stale = true
		return
	}
	s.readAt = index
	var early []uint32
	if s.refill != nil && s.early {
		early = s.tickets[:0:0]
		first := s.refill.slot.n + 1
		for _, n := range s.tickets {
			if n >= first && n < first+s.refill.tx.(ticketCreate).count {
				early = append(early, n)
			}
		}
	}
	s.tickets = s.tickets[:0]
	for _, n := range held {
		taken := slot{n, true}
		if l.inFlight[taken] == nil && !l.limbo[taken] && s.spent[n] <= index && !slices.Contains(early, n) {
			s.tickets = append(s.tickets, n)
		}
	}
	for n, at := range s.spent {
		if at <= index {
			delete(s.spent, n)
		}
	}
	slices.Sort(s.tickets)
	s.tickets = append(s.tickets, early...)
	s.known = true
}

// ticketSpent notes that a validated ledger has used a ticket up: an older one may still show it.
func (l *Lane) ticketSpent(n, ledger uint32) {
	if l.stock.spent == nil {
		l.stock.spent = map[uint32]uint32{}
	}
	l.stock.spent[n] = ledger
}

// tickets returns the tickets that an account holds in the last validated ledger, and that ledger's index.
func (c *Client) tickets(ctx context.Context, account model.Address) ([]uint32, uint32, error) {
	params := map[string]any{"account": account, "type": "ticket", "ledger_index": validatedIndex, "limit": 400}
	var all []uint32
	var at pin
	guard := markerGuard{}
	for {
		var page ticketsAnswer
		err := c.call(ctx, "account_objects", params, func(raw json.RawMessage) error {
			page = ticketsAnswer{}
			return decodeTickets(raw, account, &at, &page)
		})
		if err != nil {
			return nil, 0, err
		}
		if all = append(all, page.numbers...); len(all) > maxTickets {
			return nil, 0, &AnswerError{Method: "account_objects", Reason: fmt.Sprintf("it lists more than the %d tickets that an account may hold", maxTickets)}
		}
		if isNull(page.Marker) {
			return all, at.index, nil
		}
		if err := guard.check(page.Marker); err != nil {
			return nil, 0, &AnswerError{Method: "account_objects", Reason: "unusable", Cause: err}
		}
		params["marker"], params["ledger_index"] = page.Marker, at.index
	}
}

type ticketsAnswer struct {
	objectsPage[struct {
		LedgerEntryType string
		Account         model.Address
		TicketSequence  json.RawMessage
	}]

	numbers []uint32
}

func decodeTickets(raw json.RawMessage, account model.Address, pinned *pin, page *ticketsAnswer) error {
	if err := json.Unmarshal(raw, page); err != nil {
		return err
	}
	at, err := page.check(account, *pinned)
	if err != nil {
		return err
	}
	for _, e := range page.Entries {
		var n uint32
		if e.LedgerEntryType != "Ticket" || e.Account != account {
			return errors.New("an entry is no ticket of the account")
		}
		if err := number(e.TicketSequence, "TicketSequence", &n); err != nil {
			return err
		}
		page.numbers = append(page.numbers, n)
	}
	*pinned = at
	return nil
}
