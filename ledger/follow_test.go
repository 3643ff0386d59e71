package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// village is an embedded ledger with an issuer, two subjects and somebody who has nothing to do with them. Its ledgers close
// when the test says so, and its clock stands still.
type village struct {
	*sandbox.Server
	t                           testing.TB
	direct                      *Client
	clock                       *fakeClock
	issuer, alice, bob, another sandbox.Account
}

func newVillage(t testing.TB, change func(*sandbox.Config)) *village {
	t.Helper()
	v := &village{t: t, clock: newFakeClock()}
	cfg := sandbox.Config{Now: v.clock.Now}
	if change != nil {
		change(&cfg)
	}
	v.Server = startSandbox(t, cfg)
	v.direct = newClient(t, v.URL(), nil)
	for _, a := range []*sandbox.Account{&v.issuer, &v.alice, &v.bob, &v.another} {
		made, err := v.Fund(t.Context(), "", 10_000_000_000)
		if err != nil {
			t.Fatal(err)
		}
		*a = made
	}
	accept(t, v.Server)
	return v
}

// submit puts a transaction into the open ledger; fields are beside its type and account.
func (v *village) submit(by sandbox.Account, kind, fields string) {
	v.t.Helper()
	raw, err := v.direct.callOnce(v.t.Context(), "submit", json.RawMessage(fmt.Sprintf(
		`{"api_version":2,"secret":%q,"tx_json":{"TransactionType":%q,"Account":%q%s}}`, by.Seed.Reveal(), kind, by.Address, fields)))
	if err != nil || !strings.Contains(string(raw), `"tesSUCCESS"`) {
		v.t.Fatalf("%s: %s, %v", kind, raw, err)
	}
}

func (v *village) create(subject sandbox.Account, t model.CredentialType, more string) {
	v.t.Helper()
	v.submit(v.issuer, "CredentialCreate", fmt.Sprintf(`,"Subject":%q,"CredentialType":%q%s`, subject.Address, t.Hex(), more))
}

func (v *village) accept(subject sandbox.Account, t model.CredentialType) {
	v.t.Helper()
	v.submit(subject, "CredentialAccept", fmt.Sprintf(`,"Issuer":%q,"CredentialType":%q`, v.issuer.Address, t.Hex()))
}

func (v *village) delete(by, subject sandbox.Account, t model.CredentialType) {
	v.t.Helper()
	v.submit(by, "CredentialDelete", fmt.Sprintf(`,"Issuer":%q,"Subject":%q,"CredentialType":%q`, v.issuer.Address, subject.Address, t.Hex()))
}

func (v *village) close() uint32 { v.t.Helper(); return accept(v.t, v.Server) }

// follow is a Follow of the village's issuer, and what it has told.
type follow struct {
	t    testing.TB
	stop func() error

	mu    sync.Mutex
	told  []model.MirrorProgress
	ended bool
	err   error
	moved chan struct{}
	// hold keeps changes that are told of from being taken until it is closed; nil does not.
	hold chan struct{}
}

func startFollow(t testing.TB, c *Client, issuer sandbox.Account, after uint32) *follow {
	t.Helper()
	f := &follow{t: t, moved: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := c.Follow(ctx, model.Address(issuer.Address), after, func(ctx context.Context, p model.MirrorProgress) error {
			f.mu.Lock()
			hold := f.hold
			f.told = append(f.told, p)
			f.mu.Unlock()
			f.signal()
			if hold != nil && len(p.Changes) > 0 { // a ledger may be told of before what happened in it
				select {
				case <-hold:
				case <-ctx.Done():
				}
			}
			return nil
		})
		f.mu.Lock()
		f.ended, f.err = true, err
		f.mu.Unlock()
		f.signal()
	}()
	f.stop = sync.OnceValue(func() error {
		cancel()
		<-done
		return f.err
	})
	t.Cleanup(func() { _ = f.stop() })
	return f
}

func (f *follow) signal() {
	select {
	case f.moved <- struct{}{}:
	default:
	}
}

