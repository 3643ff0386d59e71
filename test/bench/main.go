package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	err := run(ctx, os.Args[1:], os.Stdout)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A part measures one thing and prints it.
type part struct {
	name string
	run  func(context.Context, *bench) error
}

var parts = []part{
	{"burst", burst},
	{"sustained", sustained},
	{"batch", batch},
	{"listing", listing},
	{"sandbox", alone},
	{"million", million},
}

// bench is what the parts share.
type bench struct {
	out io.Writer
	dir string // for binaries and data; removed at the end
}

// newDir makes a folder for the data of one run.
func (b *bench) newDir() (string, error) { return os.MkdirTemp(b.dir, "run") }

func run(ctx context.Context, names []string, out io.Writer) (err error) {
	for _, name := range names {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return fmt.Errorf("no part is called %q", name)
		}
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := programs.Build(ctx, dir, "./cmd/issuer", "./cmd/sandbox"); err != nil {
		return err
	}
	b := &bench{out: out, dir: dir}
	b.printf("%s, %s/%s, %d cores used\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	for _, p := range parts {
		if len(names) > 0 && !slices.Contains(names, p.name) {
			continue
		}
		if err := p.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func (b *bench) printf(format string, args ...any) { _, _ = fmt.Fprintf(b.out, format, args...) }

// title begins a part.
func (b *bench) title(s string) { b.printf("\n%s\n", s) }

// row prints one figure and what it is compared to.
func (b *bench) row(what, figure, compared string) {
	line := fmt.Sprintf("  %-34s %-58s", what, figure)
	if compared != "" {
		line += " | " + compared
	}
	b.printf("%s\n", strings.TrimRight(line, " "))
}

// spread returns the median and the greatest of durations.
func spread(all []time.Duration) (median, slowest time.Duration) {
	if len(all) == 0 {
		return 0, 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2], sorted[len(sorted)-1]
}

func secs(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func rate(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }
