package journal

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkAppend stores records of a ledger with one transaction and one with a
// thousand.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{500, 300_000} {
		for name, opts := range map[string]Options{
			"each":     {},
			"interval": {Sync: SyncInterval, Interval: time.Second},
			"never":    {Sync: SyncNever},
		} {
			b.Run(fmt.Sprintf("bytes=%d/sync=%s", size, name), func(b *testing.B) {
				j, err := Open(filepath.Join(b.TempDir(), "journal"), opts)
				if err != nil {
					b.Fatal(err)
				}
				defer j.Close()
				if _, err := j.Replay(nil); err != nil {
					b.Fatal(err)
				}
				payload := make([]byte, size)
				b.SetBytes(int64(size))
				for b.Loop() {
					if err := j.Append(payload); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkReplay reads 100 MB.
func BenchmarkReplay(b *testing.B) {
	path := filepath.Join(b.TempDir(), "journal")
	const records, size = 2000, 50_000
	replay := func() (j *Journal, n int) {
		j, err := Open(path, Options{Sync: SyncNever})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := j.Replay(func([]byte) error { n++; return nil }); err != nil {
			b.Fatal(err)
		}
		return j, n
	}
	j, _ := replay()
	for range records {
		if err := j.Append(make([]byte, size)); err != nil {
			b.Fatal(err)
		}
	}
	j.Close()
	b.SetBytes(records * size)
	for b.Loop() {
		j, n := replay()
		if n != records {
			b.Fatalf("%d records", n)
		}
		j.Close()
	}
}
