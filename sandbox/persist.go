package sandbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/journal"
)

// storeName is the file of the data directory that holds the ledger. Its first record says when ledger 2 closed and which later
// amendments there are; each other is a closed ledger, from ledger 3 on, in the engine's form.
const storeName = "ledger.journal"

// genesisRecord is the first record: its version, ledger 2's close time, and the names of the later amendments with commas between.
// The first version had no names, since there were no such amendments.
const (
	genesisVersion      = 2
	firstGenesisVersion = 1
	genesisHeader       = 2 + 4
)

func genesisRecord(closeTime uint32, amendments []string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{'G', genesisVersion}, closeTime)
	return append(b, strings.Join(amendments, ",")...)
}

func parseGenesisRecord(b []byte) (closeTime uint32, amendments []string, err error) {
	if len(b) < genesisHeader || b[0] != 'G' || b[1] != genesisVersion && (b[1] != firstGenesisVersion || len(b) != genesisHeader) {
		return 0, nil, errors.New("its first record does not say how the ledger began")
	}
	if names := string(b[genesisHeader:]); names != "" {
		amendments = strings.Split(names, ",")
	}
	return binary.BigEndian.Uint32(b[2:]), amendments, nil
}

// openLedger makes the ledger: a fresh one, or the one that is stored.
func (s *Server) openLedger(ctx context.Context) error {
	cfg := engine.Config{Now: s.cfg.Now, GenesisCloseTime: s.cfg.GenesisCloseTime, Capacity: s.cfg.LedgerCapacity, Amendments: s.cfg.Amendments}
	if s.cfg.Amendments == nil {
		cfg.Amendments = LaterAmendments()
	}
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
		at, amendments, err := parseGenesisRecord(payload)
		if err != nil {
			return err
		}
		if want := s.cfg.Amendments; want != nil && !sameNames(want, amendments) {
			return fmt.Errorf("its ledger was made with %s, not with %s as is asked for: leave that out, or name another data directory",
				namesOf(amendments), namesOf(want))
		}
		if want := s.cfg.GenesisCloseTime; want != nil && *want != at {
			return fmt.Errorf("its ledger 2 closed at %d, not at the genesis close time %d that is asked for: leave that out, or name another data directory",
				at, *want)
		}
		cfg.GenesisCloseTime, cfg.Amendments = &at, amendments
		s.node, err = engine.New(cfg)
		return err
	})
	var damage *journal.DamageError
	switch {
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
	if err := store.Append(genesisRecord(s.node.Closed().CloseTime, cfg.Amendments)); err != nil {
		return fmt.Errorf("storing how the ledger began: %w", err)
	}
	return nil
}
