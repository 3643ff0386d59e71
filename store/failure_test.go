package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/test/postgres"
)

// fillUp stores operations until the database has no room. Those that it took are returned.
func (h *harness) fillUp() []model.OperationID {
	h.t.Helper()
	var taken []model.OperationID
	for range 100_000 {
		stored, _, err := h.Create(context.Background(), issue())
		if err != nil {
			h.code(err, model.CodeStoreUnavailable)
			return taken
		}
		taken = append(taken, stored.ID)
	}
	h.t.Fatal("it never fills up")
	return nil
}

// full is what must hold of a database without room, and once there is room again.
func (h *harness) full(free func()) {
	h.t.Helper()
	op, a := h.signed(1)
	waiting := wait(h.ctx(), h.Store, op.ID)
	taken := h.fillUp()
	if len(taken) < 10 {
		h.t.Fatalf("only %d fit", len(taken))
	}
	h.code(h.Ping(h.ctx()), model.CodeStoreUnavailable)
	// A result too big for what room is left is not stored in part.
	big := success(a)
	big.Result.Body = []byte(`{"x":"` + strings.Repeat("x", 1<<20) + `"}`)
	h.code(h.Conclude(h.ctx(), h.fence, []model.Outcome{big}), model.CodeStoreUnavailable)
	h.state(op.ID, model.StateSigned)
	var attempts []model.Attempt
	for i, id := range taken[:10] {
		attempts = append(attempts, attempt(id, uint32(i+2)))
		attempts[i].Blob = strings.Repeat("12", 60_000)
	}
	h.code(h.Sign(h.ctx(), h.fence, attempts), model.CodeStoreUnavailable)
	// Neither is a request with documents, nor what makes a decision.
	_, _, err := h.CreateApplication(h.ctx(), application(400_000))
	h.code(err, model.CodeStoreUnavailable)
	entries := h.chain(h.Store)
	h.code(h.Audit(h.ctx(), slices.Repeat([]model.AuditEntry{{Actor: "x", Action: "x", Target: strings.Repeat("x", maxShort)}}, 500)...), model.CodeStoreUnavailable)
	if len(entries) != len(taken)+1 || len(h.chain(h.Store)) != len(entries) || h.count("applications") != 0 || h.count("events") != 0 {
		h.t.Fatalf("%d were taken, and the log has %d entries", len(taken), len(entries))
	}
	if d, err := h.Depth(h.ctx(), issuerA); err != nil || d != (Depth{Pending: int64(len(taken)), Signed: 1}) {
		h.t.Fatalf("%d were taken, and %+v are there: %v", len(taken), d, err)
	}

	free()
	h.ok(h.Ping(h.ctx()))
	h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{big}))
	h.ok(h.Sign(h.ctx(), h.fence, attempts))
	if w := <-waiting; w.err != nil || w.op.State != model.StateSucceeded {
		h.t.Errorf("whoever waited got %s, %v", w.op.State, w.err)
	}
	h.create(issue())
	h.decide(approval(h.apply(application(400_000)), "x"))
	h.ok(h.Ping(h.ctx()))
}

func TestNoRoom(t *testing.T) {
	h := newHarness(t, drivers[0].config(t))
	pragma := func(n int) {
		_, err := h.writeDB.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", n))
		h.ok(err)
	}
	pragma(70)
	h.full(func() { pragma(1 << 30) })
}

// The same on a disk that is really full.
func TestDiskFull(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: makes a small disk the way of Linux")
	}
	disk := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: a small disk cannot be made here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", disk).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	h := newHarness(t, Config{Path: filepath.Join(disk, "issuer.db")})
	t.Cleanup(func() { h.ok(h.Close()) }) // before the disk goes
	h.full(func() {
		out, err := exec.Command("mount", "-o", "remount,size=64m", disk).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	})
}

func TestReadOnlyAndMissing(t *testing.T) {
	if _, err := Open(t.Context(), Config{}); err == nil {
		t.Error("opened nothing")
	}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, []byte("this is no database, and long enough to tell that it is none"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{blocked, filepath.Join(blocked, "x.db")} {
		if s, err := Open(t.Context(), Config{Path: path}); err == nil {
			_ = s.Close()
			t.Errorf("%s was opened", path)
		}
	}
	path := filepath.Join(t.TempDir(), "a", "b", "issuer.db")
	s, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path+suffix, info.Mode(), err)
		}
	}
}

