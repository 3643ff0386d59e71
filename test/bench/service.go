package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// browser is the HTTP client of the measurements: as many connections as there are requests under way.
var browser = &http.Client{Transport: &bearer{RoundTripper: &http.Transport{MaxIdleConnsPerHost: 4096, DisableCompression: true}}}

// issued is what a POST came to.
type issued struct {
	status int
	ledger uint32 // 0 unless issued
	took   time.Duration
	err    error
}

// post asks the service for a credential.
func post(ctx context.Context, service, subject, credential string) issued {
	body := fmt.Sprintf(`{"subject":%q,"credential":%q,"documents":{"reason":"please"}}`, subject, credential)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+service+"/credential", strings.NewReader(body))
	if err != nil {
		return issued{err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	began := time.Now()
	resp, err := browser.Do(req)
	if err != nil {
		return issued{err: err, took: time.Since(began)}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	out := issued{status: resp.StatusCode, took: time.Since(began), err: err}
	if err == nil {
		var r struct {
			Ledger uint32 `json:"ledger_index"`
			Code   string `json:"error"`
			Text   string `json:"error_message"`
		}
		if err := json.Unmarshal(text, &r); err != nil {
			out.err = err
		}
		out.ledger = r.Ledger
		if r.Code != "" {
			out.err = fmt.Errorf("%d %s: %s", resp.StatusCode, r.Code, r.Text)
		}
	}
	return out
}

// postAll asks for n credentials with at most width requests under way, all started by the same signal.
func postAll(ctx context.Context, service, subject, prefix string, n, width int) []issued {
	all := make([]issued, n)
	next := make(chan int)
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for range width {
		wg.Go(func() {
			<-begin
			for i := range next {
				all[i] = post(ctx, service, subject, fmt.Sprintf("%s-%d", prefix, i))
			}
		})
	}
	close(begin)
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return all
}

// faucet makes a funded account on an embedded ledger and returns its address.
func faucet(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/accounts", bytes.NewBufferString("{}"))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var r struct {
		Account struct {
			Address string `json:"classicAddress"`
		} `json:"account"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil || r.Account.Address == "" {
		return "", fmt.Errorf("the faucet answers %s without an account (%w)", resp.Status, err)
	}
	return r.Account.Address, nil
}

// burst measures simultaneous requests to the service as `make run` starts it: the embedded ledger in the same process,
// its file on disk, a close every second.
func burst(ctx context.Context, b *bench) error {
	ledger, err := programs.FreeAddress(ctx)
	if err != nil {
		return err
	}
	p, service, err := b.startIssuer(ctx, "XRPL_NETWORK=sandbox", "SANDBOX_LISTEN="+ledger, "SANDBOX_CLOSE_INTERVAL=1s", "DATA_DIR="+b.dir+"/burst")
	if err != nil {
		return err
	}
	n, err := dial(ctx, ledger)
	if err != nil {
		return err
	}
	defer n.close()
	subject, err := faucet(ctx, ledger)
	if err != nil {
		return err
	}
	if err := n.validated(ctx, subject, 1); err != nil {
		return err
	}
	b.title("Simultaneous requests, a ledger that closes every second")
	for _, c := range []struct {
		n        int
		compared string
	}{
		{50, "the tutorial's JavaScript service, real node: 2 of 50, the other 48 failed after 22 s"},
		{200, "to reach: all, within two closes"},
	} {
		if err := n.nextClose(ctx); err != nil { // begin at the same point of the second each time
			return err
		}
		before, err := validatedIndex(ctx, n)
		if err != nil {
			return err
		}
		all := postAll(ctx, service, subject, fmt.Sprint("burst", c.n), c.n, c.n)
		created, last, took := 0, before, make([]time.Duration, 0, c.n)
		var fault error
		for _, a := range all {
			took = append(took, a.took)
			if a.status == http.StatusCreated {
				created++
				last = max(last, a.ledger)
			} else if fault == nil {
				fault = a.err
			}
		}
		median, slowest := spread(took)
		b.row(fmt.Sprintf("%d at once", c.n),
			fmt.Sprintf("%d of %d answered 201, ledger closes used: %d, median %s, slowest %s", created, c.n, last-before, secs(median), secs(slowest)), c.compared)
		if fault != nil {
			b.row("", "first failure: "+fault.Error(), "")
		}
	}
	return p.stop()
}

// sustained measures a steady stream of credentials through HTTP to validation, beside the same transactions signed
// beforehand and sent over one connection to the same kind of ledger process.
func sustained(ctx context.Context, b *bench) error {
	const total, width = 6000, 1500
	b.title(fmt.Sprintf("Sustained: %d credentials through POST /credential to validation, ledger in a process of its own, a close every second", total))
	return contest{total, rounds, []way{b.rawWay(), {fmt.Sprintf("HTTP, %d at once", width), func(ctx context.Context, total int) (m measured, err error) {
		s, err := b.stage(ctx)
		if err != nil {
			return m, err
		}
		dir, err := b.newDir()
		if err != nil {
			return m, err
		}
		p, service, err := b.startIssuer(ctx, "XRPL_NETWORK=ws://"+s.address, "ISSUER_ACCOUNT_SEED="+s.issuer.seed, "DATA_DIR="+dir, "DATABASE_URL=")
		if err != nil {
			return m, err
		}
		if err := s.begin(ctx); err != nil {
			return m, err
		}
		for _, a := range postAll(ctx, service, s.subject.address, "measured", total, width) {
			if a.err != nil || a.status != http.StatusCreated {
				return m, fmt.Errorf("a request is answered with %d: %w", a.status, a.err)
			}
		}
		return s.end(ctx, total, p)
	}}}}.hold(ctx, b)
}

// creations are n credentials about one subject.
func creations(subject, prefix string, n int) []map[string]any {
	txs := make([]map[string]any, n)
	for i := range txs {
		txs[i] = map[string]any{
			"TransactionType": "CredentialCreate", "Subject": subject,
			"CredentialType": fmt.Sprintf("%X", fmt.Sprintf("%s-%d", prefix, i)),
		}
	}
	return txs
}

// listing measures GET /admin/credential of a service whose issuer has issued very many.
func listing(ctx context.Context, b *bench) error {
	b.title("Listing what was issued: GET /admin/credential")
	s, ledger, err := b.startSandbox(ctx, "--close-interval", "1s")
	if err != nil {
		return err
	}
	n, err := dial(ctx, ledger)
	if err != nil {
		return err
	}
	defer n.close()
	subject, err := n.fund(ctx)
	if err != nil {
		return err
	}
	for _, c := range []int{10_000, 100_000} {
		issuer, err := n.fund(ctx)
		if err != nil {
			return err
		}
		began := time.Now()
		if err := n.fill(ctx, issuer, subject.address, c); err != nil {
			return fmt.Errorf("issuing %d: %w", c, err)
		}
		filled := time.Since(began)
		p, service, err := b.startIssuer(ctx, "XRPL_NETWORK=ws://"+ledger, "ISSUER_ACCOUNT_SEED="+issuer.seed, "DATA_DIR="+b.dir+"/listing")
		if err != nil {
			return err
		}
		var firsts, wholes []time.Duration
		var size int64
		// The first ones are read from the ledger, while the service makes its index; the others from the index.
		for range 9 {
			first, whole, bytes, count, err := list(ctx, service)
			if err != nil {
				return err
			}
			if count != c {
				return fmt.Errorf("the list has %d credentials of %d", count, c)
			}
			firsts, wholes, size = append(firsts, first), append(wholes, whole), bytes
		}
		first, _ := spread(firsts)
		whole, _ := spread(wholes)
		raw, err := n.walk(ctx, issuer.address, c)
		if err != nil {
			return err
		}
		heap := "no collection ran"
		if peak := p.peakHeap(); peak > 0 {
			heap = fmt.Sprintf("%d MiB", peak)
		}
		b.row(fmt.Sprintf("%d credentials", c),
			fmt.Sprintf("first byte %s, whole %s (%.1f MB), most that lived on the heap %s", secs(first), secs(whole), float64(size)/1e6, heap),
			fmt.Sprintf("the node's own pages of 400, one after the other: %s; issuing them took %s", secs(raw), secs(filled)))
		if err := p.stop(); err != nil {
			return err
		}
	}
	return s.stop()
}

// list reads the whole list and counts its credentials.
func list(ctx context.Context, service string) (first, whole time.Duration, size int64, count int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+service+"/admin/credential", nil)
	if err != nil {
		return 0, 0, 0, 0, err
	}
	began := time.Now()
	resp, err := browser.Do(req)
	if err != nil {
		return 0, 0, 0, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return 0, 0, 0, 0, fmt.Errorf("the list is answered with %s", resp.Status)
	}
	body := &counter{r: resp.Body}
	r := bufio.NewReaderSize(body, 1<<16)
	if _, err := r.Peek(1); err != nil {
		return 0, 0, 0, 0, err
	}
	first = time.Since(began)
	// Read it as a program would that keeps nothing: one credential after the other.
	dec := json.NewDecoder(r)
	for range 3 { // { "credentials" [
		if _, err := dec.Token(); err != nil {
			return 0, 0, 0, 0, err
		}
	}
	var c struct{ Credential string }
	for dec.More() {
		if err := dec.Decode(&c); err != nil {
			return 0, 0, 0, 0, err
		}
		count++
	}
	for range 2 { // ] }
		if _, err := dec.Token(); err != nil {
			return 0, 0, 0, 0, err
		}
	}
	_, err = io.Copy(io.Discard, r)
	return first, time.Since(began), body.n, count, err
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// fill issues n credentials as fast as the ledger takes them, closing it whenever it holds a thousand.
func (n *node) fill(ctx context.Context, issuer account, subject string, total int) error {
	const each = 1000
	txs := creations(subject, "a-credential-type-of-usual-length", total)
	for chunk := range slices.Chunk(txs, each) {
		blobs, _, err := n.sign(ctx, issuer, chunk)
		if err != nil {
			return err
		}
		if err := n.submit(ctx, blobs); err != nil {
			return err
		}
		if _, err := n.call(ctx, "ledger_accept", nil); err != nil {
			return err
		}
	}
	return nil
}

// walk reads an account's credentials page by page and keeps nothing: what any list must do at least.
func (n *node) walk(ctx context.Context, account string, want int) (time.Duration, error) {
	began := time.Now()
	params := map[string]any{"account": account, "type": "credential", "limit": 400, "ledger_index": "validated"}
	count := 0
	for {
		raw, err := n.call(ctx, "account_objects", params)
		if err != nil {
			return 0, err
		}
		var r struct {
			Objects []json.RawMessage `json:"account_objects"`
			Ledger  uint32            `json:"ledger_index"`
			Marker  any               `json:"marker"`
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			return 0, err
		}
		count += len(r.Objects)
		if r.Marker == nil {
			break
		}
		params["marker"], params["ledger_index"] = r.Marker, r.Ledger
	}
	if count != want {
		return 0, fmt.Errorf("the node lists %d credentials of %d", count, want)
	}
	return time.Since(began), nil
}
