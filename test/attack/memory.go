package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// memory is what a process holds of the machine's, in bytes.
type memory struct{ now, peak int64 }

// measure reads the resident set of a process as Linux tells it. The error says that this system does not.
func measure(pid int) (memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, err
	}
	var m memory
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		name, rest, _ := strings.Cut(s.Text(), ":")
		if name != "VmRSS" && name != "VmHWM" {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			return memory{}, fmt.Errorf("%s: %w", name, err)
		}
		if name == "VmRSS" {
			m.now = n << 10
		} else {
			m.peak = n << 10
		}
	}
	if m.now == 0 {
		return m, fmt.Errorf("/proc/%d/status holds no VmRSS", pid)
	}
	return m, nil
}

// forgetPeak has the peak counted from now on (man 5 proc_pid_clear_refs).
func forgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

func mebibytes(n int64) string { return fmt.Sprintf("%d", (n+1<<19)>>20) }