// Another process writes for longer than anyone waits.
func TestLocked(t *testing.T) {
	h := newHarness(t, drivers[0].config(t))
	op := h.create(issue())
	other := h.open()
	tx, err := other.writeDB.Begin()
	h.ok(err)
	ctx, cancel := context.WithTimeout(h.ctx(), 50*time.Millisecond)
	defer cancel()
	h.code(h.RenewLane(ctx, model.Fence{Issuer: issuerA, Epoch: 1}, MaxLease), model.CodeStoreUnavailable)
	h.state(op.ID, model.StatePending) // it can be read
	h.ok(tx.Rollback())
	h.create(issue())
}

// proxy is a way to PostgreSQL that can be cut.
type proxy struct {
	target   string
	listener net.Listener
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	down  bool
}

// throughProxy returns an address that leads to the same database through a proxy.
func throughProxy(t *testing.T, address string) (string, *proxy) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	port := u.Port()
	if port == "" {
		port = "5432"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: net.JoinHostPort(u.Hostname(), port), listener: l, conns: map[net.Conn]bool{}}
	p.wg.Go(p.serve)
	t.Cleanup(func() {
		_ = l.Close()
		p.cut(true)
		p.wg.Wait()
	})
	u.Host = l.Addr().String()
	return u.String(), p
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		p.mu.Lock()
		if err != nil || p.down {
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			p.mu.Unlock()
			continue
		}
		p.conns[client], p.conns[server] = true, true
		p.mu.Unlock()
		for _, ends := range [][2]net.Conn{{client, server}, {server, client}} {
			p.wg.Go(func() {
				_, _ = io.Copy(ends[0], ends[1])
				_ = ends[0].Close()
				_ = ends[1].Close()
			})
		}
	}
}

// cut ends all connections; down says whether new ones are refused.
func (p *proxy) cut(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

// The database goes away and comes back.
func TestDatabaseGone(t *testing.T) {
	address, p := throughProxy(t, postgres.Schema(t))
	h := newHarness(t, Config{URL: address, PollInterval: 50 * time.Millisecond})
	eventually(t, "nobody listens", h.Listening)
	op, a := h.signed(1)
	waiting := wait(h.ctx(), h.Store, op.ID)
	p.cut(true)
	eventually(t, "it still listens", func() bool { return !h.Listening() })
	h.code(h.Ping(h.ctx()), model.CodeStoreUnavailable)
	_, _, err := h.Create(h.ctx(), issue())
	h.code(err, model.CodeStoreUnavailable)
	var known *model.Error
	if !errors.As(err, &known) || known.RetryAfter == 0 || strings.Contains(known.Message, "127.0.0.1") {
		t.Errorf("what its caller is told: %+v", known)
	}
	h.code(h.Sign(h.ctx(), h.fence, []model.Attempt{a}), model.CodeStoreUnavailable)
	h.code(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}), model.CodeStoreUnavailable)
	_, err = h.Operation(h.ctx(), op.ID)
	h.code(err, model.CodeStoreUnavailable)
	_, err = Open(h.ctx(), h.cfg)
	h.code(err, model.CodeStoreUnavailable)

	p.cut(false)
	eventually(t, "it does not listen again", h.Listening)
	h.ok(h.Ping(h.ctx()))
	h.create(issue())
	h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}))
	if w := <-waiting; w.err != nil || w.op.State != model.StateSucceeded {
		t.Errorf("whoever waited got %s, %v", w.op.State, w.err)
	}
}