// await waits until holds is true of all that was told.
func (f *follow) await(what string, holds func([]model.MirrorProgress) bool) {
	f.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		f.mu.Lock()
		ended, err := f.ended, f.err
		told := slices.Clone(f.told)
		f.mu.Unlock()
		switch {
		case holds(told):
			return
		case ended:
			f.t.Fatalf("ended with %v before %s: %+v", err, what, told)
		}
		select {
		case <-f.moved:
		case <-limit:
			f.t.Fatalf("it never came to %s: %+v", what, told)
		}
	}
}

func (f *follow) complete(ledger uint32) {
	f.t.Helper()
	f.await(fmt.Sprintf("ledger %d complete", ledger), func(all []model.MirrorProgress) bool {
		return len(all) > 0 && all[len(all)-1].Complete >= ledger
	})
}

// fails waits until the Follow ends by itself.
func (f *follow) fails(code model.Code) {
	f.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		f.mu.Lock()
		ended, err := f.ended, f.err
		f.mu.Unlock()
		if ended {
			if model.CodeOf(err) != code {
				f.t.Fatalf("ended with %v, want %s", err, code)
			}
			return
		}
		select {
		case <-f.moved:
		case <-limit:
			f.t.Fatalf("it goes on: %+v", f.told)
		}
	}
}

// changes are those that were told of, each once, in the order of the ledger, as "kind type by@ledger".
func (f *follow) changes() []model.CredentialChange {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []model.CredentialChange
	seen := map[string]bool{}
	for _, p := range f.told {
		for _, c := range p.Changes {
			if key := fmt.Sprint(c.Hash, c.Credential.Index); !seen[key] {
				seen[key] = true
				all = append(all, c)
			}
		}
	}
	return all
}

func (f *follow) kinds() []string {
	var out []string
	for _, c := range f.changes() {
		out = append(out, fmt.Sprintf("%s %s", c.Kind, c.Credential.Type))
	}
	return out
}

func (f *follow) awaitKinds(want ...string) {
	f.t.Helper()
	f.await(fmt.Sprint(want), func([]model.MirrorProgress) bool { return true }) // has not ended
	limit := time.After(20 * time.Second)
	for !slices.Equal(f.kinds(), want) {
		select {
		case <-f.moved:
		case <-limit:
			f.t.Fatalf("told of %q, want %q", f.kinds(), want)
		}
	}
}

// overBoth runs a test over WebSocket and over HTTP.
func overBoth(t *testing.T, test func(t *testing.T, v *village, url string)) {
	t.Helper()
	for _, scheme := range []string{"ws", "http"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			v := newVillage(t, nil)
			url := v.WebSocketURL()
			if scheme == "http" {
				url = v.URL()
			}
			test(t, v, url)
		})
	}
}

