package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

var webhooks = []attack{
	{name: "webhooks to inner addresses", on: onPlain, run: innerAddresses},
}

// innerAddresses configures webhooks for addresses that are none of the outside's, and follows what an allowed receiver
// answers: that it should be sent to another place.
func innerAddresses(ctx context.Context, r *round) error {
	if _, err := r.good(ctx, r.client); err != nil { // an event
		return err
	}
	for deadline := time.Now().Add(3 * time.Second); r.w.receiver.taken.Load() == 0; sleep(ctx, 20*time.Millisecond) {
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
	for _, host := range []string{"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "0.0.0.0", "[::]", "localhost", "LOCALHOST.", "a.localhost",
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

// startWith starts the service with an address for webhooks; see [round.startOnce].
func (r *round) startWith(ctx context.Context, url string) (said string, err error) {
	return r.startOnce(ctx, "HTTP_LISTEN=127.0.0.1:0", "XRPL_NETWORK=ws://"+r.w.node.address, "ISSUER_ACCOUNT_SEED="+r.w.tls.issuer.text,
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
	cmd.Env = append(append(bareEnvironment(), "DATA_DIR="+dir), settings...)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return string(out), nil
	}
	if err == nil {
		err = fmt.Errorf("it ended")
	}
	return string(out), err
}
