package lane

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// ask calls a method of the node.
func (w *world) ask(method string, params map[string]any, into any) {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{"method": method, "params": []any{params}})
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.Post(w.node.URL(), "application/json", strings.NewReader(string(body))) //nolint:noctx // a test's own server
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		w.t.Fatal(err)
	}
}

// tickets counts those that the issuer holds.
func (w *world) tickets() int {
	w.t.Helper()
	params := map[string]any{"account": w.issuer, "type": "ticket", "limit": 400, "ledger_index": "validated"}
	for count := 0; ; {
		var a struct {
			Result struct {
				Objects     []struct{ LedgerEntryType string } `json:"account_objects"`
				Marker      any                                `json:"marker"`
				LedgerIndex uint32                             `json:"ledger_index"`
			} `json:"result"`
		}
		w.ask("account_objects", params, &a)
		count += len(a.Result.Objects)
		if a.Result.Marker == nil {
			return count
		}
		params["marker"], params["ledger_index"] = a.Result.Marker, a.Result.LedgerIndex
	}
}

// results counts, by type and result, what the issuer's account has sent.
func (w *world) results() map[string]int {
	w.t.Helper()
	var a struct {
		Result struct {
			Transactions []struct {
				Meta struct{ TransactionResult string }
				Tx   struct {
					Account, TransactionType string
					TicketSequence           uint32
					Sequence                 uint32
				} `json:"tx_json"`
			} `json:"transactions"`
		} `json:"result"`
	}
	w.ask("account_tx", map[string]any{"account": w.issuer, "limit": 1000, "api_version": 2}, &a)
	counts := map[string]int{}
	for _, tx := range a.Result.Transactions {
		if tx.Tx.Account == string(w.issuer) {
			how := "sequence"
			if tx.Tx.TicketSequence != 0 && tx.Tx.Sequence == 0 {
				how = "ticket"
			}
			counts[fmt.Sprintf("%s %s by %s", tx.Tx.TransactionType, tx.Meta.TransactionResult, how)]++
		}
	}
	return counts
}

// Everything goes by tickets, which are kept in stock and never asked for in vain.
func TestTicketsAreRefilled(t *testing.T) {
	w := newWorld(t, sandbox.Config{}, 10_000)
	s := openStore(t, database(t, "sqlite"))
	r := w.run(s, s, "", patient(ledger.Tickets))
	w.keepPace(50*time.Millisecond, r.Lane)
	var ops []model.Operation
	for range 4 {
		ops = append(ops, w.create(s, 150)...)
	}
	w.wantIssued(wantFinal(t, s, ops, 5*time.Minute))
	eventually(t, "the stock is full again", func() bool {
		return r.Status().InFlight == 0 && 2*r.Status().Tickets > 250 && r.Status().Tickets == w.tickets()
	})
	counts := w.results()
	if counts["CredentialCreate tesSUCCESS by ticket"] != 600 || len(counts) != 2 || counts["TicketCreate tesSUCCESS by sequence"] < 3 {
		t.Errorf("the ledger holds %v", counts)
	}
	st := r.Stats()
	if st.FeeDrops == 0 || st.Succeeded < 603 || st.Validation.Count != 600 || st.ReserveLeft <= 0 || st.LedgerAge < 0 || !st.Working || !st.Up || st.Tickets == 0 {
		t.Errorf("stats %+v", st)
	}
}

// No more tickets are asked for than the account's balance can carry; and where it can carry none, sequences have to do,
// so that what takes no reserve goes on.
func TestTicketsAndTheReserve(t *testing.T) {
	for _, tt := range []struct {
		name    string
		drops   int64 // above the base reserve
		tickets int   // at most
		issued  int   // of 20
	}{
		{"for a few", 10 * 200_000, 10, 10},
		{"for one", 250_000, 1, 1},
		{"for none", 100_000, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, sandbox.Config{}, 10_000)
			poor, err := w.node.Fund(t.Context(), "", 1_000_000+tt.drops+5_000) // and something for fees
			if err != nil {
				t.Fatal(err)
			}
			w.close()
			w.seed, w.issuer = poor.Seed.Reveal(), model.Address(poor.Address)
			s := openStore(t, database(t, "sqlite"))
			r := w.run(s, s, "", patient(ledger.Tickets))
			w.keepPace(50*time.Millisecond, r.Lane)
			most := 0
			if tt.tickets > 0 {
				eventually(t, "there are tickets", func() bool { return w.tickets() > 0 })
				most = w.tickets()
			}
			ops := wantFinal(t, s, w.create(s, 20), 60*time.Second)
			counts := map[model.State]int{}
			for _, op := range ops {
				counts[op.State]++
				if op.State == model.StateFailed && op.Failure.Code != model.CodeInsufficientReserve {
					t.Errorf("%s: %+v", op.ID, op.Failure)
				}
			}
			if counts[model.StateSucceeded] != tt.issued || counts[model.StateFailed] != 20-tt.issued {
				t.Errorf("%v, want %d issued and the others failed", counts, tt.issued)
			}
			if most > tt.tickets {
				t.Errorf("the account holds %d tickets, and can carry %d", most, tt.tickets)
			}
			for what, n := range w.results() {
				if strings.HasPrefix(what, "TicketCreate tec") {
					t.Errorf("%d times %s", n, what)
				}
			}
			if got := len(w.onLedger()); got != tt.issued {
				t.Errorf("%d credentials on the ledger", got)
			}
		})
	}
}

