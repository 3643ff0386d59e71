package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

const (
	// embeddedStop is how long the embedded ledger may take to end.
	embeddedStop = 10 * time.Second
	// furnishTime is how long making and funding two accounts may take.
	furnishTime = time.Minute
	// leastFree is what an account of the sandbox should have beyond its reserve, and grant what it is given, in drops:
	// 100 XRP, and enough for five million credentials.
	leastFree, grant = 100_000_000, 1_000_000_000_000
	// firstType is the credential type of the printed examples, as in the tutorial.
	firstType model.CredentialType = "TestCredential"
	// mostTypes bounds the search for a type that the subject does not hold yet.
	mostTypes = 10_000
)

// embedded is the embedded ledger in this process, and what this program keeps beside it: a folder with the ledger's
// file and the seeds of two accounts, readable by its owner alone.
type embedded struct {
	server        *sandbox.Server
	dir           string
	closeInterval time.Duration
}

func startEmbedded(ctx context.Context, s settings, log *slog.Logger) (*embedded, error) {
	dir := filepath.Join(s.dataDir, "sandbox")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, dataFault(s.dataDir, err)
	}
	start := func() (*sandbox.Server, error) {
		return sandbox.Start(context.WithoutCancel(ctx), sandbox.Config{
			Listen: s.sandboxListen, CloseInterval: s.closeInterval, DataDir: dir, Logger: log.With("room", "sandbox"),
		})
	}
	server, err := start()
	var old *sandbox.OldLedgerError
	if errors.As(err, &old) {
		moved, moveErr := moveAside(s.dataDir, time.Now())
		if moveErr != nil {
			return nil, dataFault(s.dataDir, moveErr)
		}
		log.Warn("sandbox data of an earlier release moved aside", "directory", moved, "cause", old)
		if err = os.MkdirAll(dir, 0o700); err == nil {
			server, err = start()
		}
	}
	if err != nil {
		return nil, embeddedFault(s, err)
	}
	return &embedded{server: server, dir: dir, closeInterval: s.closeInterval}, nil
}

// moveAside moves the sandbox's data to a directory of its own in dataDir and returns its path: the ledger, its wallets, and the
// journal of the service that belongs to that ledger. Nothing is deleted.
func moveAside(dataDir string, now time.Time) (string, error) {
	moved := filepath.Join(dataDir, "sandbox-before-"+now.UTC().Format("20060102T150405"))
	if err := os.Mkdir(moved, 0o700); err != nil {
		return "", err
	}
	journal := filepath.Base(journalFile(dataDir))
	for _, name := range []string{"sandbox", journal, journal + "-wal", journal + "-shm"} {
		err := os.Rename(filepath.Join(dataDir, name), filepath.Join(moved, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return moved, nil
}

// embeddedFault says what to do about an embedded ledger that does not start: its address, its folder or what is in it.
func embeddedFault(s settings, err error) error {
	var network *net.OpError
	var files *os.PathError
	switch {
	case errors.As(err, &network):
		return listenFault("SANDBOX_LISTEN", s.sandboxListen, err)
	case errors.As(err, &files):
		return dataFault(s.dataDir, err)
	}
	return fmt.Errorf("DATA_DIR: the embedded ledger in %s does not start: %w", s.dataDir, err)
}

func dataFault(dir string, err error) error {
	return fmt.Errorf("DATA_DIR: the embedded ledger cannot be kept in %s: set DATA_DIR to a folder that this user may write to (%w)", dir, err)
}

func (e *embedded) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), embeddedStop)
	defer cancel()
	return e.server.Close(ctx)
}

// furnish sees to it that the issuer and a subject have accounts with XRP, and tells the settings and the banner.
func (e *embedded) furnish(ctx context.Context, client *ledger.Client, s *settings, b *banner) error {
	ctx, cancel := context.WithTimeout(ctx, furnishTime)
	defer cancel()
	var issuer, subject wallet
	group, groupContext := errgroup.WithContext(ctx)
	if s.seed == nil {
		group.Go(func() (err error) {
			issuer, err = e.open(groupContext, "issuer.seed")
			return err
		})
	}
	group.Go(func() (err error) {
		subject, err = e.open(groupContext, "subject.seed")
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if s.seed == nil {
		s.seed = &issuer.seed
	}
	account := s.account
	if account == "" {
		account = s.seed.Address()
	}
	for _, address := range []model.Address{account, subject.address} {
		if err := e.replenish(ctx, client, address); err != nil {
			return fmt.Errorf("fund %s: %w", address, err)
		}
	}
	b.subject = &subject
	if listen := e.server.Addr(); listen != sandbox.DefaultListen {
		b.sandboxListen = config.Dialable(listen)
	}
	return nil
}

// open reads a wallet from its file, or has an account made and keeps its seed there.
func (e *embedded) open(ctx context.Context, name string) (wallet, error) {
	w, err := openWallet(filepath.Join(e.dir, name), func() (string, error) {
		made, err := e.fund(ctx, "")
		return made.Seed.Reveal(), err
	})
	if err != nil {
		return wallet{}, fmt.Errorf("the wallet in %s: %w", filepath.Join(e.dir, name), err)
	}
	return w, nil
}

// fund pays from the genesis account, and returns when that is validated. Where ledgers close only on command, this is
// one.
func (e *embedded) fund(ctx context.Context, to model.Address) (sandbox.Account, error) {
	account, err := e.server.Fund(ctx, to.String(), grant)
	if err == nil && e.closeInterval == 0 {
		_, err = e.server.Accept(ctx)
	}
	return account, err
}

// replenish funds an account that is not on the ledger, because that was taken away, or that has little left.
func (e *embedded) replenish(ctx context.Context, client *ledger.Client, address model.Address) error {
	l, err := client.Ledger(ctx)
	if err != nil {
		return err
	}
	account, err := client.Account(ctx, address)
	if err != nil && model.CodeOf(err) != model.CodeAccountNotFound {
		return err
	}
	if err == nil && account.Balance-l.Reserve(account.OwnerCount) >= leastFree {
		return nil
	}
	_, err = e.fund(ctx, address)
	return err
}

// unused returns a credential type that the issuer has not issued to the subject, for the printed examples.
func unused(ctx context.Context, client *ledger.Client, subject, issuer model.Address) (model.CredentialType, error) {
	for n := 1; n <= mostTypes; n++ {
		t := firstType
		if n > 1 {
			t += model.CredentialType(fmt.Sprint(n))
		}
		_, err := client.Credential(ctx, subject, issuer, t)
		if model.CodeOf(err) == model.CodeEntryNotFound {
			return t, nil
		}
		if err != nil {
			return "", err
		}
	}
	return firstType, nil
}
