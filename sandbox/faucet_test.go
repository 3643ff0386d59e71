package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// The faucet's answers are those that the public clients expect.
func TestFaucet(t *testing.T) {
	w := newTown(t)
	ask := func(body string) (int, map[string]any) {
		t.Helper()
		status, reply := post(t, w.client, w.URL()+"/accounts", strings.NewReader(body), "Content-Type", "application/json")
		o, ok := decode(t, []byte(reply)).(map[string]any)
		if !ok {
			t.Fatalf("%s: %s", body, reply)
		}
		return status, o
	}
	status, made := ask("")
	seed, kt, err := codec.SeedFromString(strings.Trim(text(made, "seed"), `"`))
	if status != 200 || err != nil {
		t.Fatal(status, made, err)
	}
	pub, _ := codec.DeriveKeypair(seed, kt)
	address := `"` + codec.AccountIDFromPublicKey(pub).String() + `"`
	if text(made, "account", "classicAddress") != address || text(made, "account", "address") != address || text(made, "amount") != "1000" ||
		text(made, "balance") != "1000" || text(made, "account", "secret") != text(made, "seed") {
		t.Error(made)
	}
	if _, known := w.node.Lookup(hashOf(t, strings.Trim(text(made, "transactionHash"), `"`))); known == nil {
		t.Error("the transaction is not on the ledger")
	}

	subject := w.subject.id.String()
	before := balance(w.Server, w.subject.id)
	status, paid := ask(`{"destination":"` + subject + `","xrpAmount":"2.5","usageContext":"x","userAgent":"xrpl.js"}`)
	if status != 200 || text(paid, "amount") != "2.5" || text(paid, "seed") != "" || text(paid, "account", "address") != `"`+subject+`"` {
		t.Error(status, paid)
	}
	if got := balance(w.Server, w.subject.id) - before; got != 2_500_000 {
		t.Errorf("paid %d drops", got)
	}

	for _, c := range []struct {
		body   string
		status int
	}{
		{`[]`, 400}, {`{`, 400}, {`{"destination":5}`, 400}, {`{"destination":"junk"}`, 400}, {`{"destination":"` + subject + `x"}`, 400},
		{`{"xrpAmount":0}`, 400}, {`{"xrpAmount":-1}`, 400}, {`{"xrpAmount":"1e3"}`, 400}, {`{"xrpAmount":1000001}`, 400},
		{`{"xrpAmount":"0.0000001"}`, 400}, {`{"xrpAmount":true}`, 400}, {`{"xrpAmount":"99999999999999999999999"}`, 400},
		{`{"destination":"` + strings.Repeat("r", faucetBody) + `"}`, 413},
	} {
		if status, o := ask(c.body); status != c.status || text(o, "error") == "" {
			t.Errorf("%.100s: %d %v", c.body, status, o)
		}
	}
}

// A count funds so many new accounts in one ledger, and answers with all of them.
func TestFaucetCount(t *testing.T) {
	ticks := make(chan time.Time)
	s := startServer(t, Config{Ticks: ticks})
	w := &town{Server: s, client: &http.Client{Timeout: 20 * time.Second}}
	type reply struct {
		status int
		text   string
	}
	replies := make(chan reply, 1)
	go func() {
		status, text := post(t, w.client, s.URL()+"/accounts", strings.NewReader(`{"count":100,"xrpAmount":"20"}`), "Content-Type", "application/json")
		replies <- reply{status, text}
	}()
	genesis := func() *codec.Object { return s.node.Current().Entry(engine.AccountKey(engine.GenesisAccount)) }
	for genesis().Uint(codec.SfSequence) < 101 { // until all payments are in the open ledger
		runtime.Gosched()
	}
	ticks <- time.Time{}
	r := <-replies
	o, _ := decode(t, []byte(r.text)).(map[string]any)
	list, _ := o["accounts"].([]any)
	if r.status != 200 || len(list) != FaucetMaxCount {
		t.Fatal(r.status, r.text)
	}
	l, seen := s.node.Closed(), map[string]bool{}
	if l.Seq != 3 || l.TxCount() != FaucetMaxCount {
		t.Errorf("ledger %d has %d transactions", l.Seq, l.TxCount())
	}
	for _, e := range list {
		address := strings.Trim(text(e.(map[string]any), "account", "classicAddress"), `"`)
		id, ok := codec.ParseAccountID(address)
		root := l.Entry(engine.AccountKey(id))
		if !ok || seen[address] || root == nil || root.Drops(codec.SfBalance) != 20_000_000 || text(e.(map[string]any), "seed") == "" {
			t.Errorf("%v", e)
		}
		seen[address] = true
	}
}