// Whoever asks for anything while the database is gone is told so; once it is back, the same calls work, and nothing is
// there twice.
func TestRecordsWithoutDatabase(t *testing.T) {
	address, p := throughProxy(t, postgres.Schema(t))
	h := newHarness(t, Config{URL: address, PollInterval: time.Hour})
	before, key := h.apply(application(10)), &model.IdempotencyKey{Key: "k"}
	asked := application(10)
	asked.ID, asked.Key, asked.Nonce = h.ids.next(h.now()), key, h.nonce("n")
	decision := approval(before, "alice")
	decision.RequestID = "r"
	pending := h.create(issue())
	h.mirrored(10)
	told := model.MirrorProgress{Complete: 11, CloseTime: ledgerTime(12)}
	err := func(_ any, err error) error { return err }
	calls := map[string]func() error{
		"CreateToken":       func() error { return h.CreateToken(h.ctx(), token("id", "name"), byCLI) },
		"Tokens":            func() error { return err(h.Tokens(h.ctx())) },
		"AnyTokens":         func() error { return err(h.AnyTokens(h.ctx())) },
		"Secret":            func() error { return err(h.Secret(h.ctx(), "challenges")) },
		"AuditEntries":      func() error { return err(h.AuditEntries(h.ctx(), 0, 0)) },
		"AuditHead":         func() error { _, _, err := h.AuditHead(h.ctx()); return err },
		"CreateApplication": func() error { _, _, err := h.CreateApplication(h.ctx(), asked); return err },
		"Application":       func() error { return err(h.Application(h.ctx(), before.ID)) },
		"Applications":      func() error { return err(h.Applications(h.ctx(), issuerA, "", "", 0)) },
		"Decide":            func() error { return err(h.Decide(h.ctx(), decision)) },
		"EraseDocuments":    func() error { return err(h.EraseDocuments(h.ctx(), issuerA, h.clock.Now(), 0)) },
		"Events":            func() error { return err(h.Events(h.ctx(), issuerA, 0, 0)) },
		"ApplicationEvents": func() error { return err(h.ApplicationEvents(h.ctx(), before.ID)) },
		"SweepNonces":       func() error { return err(h.SweepNonces(h.ctx())) },
		"Mirror":            func() error { _, _, err := h.Mirror(h.ctx(), issuerA); return err },
		"MirrorStatus":      func() error { return err(h.MirrorStatus(h.ctx(), issuerA)) },
		"ApplyChanges":      func() error { return h.ApplyChanges(h.ctx(), issuerA, told) },
		"BeginListing":      func() error { return h.BeginListing(h.ctx(), issuerA) },
		"FinishListing":     func() error { return second(h.FinishListing(h.ctx(), issuerA, 12, ledgerTime(12))) },
		"TellExpired":       func() error { return err(h.TellExpired(h.ctx(), issuerA, 1, 1)) },
		"Expired":           func() error { return err(h.Expired(h.ctx(), issuerA, "", 1, model.CredentialRecord{}, 1)) },
		"SetEndpoints":      func() error { return err(h.SetEndpoints(h.ctx(), issuerA, subscriptions("a"))) },
		"DueDeliveries":     func() error { return err(h.DueDeliveries(h.ctx(), issuerA, "a", h.clock.Now(), 1)) },
		"SettleDeliveries":  func() error { return h.SettleDeliveries(h.ctx(), issuerA, "a", nil) },
		"SweepEvents":       func() error { return err(h.SweepEvents(h.ctx())) },
		"Cancel":            func() error { return h.Cancel(h.ctx(), pending.ID, model.Failure{}, byCLI) },
	}
	later := map[string]func() error{ // these need what the others make
		"Token":            func() error { return err(h.Token(h.ctx(), "id")) },
		"TouchToken":       func() error { return h.TouchToken(h.ctx(), "id", h.clock.Now()) },
		"RevokeToken":      func() error { return err(h.RevokeToken(h.ctx(), "id", byCLI)) },
		"ApplicationByKey": func() error { return err(h.ApplicationByKey(h.ctx(), issuerA, *key)) },
	}
	all := func(calls map[string]func() error, want model.Code) {
		t.Helper()
		for name, call := range calls {
			if err := call(); model.CodeOf(err) != want || (err == nil) != (want == "") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	p.cut(true)
	all(calls, model.CodeStoreUnavailable)
	all(later, model.CodeStoreUnavailable)
	h.code(h.Audit(h.ctx(), model.AuditEntry{Actor: "x", Action: "x"}), model.CodeStoreUnavailable)
	p.cut(false)
	for range 2 {
		all(calls, "")
		all(later, "")
	}
	// Two before, then a token made and revoked, a request, a decision, a cancellation.
	if n := len(h.chain(h.Store)); n != 7 || h.count("events") != 4 || h.count("applications") != 2 || h.count("operations") != 2 {
		t.Errorf("%d entries, %d events", n, h.count("events"))
	}
}

// The server ends every connection, again and again, while many write. Nobody notices but by the time it takes, and
// what each is told is true.
func TestConnectionsTerminated(t *testing.T) {
	address := postgres.Schema(t)
	h := newHarness(t, Config{URL: address, PollInterval: 50 * time.Millisecond})
	fence := h.take()
	ctx, cancel := context.WithCancel(h.ctx())
	var killer, wg sync.WaitGroup
	var ended int
	killer.Go(func() {
		for ctx.Err() == nil {
			postgres.Cut(t, address)
			ended++
			time.Sleep(40 * time.Millisecond)
		}
	})
	const workers, each = 6, 15
	stored := make([]map[model.OperationID]string, workers)
	var unavailable, operations int
	var mu sync.Mutex
	for w := range workers {
		stored[w] = map[model.OperationID]string{}
		wg.Go(func() {
			insist := func(f func() error) {
				for {
					err := f()
					if err == nil {
						return
					}
					if model.CodeOf(err) != model.CodeStoreUnavailable {
						t.Errorf("%v", err)
						return
					}
					mu.Lock()
					unavailable++
					mu.Unlock()
				}
			}
			for i := range each {
				op := issue()
				op.Key = &model.IdempotencyKey{Key: fmt.Sprint(w, "/", i)}
				var got model.Operation
				insist(func() (err error) { got, _, err = h.Create(context.Background(), op); return err })
				a := attempt(got.ID, uint32(1+w*each+i))
				insist(func() error { return h.Sign(context.Background(), fence, []model.Attempt{a}) })
				insist(func() error { return h.Conclude(context.Background(), fence, []model.Outcome{success(a)}) })
				stored[w][got.ID] = a.Hash
			}
		})
	}
	wg.Wait()
	cancel()
	killer.Wait()
	for _, m := range stored {
		for id, hash := range m {
			operations++
			var op model.Operation
			eventually(t, "an operation cannot be read", func() bool {
				var err error
				op, err = h.Operation(h.ctx(), id)
				return err == nil
			})
			if op.State != model.StateSucceeded || len(op.Attempts) != 1 || op.Result.Hash != hash {
				t.Errorf("%+v", op)
			}
		}
	}
	n := h.count("operations")
	if entries := h.chain(h.Store); len(entries) != n {
		t.Errorf("%d operations, %d entries of them", n, len(entries))
	}
	if n != workers*each || operations != n {
		t.Errorf("%d operations are stored, %d were asked for", n, workers*each)
	}
	t.Logf("every connection was ended %d times; callers were sent away %d times in %d calls", ended, unavailable, 3*workers*each)
}

// A lane whose database cannot be reached counts as lost when its lease is over, and is taken again afterwards.
func TestLaneWithoutDatabase(t *testing.T) {
	address, p := throughProxy(t, postgres.Schema(t))
	h := newHarness(t, Config{URL: address, PollInterval: 50 * time.Millisecond})
	one := hold(h.Store, "one", time.Second)
	f := <-one.fences
	p.cut(true)
	if err := <-one.lost; !errors.Is(err, errLeaseRanOut) {
		t.Errorf("lost for %v", err)
	}
	p.cut(false)
	if g := <-one.fences; g.Epoch <= f.Epoch {
		t.Errorf("epoch %d after %d", g.Epoch, f.Epoch)
	}
	one.end()
	<-one.done
}

func TestNothingSecretIsSaid(t *testing.T) {
	const secret = "hunter2secret"
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, u := range []string{
		"postgres://user:" + secret + "@127.0.0.1:1/test", "postgres://user:" + secret + "@127.0.0.1:bad/test",
		"host=127.0.0.1 port=1 user=x password=" + secret, "host=127.0.0.1 port=bad password=" + secret, "postgres://user:" + secret + "@[::1/x",
	} {
		cfg := Config{URL: u, Logger: logger}
		_, err := Open(t.Context(), cfg)
		if err == nil {
			t.Fatalf("%s was opened", u)
		}
		logger.Info("x", "config", cfg, "error", err)
		for _, s := range []string{err.Error(), fmt.Sprintf("%v %+v %#v %s", cfg, cfg, cfg, cfg), log.String()} {
			if strings.Contains(s, secret) {
				t.Errorf("it says the password: %s", s)
			}
		}
	}
}