// Whoever does it: it is told of in the close in which it happens, with who did it.
func TestFollowTellsOfEachChange(t *testing.T) {
	overBoth(t, func(t *testing.T, v *village, url string) {
		f := startFollow(t, newClient(t, url, nil), v.issuer, 1)
		f.complete(3) // the accounts are there
		var want []string
		now := func(kind model.ChangeKind, typ model.CredentialType, by sandbox.Account, accepted bool) {
			t.Helper()
			ledger := v.close()
			want = append(want, fmt.Sprintf("%s %s", kind, typ))
			f.awaitKinds(want...) // no other ledger is needed for it
			all := f.changes()
			c := all[len(all)-1]
			if c.Ledger != ledger || c.By != model.Address(by.Address) || c.Credential.Accepted != accepted || hash256(c.Hash, "hash") != nil || c.CloseTime == 0 ||
				c.Credential.Issuer != model.Address(v.issuer.Address) {
				t.Errorf("%s %s in ledger %d: told of %+v", kind, typ, ledger, c)
			}
		}
		v.create(v.alice, "A", `,"URI":"6162"`)
		now(model.ChangeCreated, "A", v.issuer, false)
		if c := f.changes()[0].Credential; c.URI != "ab" || c.Subject != model.Address(v.alice.Address) || c.HasExpiration() || hash256(c.Index, "index") != nil {
			t.Errorf("told of %+v", c)
		}
		v.accept(v.alice, "A")
		now(model.ChangeAccepted, "A", v.alice, true)
		v.delete(v.alice, v.alice, "A")
		now(model.ChangeDeleted, "A", v.alice, true)
		v.create(v.alice, "B", "")
		now(model.ChangeCreated, "B", v.issuer, false)
		v.delete(v.issuer, v.alice, "B")
		now(model.ChangeDeleted, "B", v.issuer, false)

		last, err := v.direct.Ledger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		v.create(v.alice, "C", fmt.Sprintf(`,"Expiration":%d`, last.CloseTime+60))
		now(model.ChangeCreated, "C", v.issuer, false)
		if c := f.changes()[5].Credential; c.Expiration != last.CloseTime+60 {
			t.Errorf("told of %+v", c)
		}
		v.clock.advance(10 * time.Minute)
		v.close()
		v.delete(v.another, v.alice, "C")
		now(model.ChangeDeleted, "C", v.another, false)

		v.create(v.issuer, "D", "") // to itself
		now(model.ChangeCreated, "D", v.issuer, true)
		v.delete(v.issuer, v.issuer, "D")
		now(model.ChangeDeleted, "D", v.issuer, true)

		v.create(v.bob, "E", "")
		now(model.ChangeCreated, "E", v.issuer, false)
		v.accept(v.bob, "E")
		now(model.ChangeAccepted, "E", v.bob, true)
		v.create(v.bob, "F", "")
		now(model.ChangeCreated, "F", v.issuer, false)
		for range 256 { // before that an account cannot be deleted
			v.close()
		}
		v.submit(v.bob, "AccountDelete", fmt.Sprintf(`,"Destination":%q,"Fee":"200000"`, v.another.Address))
		v.close()
		f.await("both gone with their subject", func([]model.MirrorProgress) bool { return len(f.changes()) == len(want)+2 })
		gone := f.kinds()[len(want):]
		slices.Sort(gone)
		if !slices.Equal(gone, []string{"deleted E", "deleted F"}) {
			t.Errorf("told of %q", gone)
		}
		for _, c := range f.changes()[len(want):] {
			if c.By != model.Address(v.bob.Address) {
				t.Errorf("told of %+v", c)
			}
		}
	})
}

// Credentials of others, and whatever else touches a credential or does nothing, are not told of.
func TestFollowTellsOfNothingElse(t *testing.T) {
	overBoth(t, func(t *testing.T, v *village, url string) {
		f := startFollow(t, newClient(t, url, nil), v.issuer, 1)
		v.submit(v.alice, "CredentialCreate", fmt.Sprintf(`,"Subject":%q,"CredentialType":"41"`, v.issuer.Address))
		v.submit(v.another, "CredentialCreate", fmt.Sprintf(`,"Subject":%q,"CredentialType":"41"`, v.bob.Address))
		v.submit(v.issuer, "AccountSet", "")
		v.close()
		v.submit(v.issuer, "CredentialAccept", fmt.Sprintf(`,"Issuer":%q,"CredentialType":"41"`, v.alice.Address))
		v.create(v.alice, "A", "")
		v.close()
		f.awaitKinds("created A")
		v.create(v.bob, "B", "") // its neighbour in the issuer's directory
		v.close()
		v.delete(v.issuer, v.alice, "A")
		last := v.close()
		v.close()
		f.complete(last)
		f.awaitKinds("created A", "created B", "deleted A")
	})
}

func TestFollowFullLedger(t *testing.T) {
	overBoth(t, func(t *testing.T, v *village, url string) {
		f := startFollow(t, newClient(t, url, nil), v.issuer, 1)
		f.complete(3)
		const n = 1000
		for i := range n {
			v.create(v.alice, model.CredentialType(fmt.Sprintf("T%d", i)), "")
		}
		ledger := v.close()
		f.await("all of them", func([]model.MirrorProgress) bool { return len(f.changes()) == n })
		for i, c := range f.changes() {
			if c.Ledger != ledger || c.TransactionIndex != uint32(i) {
				t.Fatalf("number %d is %+v", i, c)
			}
		}
		v.close()
		f.complete(ledger)
	})
}

