package sandbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/journal"
)

// storeName is the file of the data directory that holds the ledger. Its first record gives the version of the file and the close
// time of ledger 2. Each other record is a closed ledger, from ledger 3 on, in the engine's form.
const storeName = "ledger.journal"

// genesisVersion is the version of stored ledgers that this build replays. Versions 1 and 2 were ledgers of rippled 2.3.0 and
// 2.4.0, whose rules differ.
const genesisVersion = 3

// OldLedgerError reports a stored ledger of an earlier version of this program. Replaying it would give other ledgers.
type OldLedgerError struct {
	// Path is the file of the ledger.
	Path string
}

func (e *OldLedgerError) Error() string {
	return fmt.Sprintf("%s holds a ledger of an earlier release, whose rules differ from xrpld %s: move the file away to start a fresh ledger, "+
		"or use the release that wrote it", e.Path, buildVersion)
}

func genesisRecord(closeTime uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{'G', genesisVersion}, closeTime)
}

func parseGenesisRecord(b []byte, path string) (closeTime uint32, err error) {
	const size = 2 + 4
	switch {
	case len(b) < size || b[0] != 'G' || b[1] == 0 || b[1] > genesisVersion:
	case b[1] < genesisVersion:
		return 0, &OldLedgerError{path}
	case len(b) == size:
		return binary.BigEndian.Uint32(b[2:]), nil
	}
	return 0, errors.New("its first record does not say how the ledger began")
}

// openLedger makes the ledger: a fresh one, or the one that is stored.
func (s *Server) openLedger(ctx context.Context) error {
	cfg := engine.Config{Now: s.cfg.Now, GenesisCloseTime: s.cfg.GenesisCloseTime, Capacity: s.cfg.LedgerCapacity, TrackClock: s.closesByItself()}
	if s.cfg.DataDir == "" {
		var err error
		if s.node, err = engine.New(cfg); err != nil {
			return fmt.Errorf("making a fresh ledger: %w", err)
		}
		return nil
	}
	if err := os.MkdirAll(s.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	path := filepath.Join(s.cfg.DataDir, storeName)
	store, err := journal.Open(path, journal.Options{})
	if errors.Is(err, journal.ErrLocked) {
		return fmt.Errorf("%s is in use by another process: stop it, or name another data directory: %w", path, err)
	}
	if err != nil {
		return fmt.Errorf("opening the ledger's file: %w", err)
	}
	if err := s.replay(ctx, store, path, cfg); err != nil {
		return errors.Join(err, store.Close())
	}
	s.store = store
	return nil
}

func (s *Server) replay(ctx context.Context, store *journal.Journal, path string, cfg engine.Config) error {
	// The engine calls Commit with each ledger that closes, before anybody can see it: what was told of is stored.
	cfg.Commit = store.Append
	dropped, err := store.Replay(func(payload []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.node != nil {
			return s.node.Replay(payload)
		}
		at, err := parseGenesisRecord(payload, path)
		if err != nil {
			return err
		}
		if want := s.cfg.GenesisCloseTime; want != nil && *want != at {
			return fmt.Errorf("its ledger 2 closed at %d, not at the genesis close time %d that is asked for: leave that out, or name another data directory",
				at, *want)
		}
		cfg.GenesisCloseTime = &at
		s.node, err = engine.New(cfg)
		return err
	})
	var damage *journal.DamageError
	var old *OldLedgerError
	switch {
	case errors.As(err, &old):
		return old
	case errors.As(err, &damage):
		return fmt.Errorf("the stored ledger cannot be read: %w. Put back a copy of %s, or move the file away to begin with a fresh ledger", err, path)
	case err != nil:
		return fmt.Errorf("replaying the ledger of %s: %w", path, err)
	}
	if dropped != nil {
		s.log.Warn("the last ledger was not stored whole, and is dropped", "file", path, "what", dropped.String())
	}
	if s.node != nil {
		return nil
	}
	if s.node, err = engine.New(cfg); err != nil {
		return fmt.Errorf("making a fresh ledger: %w", err)
	}
	if err := store.Append(genesisRecord(s.node.Closed().CloseTime)); err != nil {
		return fmt.Errorf("storing how the ledger began: %w", err)
	}
	return nil
}