// A transaction that no ledger takes until it expires holds up nobody in tickets mode; in the other mode those behind it
// are held up, and all happen in the end.
func TestStuck(t *testing.T) {
	each(t, func(t *testing.T, db string, mode ledger.Mode) {
		w := newWorld(t, sandbox.Config{Weather: &sandbox.Weather{}}, 10_000)
		s := openStore(t, database(t, db))
		w.stocked(s, mode)
		w.run(s, s, "", func(c *ledger.LaneConfig) { c.Mode, c.LedgerOffset = mode, 8 })
		if err := w.node.Trigger(sandbox.Miss, sandbox.Rule{ForGood: true, Skip: 2}); err != nil {
			t.Fatal(err)
		}
		ops := w.create(s, 20)
		eventually(t, "all are sent", func() bool { return w.open() == 20 })
		for range 3 {
			w.close()
		}
		held := func() int {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for {
				open, err := s.InFlight(ctx, w.issuer)
				if err != nil {
					t.Fatal(err)
				}
				want := 18
				if mode == ledger.Tickets {
					want = 1
				}
				if len(open) == want || ctx.Err() != nil {
					return len(open)
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		switch {
		case mode == ledger.Tickets && held != 1:
			t.Errorf("%d operations are held up", held)
		case mode == ledger.Sequences && held != 18:
			t.Errorf("%d operations are held up, and the third one's sequence is needed by those behind it", held)
		}
		w.keepClosing(50 * time.Millisecond)
		w.wantIssued(wantFinal(t, s, ops, 60*time.Second))
	})
}

// A lane goes on with what was begun in the other mode.
func TestModeChanges(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			w := newWorld(t, sandbox.Config{}, 10_000)
			s := openStore(t, database(t, db))
			var ops []model.Operation
			for _, mode := range []ledger.Mode{ledger.Tickets, ledger.Sequences, ledger.Tickets, ledger.Sequences} {
				w.stocked(s, mode)
				ops = append(ops, w.create(s, 20)...)
				crashInSign(t, w, s, mode)
				other := ledger.Tickets
				if mode == other {
					other = ledger.Sequences
				}
				r := w.run(s, s, "", withMode(other))
				ops = append(ops, w.create(s, 20)...)
				for open := 1; open > 0; {
					w.close()
					in, err := s.Open(t.Context(), w.issuer)
					if err != nil {
						t.Fatal(err)
					}
					open = len(in)
					time.Sleep(20 * time.Millisecond)
				}
				if err := r.stop(); err != nil {
					t.Fatal(err)
				}
			}
			w.wantIssued(wantFinal(t, s, ops, 30*time.Second))
		})
	}
}

// Without a journal, tickets work too.
func TestTicketsWithoutJournal(t *testing.T) {
	w := newWorld(t, sandbox.Config{}, 10_000)
	lane, client := w.lane(nil, "", patient(ledger.Tickets))
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- lane.Run(ctx) }()
	w.keepPace(50*time.Millisecond, lane)
	errs := make(chan error)
	const n = 400
	for range n {
		op := w.operation()
		go func() {
			_, err := lane.Submit(t.Context(), op.Transaction())
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if all := w.onLedger(); len(all) != n {
		t.Errorf("%d credentials on the ledger", len(all))
	}
	if counts := w.results(); counts["CredentialCreate tesSUCCESS by ticket"] != n {
		t.Errorf("the ledger holds %v", counts)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
