package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// childVariable names, for a process that a test starts of itself, the journal on
// which it is to run childMain.
const childVariable = "JOURNAL_TEST_CHILD"

var childMain = func(string) int { return 2 }

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		os.Exit(childMain(path))
	}
	goleak.VerifyTestMain(m)
}

// replayAll replays j and returns its records as strings.
func replayAll(t *testing.T, j *Journal) (records []string, dropped *Dropped) {
	t.Helper()
	dropped, err := j.Replay(func(p []byte) error {
		records = append(records, string(p))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records, dropped
}

func mustAppend(t *testing.T, j *Journal, records ...string) {
	t.Helper()
	for _, r := range records {
		if err := j.Append([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
}

func mustClose(t *testing.T, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// openReplayed opens and replays the journal at path.
func openReplayed(t *testing.T, path string) (j *Journal, records []string, dropped *Dropped) {
	t.Helper()
	j, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	records, dropped = replayAll(t, j)
	return j, records, dropped
}

// three is what most tests have in a file.
var three = []string{"the first record", "the second, which is longer than the first", "third"}

// fileOf writes a journal of the records and returns its path, its content, and
// where each record begins, with the file's size behind them.
func fileOf(t *testing.T, records ...string) (path string, content []byte, starts []int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "journal")
	j, _, _ := openReplayed(t, path)
	starts = []int{int(j.end)}
	for _, r := range records {
		mustAppend(t, j, r)
		starts = append(starts, int(j.end))
	}
	mustClose(t, j)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(content) != starts[len(records)] {
		t.Fatalf("file of %d bytes, journal ends at %d", len(content), starts[len(records)])
	}
	return path, content, starts
}

func rewrite(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRecordsOutliveTheJournal(t *testing.T) {
	long := strings.Repeat("0123456789", 1<<17)
	want := []string{"one", "", long, "\x00\xff", "five"}
	for _, opts := range []Options{{}, {Sync: SyncInterval, Interval: time.Hour}, {Sync: SyncNever}} {
		path := filepath.Join(t.TempDir(), "journal")
		for i := range want {
			j, err := Open(path, opts)
			if err != nil {
				t.Fatal(err)
			}
			got, dropped := replayAll(t, j)
			if len(got) != i || i > 0 && !reflect.DeepEqual(got, want[:i]) || dropped != nil {
				t.Fatalf("start %d: %d records, dropped %v", i, len(got), dropped)
			}
			mustAppend(t, j, want[i])
			mustClose(t, j)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("others may read the file: %v", info.Mode())
		}
	}
}

func TestEveryTruncation(t *testing.T) {
	path, content, starts := fileOf(t, three...)
	for size := range len(content) + 1 {
		rewrite(t, path, content[:size])
		whole := 0 // records
		for whole < len(three) && size >= starts[whole+1] {
			whole++
		}
		j, got, dropped := openReplayed(t, path)
		if len(got) != whole || whole > 0 && !reflect.DeepEqual(got, three[:whole]) {
			t.Fatalf("%d bytes: records %q", size, got)
		}
		switch {
		case size == 0 || size == starts[whole]:
			if dropped != nil {
				t.Errorf("%d bytes, nothing torn: %v", size, dropped)
			}
		case size < starts[0]:
			if dropped == nil || dropped.Record != 0 || dropped.Bytes != int64(size) || !strings.Contains(dropped.String(), "beginning") {
				t.Errorf("%d bytes: dropped %v", size, dropped)
			}
		default:
			if dropped == nil || dropped.Record != whole+1 || dropped.Offset != int64(starts[whole]) ||
				dropped.Bytes != int64(size-starts[whole]) || !strings.Contains(dropped.String(), dropped.Reason) {
				t.Errorf("%d bytes: dropped %v", size, dropped)
			}
		}
		// It goes on from there.
		mustAppend(t, j, "one more")
		mustClose(t, j)
		j, again, dropped := openReplayed(t, path)
		if want := append(got[:len(got):len(got)], "one more"); !reflect.DeepEqual(again, want) || dropped != nil {
			t.Fatalf("%d bytes, and one more: %q, dropped %v", size, again, dropped)
		}
		mustClose(t, j)
	}
}

// TestEveryFlip changes each byte of a file in several ways. Only in the last
// record can that be taken for an interrupted write.
func TestEveryFlip(t *testing.T) {
	path, content, starts := fileOf(t, three...)
	for at := range content {
		for _, flip := range []byte{0x01, 0x80, 0xFF, content[at] /* to zero */} {
			if flip == 0 {
				continue
			}
			changed := bytes.Clone(content)
			changed[at] ^= flip
			rewrite(t, path, changed)
			what := fmt.Sprintf("byte %d changed by %02X", at, flip)

			if at < starts[0] {
				if j, err := Open(path, Options{}); err == nil {
					j.Close()
					t.Errorf("%s, in the file's header: opened", what)
				} else if !strings.Contains(err.Error(), path) {
					t.Errorf("%s: error without the path: %v", what, err)
				}
				checkFile(t, path, changed)
				continue
			}
			record := 0
			for at >= starts[record+1] {
				record++
			}
			j, err := Open(path, Options{})
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			var got []string
			dropped, err := j.Replay(func(p []byte) error { got = append(got, string(p)); return nil })
			if len(got) != record || record > 0 && !reflect.DeepEqual(got, three[:record]) {
				t.Fatalf("%s: records %q", what, got)
			}
			if record == len(three)-1 {
				if err != nil || dropped == nil || dropped.Record != record+1 || dropped.Offset != int64(starts[record]) {
					t.Errorf("%s, in the last record: dropped %v, %v", what, dropped, err)
				}
				checkFile(t, path, content[:starts[record]])
				mustClose(t, j)
				continue
			}
			var damage *DamageError
			if !errors.As(err, &damage) || dropped != nil {
				t.Fatalf("%s: dropped %v, %v", what, dropped, err)
			}
			if damage.Record != record+1 || damage.Offset != int64(starts[record]) {
				t.Errorf("%s: told as record %d at byte %d, is record %d at %d", what, damage.Record, damage.Offset, record+1, starts[record])
			}
			for _, part := range []string{path, fmt.Sprintf("record %d, at byte %d,", record+1, starts[record]), fmt.Sprintf("truncate -s %d %s", starts[record], path)} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: no %q in: %v", what, part, err)
				}
			}
			if err := j.Append([]byte("more")); err == nil {
				t.Errorf("%s: appended to a damaged journal", what)
			}
			mustClose(t, j)
			checkFile(t, path, changed)
		}
	}
}

func checkFile(t *testing.T, path string, want []byte) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("file has %d bytes (%v), want %d, or they differ", len(got), err, len(want))
	}
}

// TestDamageWithoutLaterRecords: a record written under SyncEach was on disk
// before anything came behind it, readable or not.
func TestDamageWithoutLaterRecords(t *testing.T) {
	path, content, starts := fileOf(t, three...)
	content[starts[2]] ^= 1   // the last header
	content[starts[2]-1] ^= 1 // the payload before it
	rewrite(t, path, content)
	j, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	var damage *DamageError
	if _, err := j.Replay(func([]byte) error { return nil }); !errors.As(err, &damage) || damage.Record != 2 {
		t.Fatalf("got %v", err)
	}
}

// TestDamageFarFromTheNextRecord has the next header on both sides of each step
// of the search.
func TestDamageFarFromTheNextRecord(t *testing.T) {
	for _, size := range []int{256<<10 - 60, 256<<10 - 25, 256<<10 - 24, 256<<10 - 23, 256 << 10, 256<<10 + 1, 1 << 20} {
		path, content, starts := fileOf(t, strings.Repeat("x", size), "next")
		content[starts[0]+5] ^= 1
		rewrite(t, path, content)
		j, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var damage *DamageError
		if _, err := j.Replay(func([]byte) error { return nil }); !errors.As(err, &damage) || damage.Record != 1 {
			t.Errorf("payload of %d bytes: %v", size, err)
		}
		mustClose(t, j)
	}
}

// TestDamageUnderSyncNever: only a start says what is on disk.
func TestDamageUnderSyncNever(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		d := &disk{}
		j := openOn(t, d, Options{Sync: SyncNever})
		replayAll(t, j)
		mustAppend(t, j, three...)
		if restarted {
			mustClose(t, j)
			j = openOn(t, d, Options{Sync: SyncNever})
			replayAll(t, j)
		}
		mustAppend(t, j, "another")
		mustClose(t, j)
		d.data[fileHeaderSize+recordHeaderSize]++ // in the first payload
		j = openOn(t, d, Options{Sync: SyncNever})
		dropped, err := j.Replay(func([]byte) error { return nil })
		var damage *DamageError
		switch {
		case restarted && (!errors.As(err, &damage) || damage.Record != 1):
			t.Errorf("damage to what was there at the last start: dropped %v, %v", dropped, err)
		case !restarted && (err != nil || dropped == nil || dropped.Record != 1):
			t.Errorf("damage to what was never synced: dropped %v, %v", dropped, err)
		}
		mustClose(t, j)
	}
}

// TestRecordInsideAPayload: the last write is torn, and its payload holds what
// would prove that it was on disk, were it a record of this file and place.
func TestRecordInsideAPayload(t *testing.T) {
	for _, test := range []struct {
		name   string
		salt   byte  // added to the file's
		offset int64 // added to the true one
		proof  bool
	}{
		{name: "of another file", salt: 1},
		{name: "of another place", offset: 1},
		{name: "of this file and place", proof: true}, // what nobody can make from outside
	} {
		t.Run(test.name, func(t *testing.T) {
			d := &disk{}
			j := openOn(t, d, Options{})
			replayAll(t, j)
			mustAppend(t, j, three...)
			start := j.end
			salt := j.salt
			salt[0] += test.salt
			const before = "some bytes"
			inside := start + recordHeaderSize + int64(len(before))
			forged := appendRecord([]byte(before), &salt, inside+test.offset, start+1, true, []byte("forged"))
			forged = append(forged, "the end of it"...)
			if _, ok := parseRecordHeader(forged[len(before):], &j.salt, inside); ok != test.proof {
				t.Fatalf("a header for this file and place: %v", ok)
			}
			mustAppend(t, j, string(forged))
			mustClose(t, j)

			d.data = d.data[:len(d.data)-3]
			j = openOn(t, d, Options{})
			var got []string
			dropped, err := j.Replay(func(p []byte) error { got = append(got, string(p)); return nil })
			if !reflect.DeepEqual(got, three) {
				t.Errorf("records %q", got)
			}
			if (err != nil) != test.proof || !test.proof && (dropped == nil || dropped.Offset != start) {
				t.Errorf("dropped %v, %v", dropped, err)
			}
			mustClose(t, j)
		})
	}
}

// TestCrashes loses power at random moments. What was synced is there after
// it, as is nothing but a beginning of what was appended, and the journal goes
// on.
func TestCrashes(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		opts := []Options{{}, {Sync: SyncInterval, Interval: time.Hour}, {Sync: SyncNever}}[seed%3]
		d := &disk{}
		var kept []string // what the journal must hold at the next start
		for start := range 6 {
			j := openOn(t, d, opts)
			got, _ := replayAll(t, j)
			if len(got) < len(kept) {
				t.Fatalf("seed %d, start %d: %d records are left of %d that were on disk", seed, start, len(got), len(kept))
			}
			all := got
			durable := len(got) // Replay syncs
			for range r.IntN(8) {
				switch r.IntN(8) {
				case 0:
					d.room = len(d.data) + r.IntN(20)
				case 1:
					d.failSync = syscall.EIO
				case 2:
					if opts.Sync == SyncInterval && j.syncNow() == nil {
						durable = len(all)
					}
				}
				record := fmt.Sprintf("%d.%d %s", start, len(all), strings.Repeat("x", r.IntN(100)))
				if j.Append([]byte(record)) == nil {
					all = append(all, record)
					if opts.Sync == SyncEach {
						durable = len(all)
					}
				}
				d.room, d.failSync = 0, nil
			}
			crashed := d.crash(r)
			j.Close()
			d = crashed

			// What is read next time begins with what is certain, and is a
			// beginning of everything.
			kept = all[:durable:durable]
			check := openOn(t, &disk{data: bytes.Clone(d.data)}, opts)
			after, _ := replayAll(t, check)
			check.Close()
			if len(after) < durable || len(after) > len(all) || len(after) > 0 && !reflect.DeepEqual(after, all[:len(after)]) {
				t.Fatalf("seed %d, start %d: %d of %d records (%d on disk) after a crash:\n%q\n%q", seed, start, len(after), len(all), durable, after, all)
			}
		}
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _, _ := openReplayed(t, path)
	mustAppend(t, j, three...)
	_, err := Open(path, Options{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Fatalf("opened twice: %v", err)
	}
	mustAppend(t, j, "still fine")
	mustClose(t, j)
	j, got, _ := openReplayed(t, path)
	if len(got) != 4 {
		t.Errorf("records %q", got)
	}
	mustClose(t, j)
}

func TestFailedAppendLeavesNoTrace(t *testing.T) {
	full := func(d *disk) { d.room = len(d.data) + 30 }
	for name, fail := range map[string]func(*disk){
		"disk full":                 full,
		"disk full at once":         func(d *disk) { d.room = len(d.data) },
		"disk full, header cut":     func(d *disk) { d.room = len(d.data) + 7 },
		"write fails":               func(d *disk) { d.failWrite = syscall.EIO },
		"disk full, told by sync":   func(d *disk) { d.fullSyncs = 1 },
		"sync fails":                func(d *disk) { d.failSync = syscall.EIO },
		"disk full, truncate fails": func(d *disk) { full(d); d.failTruncate = syscall.EIO },
	} {
		t.Run(name, func(t *testing.T) {
			d := &disk{}
			j := openOn(t, d, Options{})
			replayAll(t, j)
			mustAppend(t, j, three...)
			before := bytes.Clone(d.data)

			fail(d)
			broken := d.failTruncate != nil || d.failSync != nil
			err := j.Append([]byte("no room for this one"))
			if err == nil || !strings.Contains(err.Error(), "record 4") {
				t.Fatalf("got %v", err)
			}
			if want := broken; strings.Contains(err.Error(), "opened again") != want {
				t.Errorf("must be opened again: want %v in: %v", want, err)
			}
			if !broken && !bytes.Equal(d.data, before) {
				t.Error("the failed append left something in the file")
			}

			d.room, d.failWrite, d.failSync, d.failTruncate = 0, nil, nil, nil
			want := append(three[:3:3], "after it")
			if err := j.Append([]byte("after it")); broken != (err != nil) {
				t.Fatalf("the next append: %v", err)
			}
			j.Close()
			if broken {
				want = three
			}
			j = openOn(t, d, Options{})
			got, dropped := replayAll(t, j)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("records %q, dropped %v", got, dropped)
			}
			mustClose(t, j)
		})
	}
}

func TestSyncInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		j := openOn(t, d, Options{Sync: SyncInterval, Interval: time.Second})
		replayAll(t, j)
		lost := func() int {
			synctest.Wait()
			d.mu.Lock()
			defer d.mu.Unlock()
			return len(d.wrote)
		}
		for range 3 {
			mustAppend(t, j, three...)
			time.Sleep(999 * time.Millisecond)
			if lost() != 3 {
				t.Errorf("%d writes not on disk before the interval, want 3", lost())
			}
			time.Sleep(time.Millisecond)
			if lost() != 0 {
				t.Errorf("%d writes not on disk after the interval", lost())
			}
			time.Sleep(time.Minute)
		}
		mustAppend(t, j, "last")
		mustClose(t, j)
		if lost() != 0 {
			t.Errorf("%d writes not on disk after Close", lost())
		}
	})
}

func TestSyncIntervalFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		j := openOn(t, d, Options{Sync: SyncInterval, Interval: time.Second})
		replayAll(t, j)
		mustAppend(t, j, three...)
		d.fail(syscall.EIO)
		time.Sleep(time.Second)
		synctest.Wait()
		d.fail(nil)
		if err := j.Append([]byte("more")); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "opened again") {
			t.Errorf("append after a failed sync: %v", err)
		}
		if err := j.Close(); !errors.Is(err, syscall.EIO) {
			t.Errorf("close after a failed sync: %v", err)
		}
	})
}

func TestReplayStops(t *testing.T) {
	path, content, starts := fileOf(t, three...)
	rewrite(t, path, append(content, "torn"...))
	j, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("not a ledger")
	calls := 0
	_, err = j.Replay(func([]byte) error {
		if calls++; calls == 2 {
			return cause
		}
		return nil
	})
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), fmt.Sprintf("record 2, at byte %d", starts[1])) || calls != 2 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if err := j.Append([]byte("x")); err == nil {
		t.Error("appended without a replay")
	}
	mustClose(t, j)
	checkFile(t, path, append(content, "torn"...))
}

// TestReadErrors: a disk that cannot be read is no interrupted write.
func TestReadErrors(t *testing.T) {
	d := &disk{}
	j := openOn(t, d, Options{})
	replayAll(t, j)
	mustAppend(t, j, three...)
	mustClose(t, j)
	size := len(d.data)
	d.data[size-1] ^= 1

	j = openOn(t, d, Options{})
	calls := 0
	d.failRead = syscall.EIO
	if _, err := j.Replay(func([]byte) error { calls++; return nil }); !errors.Is(err, syscall.EIO) {
		t.Errorf("replay: %v", err)
	}
	if _, err := open("disk", Options{}, d); !errors.Is(err, syscall.EIO) {
		t.Errorf("open: %v", err)
	}
	if len(d.data) != size {
		t.Error("cut off what could not be read")
	}
	mustClose(t, j)
}

