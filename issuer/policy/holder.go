package policy

import (
	"sync"
	"sync/atomic"
)

// Holder has the policies that hold now. It is safe for simultaneous use.
type Holder struct {
	dir     string
	current atomic.Pointer[Set]
	reload  sync.Mutex
}

// NewHolder loads a folder. The error is [Load]'s.
func NewHolder(dir string) (*Holder, error) {
	h := &Holder{dir: dir}
	if err := h.Reload(); err != nil {
		return nil, err
	}
	return h, nil
}

// Current returns the policies that hold now. A request does well to ask once, so that it is judged by one set.
func (h *Holder) Current() *Set { return h.current.Load() }

// Reload reads the folder anew. Where that has faults, what held before holds on, and the error says what is wrong; it is
// [Load]'s.
func (h *Holder) Reload() error { return h.ReloadIf(nil) }

// ReloadIf is Reload for whoever has more to ask of policies than that they are well-formed: those that check has an error for
// do not come to hold, and the error is that one.
func (h *Holder) ReloadIf(check func(*Set) error) error {
	h.reload.Lock()
	defer h.reload.Unlock()
	set, err := Load(h.dir)
	if err == nil && check != nil {
		err = check(set)
	}
	if err != nil {
		return err
	}
	h.current.Store(set)
	return nil
}
