package engine

import (
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

func TestTicketRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(1_000_000_000, "alice", "full")
	w.fund(GenesisReserve+2*GenesisReserveInc-1, "poor")
	w.do("full", codec.TtTicketCreate, TesSuccess, uintField(codec.SfTicketCount, 250))
	w.close()
	count := func(n uint64) func(*codec.Object) { return uintField(codec.SfTicketCount, n) }
	first := uint32(w.root("full").Uint(codec.SfSequence)) - 250
	for _, c := range []struct {
		name, who string
		want      TER
		fields    func(*codec.Object)
	}{
		{"none", "alice", TemInvalidCount, count(0)},
		{"251", "alice", TemInvalidCount, count(251)},
		{"a flag", "alice", TemInvalidFlag, all(count(0), uintField(codec.SfFlags, 1))},
		{"the shared checks go first", "alice", TemBadFee, all(count(0), feeOf(-1))},
		{"one too many", "full", TecDirFull, count(1)},
		{"by ticket, two too many", "full", TecDirFull, all(count(2), byTicket(first))},
		{"poor", "poor", TecInsufficientReserve, count(2)},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.TB = t
			w.do(c.who, codec.TtTicketCreate, c.want, c.fields)
			w.close()
		})
	}
	// A failed transaction spends its ticket too.
	if got := w.root("full").Uint(codec.SfTicketCount); got != 249 {
		t.Errorf("%d tickets are left", got)
	}
	w.do("full", codec.TtTicketCreate, TefNoTicket, count(1), byTicket(first))
	w.do("full", codec.TtTicketCreate, TesSuccess, count(1), byTicket(first+1))
	w.do("full", codec.TtTicketCreate, TesSuccess, count(1))
	w.close()
	if o := w.root("full"); o.Uint(codec.SfTicketCount) != 250 || o.Uint(codec.SfOwnerCount) != 250 {
		t.Errorf("%d tickets, %d entries", o.Uint(codec.SfTicketCount), o.Uint(codec.SfOwnerCount))
	}
}

// TestTicketsSpent: all tickets of several pages, spent from the middle; the
// directory's first page stays, empty.
func TestTicketsSpent(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(1_000_000_000, "ralice")
	w.do("ralice", codec.TtTicketCreate, TesSuccess, uintField(codec.SfTicketCount, 70))
	w.close()
	next := uint32(w.root("ralice").Uint(codec.SfSequence))
	first := next - 70
	// Not in order: each third, then the rest from the end.
	var order []uint32
	for i := uint32(1); i < 70; i += 3 {
		order = append(order, first+i)
	}
	for i := uint32(70); i > 0; i-- {
		if (i-1)%3 != 1 {
			order = append(order, first+i-1)
		}
	}
	for i, n := range order {
		w.do("ralice", codec.TtAccountSet, TesSuccess, byTicket(n))
		if i%7 == 0 {
			w.close()
		}
	}
	w.close()
	o := w.root("ralice")
	if o.Has(codec.SfTicketCount) || o.Uint(codec.SfOwnerCount) != 0 || o.Uint(codec.SfSequence) != uint64(next) {
		t.Errorf("left: %v", o.JSON())
	}
	if got := w.chain("ralice"); got != "[0:0]" {
		t.Errorf("directory %s", got)
	}
	// The empty page does not count as owning something.
	w.do("ralice", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfRequireAuth))
	w.close()
}