// What happened while the line was down, or what is behind where it begins, is read from the history; also in windows.
func TestFollowFillsGaps(t *testing.T) {
	v := newVillage(t, nil)
	p := newProxy(t, v.WebSocketURL())
	v.create(v.alice, "Before", "")
	v.close()
	f := startFollow(t, newClient(t, p.ws(), nil), v.issuer, 1)
	f.awaitKinds("created Before")

	// The line is cut, and mended only after the next ledgers.
	mended := make(chan struct{})
	mend := sync.OnceFunc(func() { close(mended) })
	t.Cleanup(mend) // before the proxy's end, which waits for who is held
	p.filter(func(b []byte) []byte { <-mended; return b }, nil)
	p.cut()
	v.create(v.alice, "Cut", "")
	v.close()
	v.accept(v.alice, "Cut")
	for range historyWindow + 10 {
		v.close()
	}
	v.delete(v.alice, v.alice, "Cut")
	last := v.close()
	mend()
	f.complete(last)
	f.awaitKinds("created Before", "created Cut", "accepted Cut", "deleted Cut")
	f.mu.Lock()
	n := len(f.told)
	f.mu.Unlock()
	if n < 3 {
		t.Errorf("a long history was told of at once: %d pieces", n)
	}

	// The stream leaves a ledger out.
	p.filter(nil, func(b []byte) []byte {
		if bytes.Contains(b, []byte(`"ledgerClosed"`)) || isTransaction(b) {
			return nil
		}
		return b
	})
	v.create(v.bob, "Hole", "")
	v.close()
	if _, err := newClient(t, p.ws(), nil).Ledger(t.Context()); err != nil { // behind what was left out
		t.Fatal(err)
	}
	p.filter(nil, nil)
	v.close()
	f.await("the hole filled", func([]model.MirrorProgress) bool { return slices.Contains(f.kinds(), "created Hole") })

	// The history is garbage: nothing of it can be believed.
	p.filter(nil, func(b []byte) []byte {
		return bytes.ReplaceAll(b, []byte(`"CredentialType":"`), []byte(`"CredentialType":"Z`))
	})
	v.create(v.bob, "Worse", "")
	v.close()
	f.fails(model.CodeHistoryMissing)
}

// Lost `transaction` messages lose no change, whichever they are, and a ledger is complete only with all of its changes.
func TestFollowLostTransactionMessages(t *testing.T) {
	t.Parallel()
	v := newVillage(t, nil)
	p := newProxy(t, v.WebSocketURL())
	lost := map[string]func(n int) bool{
		"all":          func(int) bool { return true },
		"every second": func(n int) bool { return n%2 == 0 },
		"the first":    func(n int) bool { return n == 1 },
	}
	f := startFollow(t, newClient(t, p.ws(), nil), v.issuer, 1)
	f.complete(3)
	var want []string
	for name, drop := range lost {
		var n atomic.Int64
		p.filter(nil, func(b []byte) []byte {
			if isTransaction(b) && drop(int(n.Add(1))) {
				return nil
			}
			return b
		})
		typ := model.CredentialType(strings.ReplaceAll(name, " ", "-"))
		v.create(v.alice, typ, "")
		v.create(v.bob, typ, "")
		v.close()
		v.accept(v.alice, typ)
		v.close()
		v.delete(v.bob, v.bob, typ)
		last := v.close()
		for _, kind := range []string{"created", "created", "accepted", "deleted"} {
			want = append(want, kind+" "+string(typ))
		}
		f.complete(last) // no later ledger is needed
		if got := f.kinds(); !slices.Equal(got, want) {
			t.Fatalf("lost messages: %s: reported %q, want %q", name, got, want)
		}
	}
}

// A node that keeps contradicting itself about one transaction ends a Follow; one that does so twice does not.
func TestFollowUnusableHistory(t *testing.T) {
	t.Parallel()
	v := newVillage(t, nil)
	p := newProxy(t, v.WebSocketURL())
	var answers, most atomic.Int64
	p.filter(nil, func(b []byte) []byte {
		if bytes.Contains(b, []byte(`"transactions":[{`)) && answers.Add(1) <= most.Load() {
			return bytes.ReplaceAll(b, []byte(`"validated":true`), []byte(`"validated":false`))
		}
		return b
	})
	most.Store(mostUnusable - 1)
	c := newClient(t, p.ws(), func(cfg *Config) { cfg.PollInterval, cfg.MaxBackoff = time.Millisecond, time.Millisecond })
	v.create(v.alice, "One", "")
	one := v.close()
	f := startFollow(t, c, v.issuer, one-1)
	f.awaitKinds("created One")
	f.complete(one)

	answers.Store(0)
	most.Store(1 << 30)
	v.create(v.alice, "Two", "")
	two := v.close()
	f.fails(model.CodeHistoryMissing)
	if n := answers.Load(); n != mostUnusable {
		t.Errorf("it ended after %d answers", n)
	}
	for _, told := range f.told {
		if told.Complete >= two {
			t.Errorf("ledger %d was called complete", told.Complete)
		}
	}
}

