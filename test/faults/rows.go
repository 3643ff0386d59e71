package main

import (
	"context"
	"fmt"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// What a row can be on.
const (
	sequences = "sequences"
	tickets   = "tickets"
	sqlite    = "sqlite"
	postgres  = "postgres"
)

// row is one line of the table: one kind of fault on one kind of service.
type row struct {
	name      string
	mode      string // sequences or tickets
	database  string // sqlite or postgres
	transport string // ws, or http
	replicas  int    // 1 where it is 0
	server    bool   // PostgreSQL is of the row's own
	clock     bool   // the services' clocks can be set wrong
	deaf      bool   // the stream of the node can lose transactions
	disk      int    // MiB of the small disk that the data is on; 0 for this machine's
	close     time.Duration
	clients   int
	requests  int           // at least
	limit     time.Duration // for clients and faults
	least     int           // faults that must have happened, so that the row shows anything
	short     bool          // part of --short
	fault     func(ctx context.Context, w *world) error
}

// weathers are the kinds of the ledger's bad weather, each strong enough to happen many times a row.
var weathers = []struct {
	spec, transport string
	short           bool
}{
	{"lose-before=15%", "ws", false},
	{"lose-after=15%", "ws", true},
	{"delay=20%:5ms-600ms", "ws", false},
	{"delay-answer=20%:5ms-600ms", "ws", false},
	{"drop=1%", "ws", false},
	{"reset=1%", "ws", false},
	{"half-open=4x@30", "ws", false},
	{"slow-down=10%", "ws", false},
	{"garbage=1%", "ws", false},
	{"lose-message=25%", "ws", false},
	{"gap=15%:3", "ws", false},
	{"miss=20%:2", "ws", true},
	{"miss=5%:forever", "ws", false},
	{"stall=15%:3", "ws", false},
	{"behind=12%:4", "ws", false},
	{"freeze=8%:300ms-1500ms", "ws", false},
	{"restart=6%:100ms-600ms", "ws", true},
	{"http-503=15%", "http", false},
	{"http-429=15%", "http", false},
	{"lose-after=15%,drop=3%,reset=3%,garbage=3%", "http", false},
	{"lose-before=3%,lose-after=3%,delay=10%:5ms-200ms,drop=0.2%,reset=0.2%,slow-down=2%,garbage=0.2%,lose-message=5%,gap=3%:2,miss=5%:2,stall=3%:2,behind=3%:3,freeze=1%:300ms-800ms,restart=0.5%:100ms-300ms", "ws", false},
}

// allRows are the rows of a run, the ones that take longest first. factor multiplies how much is asked and done.
func allRows(factor float64) []row {
	times := func(n int) int { return max(int(float64(n)*factor), 1) }
	var rows []row
	modes := []string{sequences, tickets}
	databases := []string{sqlite, postgres}

	for i, replicas := range []int{2, 3} {
		for _, f := range []struct {
			name  string
			times int
			away  func(context.Context, *world, *replica) error
		}{
			{"killed", 4, killed},
			{"stopped", 3, stopped},
			{"cut off", 3, cutOff},
			{"overtaken", 3, overtaken},
		} {
			rows = append(rows, row{
				name: fmt.Sprintf("%d replicas, holder %s", replicas, f.name), mode: modes[i], database: postgres, replicas: replicas,
				close: 300 * time.Millisecond, clients: 10, requests: times(120), limit: 3 * time.Minute, least: times(f.times),
				short: replicas == 2 && f.name == "killed", fault: takeovers(times(f.times), f.away),
			})
		}
	}
	for _, mode := range modes {
		for _, database := range databases {
			rows = append(rows, row{
				name: "kill", mode: mode, database: database, close: 250 * time.Millisecond, clients: 20, requests: times(700),
				limit: 3 * time.Minute, least: times(14), short: mode == sequences, fault: kills(times(14)),
			})
		}
	}
	for i, database := range databases {
		rows = append(rows, row{
			name: "kill during a batch", mode: modes[1-i], database: database, close: 250 * time.Millisecond, clients: 4, requests: times(40),
			limit: 3 * time.Minute, least: times(5), fault: batch(times(1000), times(5)),
		})
	}
	rows = append(rows,
		row{
			name: "kill in a storm", mode: sequences, database: sqlite, close: 300 * time.Millisecond, clients: 12, requests: times(120),
			limit: 3 * time.Minute, least: times(5), fault: storm(weathers[len(weathers)-1].spec, times(5)),
		},
	)
	for i, mode := range modes {
		rows = append(rows,
			row{
				name: "history gone", mode: mode, database: databases[i], close: 250 * time.Millisecond, clients: 12, requests: times(80),
				limit: 3 * time.Minute, least: times(3), fault: historyGone(times(3)),
			},
			row{
				name: "gap by another program", mode: mode, database: databases[1-i], close: 250 * time.Millisecond, clients: 8, requests: times(80),
				limit: 3 * time.Minute, least: times(3), fault: gaps(times(3)),
			},
		)
	}
	for _, mode := range modes {
		rows = append(rows,
			row{
				name: "database crashes", mode: mode, database: postgres, server: true, close: 300 * time.Millisecond, clients: 12, requests: times(150),
				limit: 3 * time.Minute, least: times(6), fault: crashes(times(6)),
			},
			row{
				name: "disk full", mode: mode, database: sqlite, disk: 24, close: 300 * time.Millisecond, clients: 10, requests: times(80),
				limit: 2 * time.Minute, least: 3, fault: fullDisk(3),
			},
			row{
				name: "database gone and back", mode: mode, database: postgres, close: 300 * time.Millisecond, clients: 10, requests: times(80),
				limit: 2 * time.Minute, least: 3, fault: goneDatabase(3),
			},
			row{
				name: "database connections cut", mode: mode, database: postgres, close: 300 * time.Millisecond, clients: 10, requests: times(80),
				limit: 2 * time.Minute, least: 12, fault: cutConnections(12),
			},
		)
	}
	rows = append(rows,
		row{
			name: "database file removed and back", mode: sequences, database: sqlite, close: 300 * time.Millisecond, clients: 10, requests: times(60),
			limit: 2 * time.Minute, least: 1, fault: removedFile(1),
		},
		row{
			name: "failover to a standby without the last transactions", mode: sequences, database: postgres, server: true,
			close: 300 * time.Millisecond, limit: 2 * time.Minute, least: 1, fault: failover(300),
		},
	)
	rows = append(rows, row{
		name: "disk full", mode: tickets, database: postgres, server: true, disk: 96, close: 300 * time.Millisecond, clients: 10, requests: times(80),
		limit: 2 * time.Minute, least: 2, fault: fullDisk(2),
	})
	rows = append(rows,
		row{
			name: "clock jumps", mode: sequences, database: sqlite, clock: true, close: 300 * time.Millisecond, clients: 10, requests: times(150),
			limit: 2 * time.Minute, least: times(20), fault: jumps(times(20)),
		},
		row{
			name: "2 replicas, clocks jump", mode: tickets, database: postgres, replicas: 2, clock: true, close: 300 * time.Millisecond, clients: 10,
			requests: times(150), limit: 2 * time.Minute, least: times(30), fault: jumps(times(30)),
		},
	)
	for i, database := range databases {
		rows = append(rows, row{
			name: "stream loses all transactions", mode: modes[i], database: database, deaf: true, close: 250 * time.Millisecond, clients: 8,
			requests: times(60), limit: 2 * time.Minute, least: times(20), fault: deaf,
		})
	}
	for i, kind := range weathers {
		name := kind.spec
		if i == len(weathers)-1 {
			name = "a storm of all of it"
		}
		rows = append(rows, row{
			name: name, mode: modes[i/2%2], database: databases[i%2], transport: kind.transport, close: time.Duration(200+50*(i%7)) * time.Millisecond,
			clients: 8, requests: times(60), limit: 2 * time.Minute, least: 3, short: kind.short, fault: weather(kind.spec),
		})
	}
	return rows
}

// shorten makes a row of --short: the same fault, less often.
func shorten(r row) row {
	switch {
	case r.name == "kill":
		r.requests, r.least, r.fault = 120, 4, kills(4)
	case r.replicas > 1:
		r.requests, r.least, r.fault = 40, 2, takeovers(2, killed)
	default:
		r.requests = 40
	}
	return r
}

// weather has the ledger's weather turn bad until enough was asked.
func weather(spec string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		if _, err := w.node.weather(ctx, spec, w.rng.Uint64()); err != nil {
			return err
		}
		return w.weathered(ctx, w.row.requests, w.row.least)
	}
}

