//go:build unix

package config

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Nobody writes to the pipe: to open it would be to wait for ever.
func TestSecretPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	if _, err := SecretFile(path); err == nil || !strings.Contains(err.Error(), "is no plain file") {
		t.Errorf("%v", err)
	}
}