// Whoever takes in what is told slowly loses nothing.
func TestFollowSlowReader(t *testing.T) {
	v := newVillage(t, nil)
	c := newClient(t, v.WebSocketURL(), nil)
	f := startFollow(t, c, v.issuer, 1)
	f.complete(3)
	f.mu.Lock()
	hold := make(chan struct{})
	f.hold = hold
	f.mu.Unlock()
	v.create(v.alice, "First", "")
	v.close()
	f.awaitKinds("created First") // and it is held
	v.create(v.alice, "Second", "")
	last := v.close()
	v.close()
	f.mu.Lock()
	f.hold = nil
	f.mu.Unlock()
	close(hold)
	f.complete(last)
	f.awaitKinds("created First", "created Second")
}

// A node that was started again: what it did meanwhile is told of, and one that is behind is waited for.
func TestFollowNodeRestarts(t *testing.T) {
	dir, early := t.TempDir(), t.TempDir()
	v := newVillage(t, func(c *sandbox.Config) { c.DataDir = dir })
	p := newProxy(t, v.WebSocketURL())
	f := startFollow(t, newClient(t, p.ws(), nil), v.issuer, 1)
	v.create(v.alice, "One", "")
	at := v.close()
	f.awaitKinds("created One")
	restart := func(dir string) {
		t.Helper()
		v.Server = startSandbox(t, sandbox.Config{Now: v.clock.Now, DataDir: dir})
		v.direct = newClient(t, v.URL(), nil)
	}
	move := func() {
		p.mu.Lock()
		p.node = v.WebSocketURL()
		p.mu.Unlock()
		p.cut()
	}
	if err := v.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(early, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	restart(dir)
	v.create(v.alice, "Two", "")
	v.close()
	v.accept(v.alice, "Two")
	v.close()
	v.close()
	last := v.close()
	move()
	f.complete(last)
	f.awaitKinds("created One", "created Two", "accepted Two")

	// Another node, which has not come so far.
	restart(early)
	move()
	for shown := at; shown < last; {
		shown = v.close()
	}
	v.create(v.bob, "Three", "")
	last = v.close()
	f.awaitKinds("created One", "created Two", "accepted Two", "created Three")
	v.close()
	f.complete(last)
	_ = f.stop()
	complete := uint32(0)
	for _, p := range f.told {
		if p.Complete < complete {
			t.Errorf("it went back from ledger %d to %d", complete, p.Complete)
		}
		complete = p.Complete
	}
}

// Only a node that has forgotten has no history; one whose search lags is asked again.
func TestFollowHistoryRange(t *testing.T) {
	v := newVillage(t, nil)
	p := newProxy(t, v.WebSocketURL())
	held := func(first, last uint32) {
		p.filter(func(b []byte) []byte {
			var asked struct {
				ID      int
				Command string
				Min     int64 `json:"ledger_index_min"`
				Max     int64 `json:"ledger_index_max"`
			}
			if json.Unmarshal(b, &asked) != nil || asked.Command != "account_tx" {
				return b
			}
			switch {
			case asked.Min == -1:
				p.answer(fmt.Sprintf(`{"id":%d,"status":"success","type":"response","result":{"account":%q,"ledger_index_min":%d,"ledger_index_max":%d,"transactions":[]}}`,
					asked.ID, v.issuer.Address, first, last))
			case asked.Min < int64(first) || asked.Max > int64(last):
				p.answer(fmt.Sprintf(`{"id":%d,"status":"error","type":"response","error":"lgrIdxMalformed","error_code":58,"error_message":"Ledger index malformed."}`, asked.ID))
			default:
				return b
			}
			return nil
		}, nil)
	}
	v.create(v.alice, "One", "")
	one := v.close()
	v.create(v.alice, "Two", "")
	v.close()
	v.close()

	held(1, one) // it shows more than it searches
	f := startFollow(t, newClient(t, p.ws(), nil), v.issuer, 1)
	f.complete(one)
	f.awaitKinds("created One")
	held(1, 1000)
	f.awaitKinds("created One", "created Two")
	if err := f.stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}

	held(one+1, 1000)
	startFollow(t, newClient(t, p.ws(), nil), v.issuer, one-1).fails(model.CodeHistoryMissing)
	g := startFollow(t, newClient(t, p.ws(), nil), v.issuer, one)
	g.awaitKinds("created Two")
}

