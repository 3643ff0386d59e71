package journal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

func init() { childMain = appendWithinLimit }

// appendWithinLimit appends until the file may not grow, then as much as still
// fits, and prints how many records were stored.
func appendWithinLimit(path string) int {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 10_000, Max: 10_000}); err != nil {
		fmt.Println(err)
		return 1
	}
	j, err := Open(path, Options{})
	if err == nil {
		_, err = j.Replay(func([]byte) error { return nil })
	}
	for size := 1000; err == nil && size > 0; {
		switch err = j.Append([]byte(strings.Repeat("x", size))); {
		case err == nil:
			fmt.Println(size)
		case errors.Is(err, syscall.EFBIG):
			size, err = size/10, nil
		}
	}
	if err == nil {
		err = j.Close()
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// TestFileSizeLimit has a real file system refuse the middle of a write.
func TestFileSizeLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+path)
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sizes := strings.Fields(string(out))
	j, got, dropped := openReplayed(t, path)
	defer mustClose(t, j)
	var stored []string
	for _, r := range got {
		stored = append(stored, fmt.Sprint(len(r)))
	}
	if !reflect.DeepEqual(stored, sizes) || dropped != nil {
		t.Errorf("stored %v, dropped %v; the process said %v", stored, dropped, sizes)
	}
	if j.end < 9_900 || len(stored) < 10 || stored[len(stored)-1] == "1000" {
		t.Errorf("%v, %d bytes, did not go on after the first refusal", stored, j.end)
	}
}

// TestFullFileSystem has one run full and get room again.
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("needs the right to mount a small file system: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 40<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "journal")
	j, _, _ := openReplayed(t, path)
	record := strings.Repeat("x", 5000)
	stored := 0
	var err error
	for ; stored < 20; stored++ {
		if err = j.Append([]byte(record)); err != nil {
			break
		}
	}
	if !errors.Is(err, syscall.ENOSPC) || stored == 0 {
		t.Fatalf("%d records stored, %v", stored, err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, record)
	mustClose(t, j)
	j, got, dropped := openReplayed(t, path)
	if len(got) != stored+1 || dropped != nil {
		t.Errorf("%d records, stored %d; dropped %v", len(got), stored+1, dropped)
	}
	mustClose(t, j)
}
