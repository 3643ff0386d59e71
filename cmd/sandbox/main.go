// Command sandbox runs a stand-alone XRP Ledger: JSON-RPC, WebSocket and a faucet on one address. See package sandbox.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/xrplissuer/credential-issuer/cmd/internal/heap"
	"github.com/xrplissuer/credential-issuer/cmd/internal/version"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	heap.Keep(heap.Spare)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		_, _ = fmt.Fprintln(os.Stderr, "sandbox:", err) // there is nobody else to tell
		os.Exit(1)
	}
}

// errUsage is of wrong use, which has been told.
var errUsage = errors.New("wrong use")

// stopTime is how long requests that are being answered have when the program is stopped.
const stopTime = 10 * time.Second

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "--version" {
		return version.Print(stdout, "sandbox")
	}
	cfg, err := parse(args, stdout, stderr)
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	cfg.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	s, err := sandbox.Start(context.WithoutCancel(ctx), cfg)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprint(stdout, greeting(s, cfg)); err != nil {
		return errors.Join(fmt.Errorf("printing where it listens: %w", err), end(s))
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return end(s)
	}
}

func end(s *sandbox.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	return s.Close(ctx)
}

func parse(args []string, stdout, stderr io.Writer) (sandbox.Config, error) {
	var cfg sandbox.Config
	var genesis uint32
	var spec string
	var seed uint64
	fs := pflag.NewFlagSet("sandbox", pflag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.SortFlags = false
	fs.StringVar(&cfg.Listen, "listen", sandbox.DefaultListen, "`host:port` to listen on; whoever reaches it has an administrator's rights")
	fs.DurationVar(&cfg.CloseInterval, "close-interval", time.Second, "`time` between ledgers; 0s closes them only on ledger_accept")
	fs.StringVar(&cfg.DataDir, "data-dir", "", "`directory` that keeps the ledger (default: in memory)")
	fs.Uint32Var(&genesis, "genesis-close-time", 0, "close time of ledger 2, in `seconds` since 2000-01-01T00:00:00Z (default: now)")
	fs.IntVar(&cfg.LedgerCapacity, "ledger-capacity", 1000, "`transactions` a ledger takes before further ones cost more")
	fs.StringVar(&spec, "weather", "", "`spec` of what goes wrong, as lose-after=1%,delay=10%:5ms-50ms,miss=1%:2; clear for nothing yet;\n"+
		"with it the weather can be changed by the method sandbox_weather (default: none, and no such method)")
	fs.Uint64Var(&seed, "weather-seed", 0, "`number` that decides what goes wrong when (default: another each time)")
	fs.Usage = func() {
		_, _ = fmt.Fprintf(stdout, "sandbox runs a stand-alone XRP Ledger.\n\nUsage: sandbox [flags]\n       sandbox --version\n\n%s", fs.FlagUsages()) // as fs itself does
	}
	if err := fs.Parse(args); err != nil {
		if !errors.Is(err, pflag.ErrHelp) {
			_, _ = fmt.Fprintf(stderr, "sandbox: %v. Try --help.\n", err)
			err = errUsage
		}
		return cfg, err
	}
	if fs.NArg() > 0 {
		_, _ = fmt.Fprintf(stderr, "sandbox: takes no arguments, but got %q. Try --help.\n", strings.Join(fs.Args(), " "))
		return cfg, errUsage
	}
	if fs.Changed("genesis-close-time") {
		cfg.GenesisCloseTime = &genesis
	}
	if fs.Changed("weather-seed") && !fs.Changed("weather") {
		_, _ = fmt.Fprintln(stderr, "sandbox: --weather-seed needs --weather. Try --help.")
		return cfg, errUsage
	}
	if fs.Changed("weather") {
		w, err := sandbox.ParseWeather(spec)
		if err != nil {
			_, _ = fmt.Fprintf(stderr, "sandbox: --%v.\n", err)
			return cfg, errUsage
		}
		if w.Seed = seed; !fs.Changed("weather-seed") {
			w.Seed = uint64(rand.Uint32())
		}
		cfg.Weather = &w
	}
	if cfg.LedgerCapacity < 1 {
		_, _ = fmt.Fprintf(stderr, "sandbox: --ledger-capacity is %d, but must be at least 1.\n", cfg.LedgerCapacity)
		return cfg, errUsage
	}
	return cfg, nil
}

func greeting(s *sandbox.Server, cfg sandbox.Config) string {
	var b strings.Builder
	line := func(name, format string, a ...any) { fmt.Fprintf(&b, "%-10s %s\n", name, fmt.Sprintf(format, a...)) }
	line("JSON-RPC", "%s", s.URL())
	line("WebSocket", "%s", s.WebSocketURL())
	line("Genesis", "%s", sandbox.GenesisAddress)
	line("  seed", "%s (secp256k1; known to everybody)", sandbox.GenesisSeed)
	if cfg.CloseInterval > 0 {
		line("Ledgers", "close every %v", cfg.CloseInterval)
	} else {
		line("Ledgers", "close on ledger_accept: curl %s -d '{\"method\":\"ledger_accept\"}'", s.URL())
	}
	if cfg.DataDir != "" {
		line("Kept in", "%s", cfg.DataDir)
	} else {
		line("Kept in", "memory; gone when the program ends")
	}
	if w := cfg.Weather; w != nil {
		line("Weather", "%s (seed %d): curl %s -d '{\"method\":\"sandbox_weather\"}'", w, w.Seed, s.URL())
	}
	line("Faucet", "curl -X POST %s/accounts", s.URL())
	return b.String()
}