// apply's error ends it.
func TestFollowEndsWithApply(t *testing.T) {
	v := newVillage(t, nil)
	wrong := errors.New("full")
	err := newClient(t, v.WebSocketURL(), nil).Follow(t.Context(), model.Address(v.issuer.Address), 1,
		func(context.Context, model.MirrorProgress) error { return wrong })
	if !errors.Is(err, wrong) {
		t.Errorf("ended with %v", err)
	}
}

// A list of one ledger does not move on with the ledgers that close meanwhile.
func TestCredentialsAt(t *testing.T) {
	overBoth(t, func(t *testing.T, v *village, url string) {
		v.create(v.alice, "Old", "")
		v.close()
		c := newClient(t, url, nil)
		at, err := c.Ledger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		v.create(v.alice, "New", "")
		v.delete(v.issuer, v.alice, "Old")
		v.close()
		made := at.Index
		list := func(at model.Ledger) (types []model.CredentialType, err error) {
			for found, err := range c.CredentialsAt(t.Context(), at, model.Address(v.issuer.Address), model.Filter{Side: model.Issued}) {
				if err != nil {
					return nil, err
				}
				if found.Changed != made {
					t.Errorf("%s was changed in ledger %d, and made in %d", found.Type, found.Changed, made)
				}
				types = append(types, found.Type)
			}
			return types, nil
		}
		if types, err := list(at); err != nil || !slices.Equal(types, []model.CredentialType{"Old"}) {
			t.Errorf("listed %q, %v", types, err)
		}
		at.Hash = testHash // of another history
		if types, err := list(at); model.CodeOf(err) != model.CodeLedgerUnavailable {
			t.Errorf("listed %q, %v", types, err)
		}
		at.Index += 1000
		if types, err := list(at); model.CodeOf(err) != model.CodeLedgerUnavailable {
			t.Errorf("listed %q, %v", types, err)
		}
	})
}

// Whatever a node sends: a change that is told of is one of the issuer's credentials, and nothing panics.
func FuzzChangesOf(f *testing.F) {
	f.Add([]byte(`{"AffectedNodes":[{"CreatedNode":{"LedgerEntryType":"Credential","LedgerIndex":"`+testHash+`","NewFields":{"CredentialType":"41","Issuer":"`+
		string(testIssuer)+`","Subject":"`+string(testAlice)+`"}}}],"TransactionIndex":0}`), []byte(`{"Account":"`+string(testIssuer)+`","Sequence":1}`))
	f.Add([]byte(`{"AffectedNodes":[{"ModifiedNode":{"LedgerEntryType":"Credential","LedgerIndex":"`+testHash+`","FinalFields":{"CredentialType":"41","Flags":65536,"Issuer":"`+
		string(testIssuer)+`","Subject":"`+string(testAlice)+`"},"PreviousFields":{"Flags":0}}}],"TransactionIndex":3}`), []byte(`{"Account":"`+string(testAlice)+`","Sequence":0}`))
	f.Add([]byte(`{"AffectedNodes":[{"DeletedNode":{"LedgerEntryType":"Credential"}},{},null,{"CreatedNode":null}]}`), []byte(`{}`))
	f.Add([]byte(`"Credential"`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, meta, tx []byte) {
		changes, err := changesOf(&Transaction{Hash: testHash, CloseTimeISO: "2026-01-02T03:04:05Z", Meta: meta, TxJSON: tx, ledgerIndex: json.RawMessage("7")}, testIssuer)
		if err != nil && len(changes) > 0 {
			t.Errorf("both %v and %v", changes, err)
		}
		for _, c := range changes {
			if c.Credential.Issuer != testIssuer || c.Credential.Type == "" || c.Kind == "" || c.Ledger != 7 || c.Hash != testHash {
				t.Errorf("told of %+v", c)
			}
		}
	})
}
