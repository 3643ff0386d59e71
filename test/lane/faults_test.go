package lane

import (
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// storm is most of what a node and the way to it can do.
const storm = "lose-before=2%,lose-after=2%,drop=1%,reset=0.5%,garbage=1%,slow-down=1%,delay=1ms-20ms:5%,delay-answer=1ms-20ms:5%," +
	"lose-message=3%,gap=2%:2,miss=2%:2,behind=2%:2,stall=2%"

// However the node and the way to it behave, what the journal says of each operation is what the ledger holds.
func TestStorm(t *testing.T) {
	const n = 250
	each(t, func(t *testing.T, db string, mode ledger.Mode) {
		weather, err := sandbox.ParseWeather(storm)
		if err != nil {
			t.Fatal(err)
		}
		weather.Seed = faultSeed(t)
		w := newWorld(t, sandbox.Config{LedgerCapacity: 60, Weather: &sandbox.Weather{}}, 10_000)
		s := openStore(t, database(t, db))
		if err := w.node.SetWeather(weather); err != nil {
			t.Fatal(err)
		}
		r := w.run(s, s, "", func(c *ledger.LaneConfig) { c.Mode, c.LedgerOffset, c.Signings = mode, 12, 4 })
		w.keepClosing(60 * time.Millisecond)
		var ops []model.Operation
		for range 5 {
			ops = append(ops, w.create(s, n/5)...)
			if err := w.node.Trigger(sandbox.Restart, sandbox.Rule{Min: 20 * time.Millisecond}); err != nil {
				t.Log(err)
			}
		}
		counts := map[model.State]int{}
		ops = wantFinal(t, s, ops, 120*time.Second)
		if err := w.node.SetWeather(sandbox.Weather{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "nothing is in flight", func() bool { return r.Status().InFlight == 0 })
		all := w.onLedger()
		issued := 0
		for _, op := range ops {
			counts[op.State]++
			if (op.State == model.StateSucceeded) != (all[op.Type] != "") {
				t.Errorf("operation %s is %s, and its credential on the ledger: %t", op.ID, op.State, all[op.Type] != "")
			}
			if op.State == model.StateSucceeded {
				issued++
			}
		}
		if len(all) != issued {
			t.Errorf("%d credentials on the ledger, and %d operations have succeeded", len(all), issued)
		}
		if issued < n/2 {
			t.Errorf("only %d of %d were issued", issued, n)
		}
		t.Log(counts, r.Stats())
	})
}

// Several lanes that are started and ended as the wind blows, in the storm.
func TestStormWithReplicas(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			weather, err := sandbox.ParseWeather(storm)
			if err != nil {
				t.Fatal(err)
			}
			weather.Seed = faultSeed(t)
			w := newWorld(t, sandbox.Config{Weather: &weather}, 10_000)
			cfg := database(t, "postgres")
			front := openStore(t, cfg)
			w.keepClosing(60 * time.Millisecond)
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					for range 5 {
						s := openStore(t, cfg)
						r := w.run(s, s, "", withMode(mode))
						time.Sleep(700 * time.Millisecond)
						_ = s.Close() // cut off
						time.Sleep(300 * time.Millisecond)
						_ = r.stop()
					}
				})
			}
			var ops []model.Operation
			for range 10 {
				ops = append(ops, w.create(front, 15)...)
				time.Sleep(300 * time.Millisecond)
			}
			wg.Wait()
			s := openStore(t, cfg)
			w.run(s, s, "", withMode(mode))
			ops = wantFinal(t, front, ops, 60*time.Second)
			if err := w.node.SetWeather(sandbox.Weather{}); err != nil {
				t.Fatal(err)
			}
			w.wantIssued(ops)
		})
	}
}
