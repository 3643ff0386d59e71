package issuer

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestKeyedLockOneAtATime(t *testing.T) {
	var l keyedLock
	var wg sync.WaitGroup
	inside := map[credentialKey]int{}
	var mu sync.Mutex
	add := func(k credentialKey, n int) {
		mu.Lock()
		defer mu.Unlock()
		if inside[k] += n; inside[k] > 1 {
			t.Errorf("%d at once for %v", inside[k], k)
		}
	}
	for n := range 200 {
		wg.Go(func() {
			k := credentialKey{"r", []model.CredentialType{"a", "b", "c", "d"}[n%4]}
			unlock, err := l.lock(t.Context(), k)
			if err != nil {
				t.Error(err)
				return
			}
			add(k, 1)
			add(k, -1)
			unlock()
		})
	}
	wg.Wait()
	if len(l.held) != 0 {
		t.Errorf("%d entries are left behind", len(l.held))
	}
}

// Another key does not wait, a caller whose context ends leaves, and the one behind it gets its turn.
func TestKeyedLockWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l keyedLock
		a, b := credentialKey{"r", "a"}, credentialKey{"r", "b"}
		unlockA, err := l.lock(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		unlockB, err := l.lock(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		unlockB()

		ctx, cancel := context.WithCancel(t.Context())
		left, served := make(chan error, 1), make(chan struct{})
		go func() { _, err := l.lock(ctx, a); left <- err }()
		go func() {
			unlock, err := l.lock(t.Context(), a)
			if err != nil {
				t.Error(err)
				return
			}
			unlock()
			close(served)
		}()
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("a caller whose context ended got %v", err)
		}
		select {
		case <-served:
			t.Error("two at once")
		default:
		}
		unlockA()
		<-served
		if len(l.held) != 0 {
			t.Errorf("%d entries are left behind", len(l.held))
		}
	})
}
