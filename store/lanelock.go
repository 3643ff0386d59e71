package store

import (
	"os"
	"sync"

	"github.com/xrplissuer/credential-issuer/model"
)

// laneLocks are locks on files beside an SQLite database, one for each lane that this process holds. They end with the
// process, however it ends, so that the next one need not wait for the lease.
type laneLocks struct {
	prefix string // the database's path
	mu     sync.Mutex
	held   map[model.Address]*os.File
}

func (l *laneLocks) has(issuer model.Address) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[issuer] != nil
}

// take tries to get an account's lock. It says whether this process has it.
func (l *laneLocks) take(issuer model.Address) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[issuer] != nil {
		return true
	}
	if _, err := model.ParseAddress(string(issuer)); err != nil {
		return false // it becomes part of a file's name
	}
	f, err := os.OpenFile(l.prefix+"-lane-"+string(issuer), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false // the lease decides
	}
	if lockFile(f) != nil {
		_ = f.Close()
		return false
	}
	if l.held == nil {
		l.held = map[model.Address]*os.File{}
	}
	l.held[issuer] = f
	return true
}

func (l *laneLocks) release(issuer model.Address) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.held[issuer]; f != nil {
		_ = f.Close()
		delete(l.held, issuer)
	}
}

func (l *laneLocks) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for issuer, f := range l.held {
		_ = f.Close()
		delete(l.held, issuer)
	}
}
