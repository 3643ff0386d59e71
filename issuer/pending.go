package issuer

import (
	"errors"
	"fmt"
	"sync"

	"github.com/xrplissuer/credential-issuer/model"
)

// pendings remembers transactions whose callers were told that they may still happen. Until a validated ledger has
// decided, the same is not sent again: it could only fail, for a fee. What is remembered is forgotten with the process;
// then the result of a second transaction tells. The zero value is ready.
type pendings struct {
	mu sync.Mutex
	m  map[credentialKey]model.Pending
}

// longPast is more ledgers than lie between any two transactions that can both still happen.
const longPast = 10_000

// note remembers what err says may still happen, and forgets what is long past.
func (p *pendings) note(key credentialKey, err error) {
	var e *model.Error
	if !errors.As(err, &e) || e.Pending == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, old := range p.m {
		if uint64(old.LastLedgerSequence)+longPast < uint64(e.Pending.LastLedgerSequence) {
			delete(p.m, k)
		}
	}
	if p.m == nil {
		p.m = map[credentialKey]model.Pending{}
	}
	p.m[key] = *e.Pending
}

// any says whether something is remembered for key.
func (p *pendings) any(key credentialKey) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.m[key]
	return ok
}

// check returns an error while a transaction for key may still get into a ledger after the given one. decided says that
// the ledger shows it to have happened.
func (p *pendings) check(key credentialKey, decided bool, ledger uint32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	pending, ok := p.m[key]
	if !ok {
		return nil
	}
	if decided || pending.LastLedgerSequence <= ledger {
		delete(p.m, key)
		return nil
	}
	return &model.Error{
		Code: model.CodeLedgerUnavailable,
		Message: fmt.Sprintf("an earlier request for the same is not decided yet, and nothing more was sent; its transaction may be validated up to ledger %d",
			pending.LastLedgerSequence),
		Pending: &pending,
	}
}
