//go:build unix

package policy

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Links lead to files of the same folder, as volumes of containers have them, and nowhere else; what is no file is not
// opened, as opening a pipe would wait for ever.
func TestLoadReadsFilesOfTheFolderAlone(t *testing.T) {
	link := func(dir, to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	mounted := t.TempDir()
	if err := os.Mkdir(filepath.Join(mounted, "..2026"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(mounted, "..2026", "a.yaml"), least)
	link(mounted, "..2026", "..data")
	link(mounted, "..data/a.yaml", "a.yaml")
	if set, err := Load(mounted); err != nil || len(set.Types()) != 1 {
		t.Errorf("a mounted volume: %v", err)
	}

	outside := folder(t, map[string]string{"secret.yaml": least})
	const noFile = "must be a regular file, or a link to one in this folder"
	for name, to := range map[string]string{
		"absolute": filepath.Join(outside, "secret.yaml"), "relative": "../" + filepath.Base(outside) + "/secret.yaml",
		"passwd": "/etc/passwd", "nowhere": "gone.yaml", "itself": "a.yaml", "device": "/dev/zero",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			link(dir, to, "a.yaml")
			wantFault(t, dir, "a.yaml: "+noFile)
		})
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "a.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	wantFault(t, dir, "a.yaml: "+noFile)
	dir = t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "a.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFault(t, dir, "a.yaml: "+noFile)
	dir = folder(t, map[string]string{"a.yaml": least})
	if err := os.Mkdir(filepath.Join(dir, "more"), 0o700); err != nil {
		t.Fatal(err)
	}
	wantFault(t, dir, "more: must end in .yaml or .yml to be a policy")
	if os.Getuid() != 0 {
		dir = folder(t, map[string]string{"a.yaml": least})
		if err := os.Chmod(filepath.Join(dir, "a.yaml"), 0); err != nil {
			t.Fatal(err)
		}
		wantFault(t, dir, "a.yaml: "+noFile+"; it cannot be read: permission denied")
	}
}