// weathered waits until enough was asked and enough went wrong, and counts it.
func (w *world) weathered(ctx context.Context, requests, least int) error {
	seen := 0
	defer func() { w.did(seen) }()
	for ctx.Err() == nil {
		f, err := w.node.weather(ctx, "", 0)
		if err == nil {
			seen = 0
			for _, kind := range f.Faults {
				seen += kind.Done
			}
			if w.asked() >= requests && seen >= least {
				return nil
			}
		}
		programs.Sleep(ctx, 100*time.Millisecond)
	}
	return nil
}

// kills ends the service at random moments, and starts it again.
func kills(times int) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		r := w.replicas[0]
		for range times {
			// Also while it starts, and while it finishes what the one before had begun.
			wait := time.Duration(300+w.rng.IntN(1700)) * time.Millisecond
			if w.rng.IntN(4) == 0 {
				wait = time.Duration(20+w.rng.IntN(400)) * time.Millisecond
			}
			programs.Sleep(ctx, wait)
			if ctx.Err() != nil {
				return nil
			}
			r.kill()
			w.did(1)
			if w.rng.IntN(3) == 0 {
				programs.Sleep(ctx, time.Duration(w.rng.IntN(800))*time.Millisecond)
			}
			if err := r.start(); err != nil {
				return err
			}
		}
		return nil
	}
}

// storm is bad weather and kills at once.
func storm(spec string, times int) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		if _, err := w.node.weather(ctx, spec, w.rng.Uint64()); err != nil {
			return err
		}
		return kills(times)(ctx, w)
	}
}
