package store

import (
	"context"
	"database/sql"
	"sync"
)

// prepared holds the statements that read SQLite, by their texts. There are few texts, as they never vary. Taking one of them
// apart took longer than running it.
type prepared struct {
	mu   sync.Mutex
	made map[string]*sql.Stmt
}

// query reads. PostgreSQL's driver remembers statements by itself.
func (s *Store) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if s.d != &sqliteDialect {
		return s.readDB.QueryContext(ctx, text, args...)
	}
	if err := s.file.check(); err != nil { // statements go past the connection
		return nil, err
	}
	stmt, err := s.prepared.get(ctx, s.readDB, text)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

func (p *prepared) get(ctx context.Context, db *sql.DB, text string) (*sql.Stmt, error) {
	p.mu.Lock()
	stmt := p.made[text]
	p.mu.Unlock()
	if stmt != nil {
		return stmt, nil
	}
	made, err := db.PrepareContext(ctx, text) // not under the lock: it waits for a connection
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if stmt = p.made[text]; stmt != nil { // another was faster
		return stmt, made.Close()
	}
	if p.made == nil {
		p.made = map[string]*sql.Stmt{}
	}
	p.made[text] = made
	return made, nil
}

func (p *prepared) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	for _, stmt := range p.made {
		if e := stmt.Close(); err == nil {
			err = e
		}
	}
	p.made = nil
	return err
}
