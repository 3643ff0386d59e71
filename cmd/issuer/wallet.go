package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
)

// wallet is an account of the embedded ledger, with the seed that this program made for it.
type wallet struct {
	address model.Address
	seed    ledger.Seed
	// secret is the seed as text. That of the subject is shown, as it is there to be tried; that of the issuer never.
	secret string
}

// openWallet reads a wallet of the embedded ledger from its file, or has one made and keeps it there, for its owner's
// eyes alone.
func openWallet(path string, make func() (secret string, err error)) (wallet, error) {
	secret, err := keptSecret(path, make)
	if err != nil {
		return wallet{}, err
	}
	seed, err := ledger.ParseSeed(secret)
	if err != nil {
		return wallet{}, fmt.Errorf("%s: %w", path, err)
	}
	return wallet{address: seed.Address(), seed: seed, secret: secret}, nil
}

// keptSecret reads a secret from its file, or makes one and keeps it there.
func keptSecret(path string, make func() (string, error)) (string, error) {
	secret, err := config.SecretFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if secret, err = make(); err == nil {
			err = writeSecret(path, secret)
		}
	}
	return secret, err
}

// writeSecret makes a file that only its owner can read. It is whole or not there.
func writeSecret(path, secret string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = io.WriteString(f, secret+"\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// errNoSeed says what is missing, where nobody can be asked.
var errNoSeed = errors.New("ISSUER_ACCOUNT_SEED is not set: put the issuing account's seed there, or into a file that only you can read and that ISSUER_ACCOUNT_SEED_FILE names; or start the service on a terminal, and it asks")

// askSeed asks for the issuer's seed on a terminal, without showing what is typed.
func askSeed(ctx context.Context, c console) (ledger.Seed, error) {
	file, ok := c.in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return ledger.Seed{}, config.Faults{errNoSeed.Error()}
	}
	fd := int(file.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return ledger.Seed{}, fmt.Errorf("the terminal: %w", err)
	}
	if _, err := io.WriteString(c.err, "Issuer account seed: "); err != nil {
		return ledger.Seed{}, err
	}
	type typed struct {
		text []byte
		err  error
	}
	// A read of a terminal cannot be interrupted. One that is under way when the context ends is left behind: the
	// program ends then too.
	answer := make(chan typed, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		answer <- typed{text, err}
	}()
	select {
	case a := <-answer:
		_, _ = io.WriteString(c.err, "\n")
		if a.err != nil {
			return ledger.Seed{}, fmt.Errorf("the seed could not be read: %w", a.err)
		}
		return ledger.ParseSeed(string(a.text))
	case <-ctx.Done():
		_, _ = io.WriteString(c.err, "\n")
		return ledger.Seed{}, errors.Join(ctx.Err(), term.Restore(fd, before))
	}
}