func TestWrongUse(t *testing.T) {
	j, _, _ := openReplayed(t, filepath.Join(t.TempDir(), "journal"))
	if _, err := j.Replay(func([]byte) error { return nil }); err == nil {
		t.Error("replayed twice")
	}
	if err := j.Append(make([]byte, MaxPayload+1)); err == nil || !strings.Contains(err.Error(), "more than a record can hold") {
		t.Errorf("too large a payload: %v", err)
	}
	mustAppend(t, j, "and goes on")
	mustClose(t, j)
	if err := j.Append(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if _, err := j.Replay(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("replay after close: %v", err)
	}
	if err := j.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("second close: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	_, content, _ := fileOf(t, three...)
	newer, _ := newFileHeader()
	newer[11]++
	restamp(newer)
	for _, test := range []struct {
		name, want string
		content    []byte
		opts       Options
	}{
		{name: "another kind of file", content: []byte("SQLite format 3\x00 and more"), want: "not a journal"},
		{name: "a short text", content: []byte("hello\n"), want: "not a journal"},
		{name: "zeros where the header was", content: append(make([]byte, fileHeaderSize), content[fileHeaderSize:]...), want: "header (its first 24 bytes) is damaged"},
		{name: "a newer format", content: newer, want: "format version 2 and this program reads version 1"},
		{name: "no interval", content: content, opts: Options{Sync: SyncInterval}, want: "must be positive"},
		{name: "unknown sync", content: content, opts: Options{Sync: 7}, want: "no such sync option: 7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			rewrite(t, path, test.content)
			j, err := Open(path, test.opts)
			if err == nil {
				j.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %q and the path in it", err, test.want)
			}
			checkFile(t, path, test.content)
		})
	}
	t.Run("a directory", func(t *testing.T) {
		if _, err := Open(t.TempDir(), Options{}); err == nil {
			t.Error("opened")
		}
	})
	t.Run("no directory", func(t *testing.T) {
		if _, err := Open(filepath.Join(t.TempDir(), "none", "journal"), Options{}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no regular file", func(t *testing.T) {
		if _, err := Open(os.DevNull, Options{}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("got %v", err)
		}
	})
}
