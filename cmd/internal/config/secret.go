package config

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// maxSecretFile is more than any seed or private key needs.
const maxSecretFile = 16 << 10

// exposed says whether others than those who should may read or change a file. handedOver is one that root has given to the user
// that this program runs as.
func exposed(mode fs.FileMode, handedOver bool) bool {
	if handedOver {
		return mode&0o037 != 0
	}
	return runtime.GOOS != "windows" && mode&0o077 != 0
}

// SecretFile reads a secret, which is not empty, from a [PrivateFile].
func SecretFile(path string) (string, error) {
	text, err := PrivateFile(path, maxSecretFile)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(text)
	if secret == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return secret, nil
}

// PrivateFile reads a file of at most so many bytes that only its owner may read, or one of root's that its group may read too:
// that is how systemd (LoadCredential) and Kubernetes hand a secret to the user that a service runs as. No error holds
// anything of its content.
func PrivateFile(path string, most int64) (string, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // to open a pipe is to wait for who writes to it
		return "", fmt.Errorf("%s is no plain file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no plain file", path)
	}
	if mode := info.Mode().Perm(); exposed(mode, handedOver(info)) {
		return "", fmt.Errorf("%s can be read by others (mode %04o): chmod 600 %s", path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return "", err
	}
	if int64(len(text)) > most {
		return "", fmt.Errorf("%s is too long: it must have at most %d bytes", path, most)
	}
	return Text(text), nil
}
