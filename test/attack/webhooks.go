package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

var webhooks = []attack{
	{name: "webhooks to inner addresses", on: onPlain, run: innerAddresses},
	{name: "webhooks to names of such", on: onTLS, run: innerNames},
}

// innerAddresses configures webhooks for addresses that are none of the outside's, and follows what an allowed receiver
// answers: that it should be sent to another place.
func innerAddresses(ctx context.Context, r *round) error {
	if _, err := r.good(ctx, r.client); err != nil { // an event
		return err
	}
	for deadline := time.Now().Add(3 * time.Second); r.w.receiver.taken.Load() == 0; programs.Sleep(ctx, 20*time.Millisecond) {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return skipped("the service sends no webhooks: WEBHOOK_URLS is set, an event happened, and its receiver was not asked for anything in 3 s")
		}
	}
	r.note("the receiver sent on to the trap %d times", r.w.receiver.taken.Load())
	_, port, err := net.SplitHostPort(r.w.trap.address())
	if err != nil {
		return err
	}
	// What can be told without a resolver is refused at the start.
	for _, host := range []string{"127.0.0.1", "127.255.255.254", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "0.0.0.0", "[::]", "localhost", "LOCALHOST.", "a.localhost",
		"10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "[fd00::1]", "[fe80::1]", "224.0.0.1", "255.255.255.255", "[2002:7f00:1::]"} {
		if r.short && len(host)%3 == 0 {
			continue
		}
		said, err := r.startWith(ctx, "https://"+host+":"+port+"/hook")
		r.heard("start")
		if err == nil || !strings.Contains(said, "WEBHOOK_URLS") {
			r.fault("a webhook to %s: %v, %.200s", host, err, said)
		}
	}
	return nil
}

// innerURLs are addresses that show only once they are looked up whether they are the outside's: names that this machine has for
// itself, and numbers that some resolvers take for an address. All are those of the trap.
func (w *world) innerURLs() []string {
	hosts := []string{"127.1", "2130706433", "0x7f000001", "0177.0.0.1"}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	_, port, _ := net.SplitHostPort(w.trap.address())
	var urls []string
	for _, h := range hosts {
		urls = append(urls, "https://"+h+":"+port+"/hook")
	}
	return urls
}

// innerNames waits until the service has tried to send events to all of them, and was kept from it.
func innerNames(ctx context.Context, r *round) error {
	// By a client that no flood has been counted against.
	if _, err := r.good(ctx, r.newClient(elsewhere)); err != nil { // an event
		return err
	}
	want := len(r.w.innerURLs())
	for deadline := time.Now().Add(10 * time.Second); ; programs.Sleep(ctx, 50*time.Millisecond) {
		log, err := os.ReadFile(r.process.Log)
		if err != nil {
			return err
		}
		tried := map[string]string{}
		for line := range strings.Lines(string(log)) {
			var said struct{ Webhook, Failure string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Webhook != "" && said.Failure != "" {
				tried[said.Webhook] = said.Failure
			}
		}
		if len(tried) >= want {
			r.note("e.g. %s", tried[slices.Sorted(maps.Keys(tried))[0]])
			return nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("only %d of %d webhooks were tried: this shows nothing: %v", len(tried), want, tried)
		}
	}
}

// startWith starts the service with an address for webhooks; see [round.startOnce].
func (r *round) startWith(ctx context.Context, url string) (said string, err error) {
	return r.startOnce(ctx, "HTTP_LISTEN=127.0.0.1:0", "XRPL_NETWORK=ws://"+r.w.node.Address, "ISSUER_ACCOUNT_SEED="+r.w.tls.issuer.text,
		"WEBHOOK_URLS="+url, "WEBHOOK_SECRET="+r.w.webhookSecret)
}

// startOpen starts a service on the sandbox, without tokens.
func (r *round) startOpen(ctx context.Context, listen string) (said string, err error) {
	return r.startOnce(ctx, "HTTP_LISTEN="+listen, "XRPL_NETWORK=sandbox", "SANDBOX_LISTEN=127.0.0.1:0", "SANDBOX_CLOSE_INTERVAL="+closeInterval.String())
}

// startOnce starts a service on a folder of its own, which is to end by itself: the error is nil where it did not in a moment.
func (r *round) startOnce(ctx context.Context, settings ...string) (said string, err error) {
	dir, err := os.MkdirTemp(r.w.dir, "start")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.w.issuerProgram)
	cmd.Dir = dir
	cmd.Env = append(append(programs.Environment(), "DATA_DIR="+dir), settings...)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return string(out), nil
	}
	if err == nil {
		err = fmt.Errorf("it ended")
	}
	return string(out), err
}