func TestFaucetCountRefusals(t *testing.T) {
	w := newTown(t)
	for _, body := range []string{`{"count":0}`, `{"count":101}`, `{"count":-1}`, `{"count":"5"}`, `{"count":2.5}`, `{"count":true}`,
		`{"count":2,"destination":"` + w.subject.id.String() + `"}`} {
		status, reply := post(t, w.client, w.URL()+"/accounts", strings.NewReader(body), "Content-Type", "application/json")
		if status != 400 || !strings.Contains(reply, "count") {
			t.Errorf("%s: %d %s", body, status, reply)
		}
	}
	status, reply := post(t, w.client, w.URL()+"/accounts", strings.NewReader(`{"count":1}`), "Content-Type", "application/json")
	if o, _ := decode(t, []byte(reply)).(map[string]any); status != 200 || len(o["accounts"].([]any)) != 1 {
		t.Error(status, reply)
	}
	if _, err := w.FundNew(context.Background(), 0, 1); !errors.Is(err, errFaucetCount) {
		t.Error(err)
	}
}

func hashOf(t *testing.T, s string) codec.Hash256 {
	t.Helper()
	h, ok := codec.ParseHash256(s)
	if !ok {
		t.Fatal(s)
	}
	return h
}

func balance(s *Server, id codec.AccountID) int64 {
	root := s.node.Current().Entry(engine.AccountKey(id))
	if root == nil {
		return 0
	}
	return root.Drops(codec.SfBalance)
}

// Many at once all get theirs.
func TestFaucetMany(t *testing.T) {
	ticks := make(chan time.Time)
	s := startServer(t, Config{Ticks: ticks})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	const n = 50
	accounts := make([]Account, n)
	for i := range n {
		wg.Go(func() {
			var err error
			if accounts[i], err = s.Fund(ctx, "", 10_000_000); err != nil {
				t.Error(err)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	for {
		select {
		case ticks <- time.Time{}:
			continue
		case <-done:
		}
		break
	}
	for _, a := range accounts {
		id, ok := codec.ParseAccountID(a.Address)
		if root := s.node.Closed().Entry(engine.AccountKey(id)); !ok || root == nil || root.Drops(codec.SfBalance) != 10_000_000 {
			t.Errorf("%s is not funded in a validated ledger", a.Address)
		}
	}
}

// Fund returns when the caller goes, or the server ends; and its seed does not print.
func TestFundEnds(t *testing.T) {
	s := startServer(t, Config{Ticks: make(chan time.Time)}) // which never come
	k := dial(t, s)
	k.ask(`{"command":"subscribe","streams":["transactions_proposed"]}`)
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	for range 2 {
		go func() {
			_, err := s.Fund(ctx, "", 10_000_000)
			result <- err
		}()
	}
	for range 2 {
		k.read() // both are in the open ledger
	}
	cancel()
	for range 2 {
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	go func() {
		_, err := s.Fund(context.Background(), "", 10_000_000)
		result <- err
	}()
	k.read()
	_ = k.ws.CloseNow() // the server would wait for it to say goodbye
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-result; err == nil || !strings.Contains(err.Error(), "the server ends") {
		t.Error(err)
	}
	a := Account{Address: "r", Seed: Seed{"sEdSecret"}}
	if printed := fmt.Sprintf("%v %+v %#v %s %q", a, a, a, a.Seed, a.Seed); strings.Contains(printed, "Secret") {
		t.Error(printed)
	}
	if _, err := s.Fund(context.Background(), "", 0); !errors.Is(err, errFaucetAmount) {
		t.Error(err)
	}
}
