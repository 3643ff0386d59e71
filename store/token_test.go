package store

import (
	"crypto/sha256"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

func token(id, name string) model.Token {
	return model.Token{ID: id, Name: name, Role: model.RoleReviewer, Hash: sha256.Sum256([]byte(id))}
}

var byCLI = model.AuditEntry{Actor: "cli:root"}

func TestTokens(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		if any, err := h.AnyTokens(h.ctx()); any || err != nil {
			t.Errorf("at first: %t, %v", any, err)
		}
		one, two := token("id1", "nightly ü"), token("id2", "other")
		one.Expires = h.clock.Now().Add(time.Hour)
		h.ok(h.CreateToken(h.ctx(), one, byCLI))
		h.clock.advance(time.Second)
		h.ok(h.CreateToken(h.ctx(), two, byCLI))
		h.ok(h.CreateToken(h.ctx(), two, byCLI)) // once more
		h.code(h.CreateToken(h.ctx(), token("id3", "other"), byCLI), model.CodeTokenExists)
		stolen := token("id2", "third")
		stolen.Hash[0]++
		h.code(h.CreateToken(h.ctx(), stolen, byCLI), model.CodeInternal)
		one.Created, two.Created = h.clock.Now().Add(-time.Second), h.clock.Now()
		if got, err := h.Token(h.ctx(), "id1"); err != nil || !reflect.DeepEqual(got, one) {
			t.Errorf("%+v, %v, want %+v", got, err, one)
		}
		if got, err := h.open().Tokens(h.ctx()); err != nil || !reflect.DeepEqual(got, []model.Token{one, two}) {
			t.Errorf("%+v, %v", got, err)
		}
		for _, id := range []string{"", "other", "\x00", "ID1"} {
			_, err := h.Token(h.ctx(), id)
			h.code(err, model.CodeTokenNotFound)
		}

		// By name and by id; again changes nothing.
		got, err := h.RevokeToken(h.ctx(), "other", byCLI)
		h.ok(err)
		two.Revoked = h.clock.Now()
		h.clock.advance(time.Second)
		again, err := h.RevokeToken(h.ctx(), "other", byCLI)
		h.ok(err)
		if !reflect.DeepEqual(got, two) || !reflect.DeepEqual(again, two) || got.Holds(h.clock.Now()) {
			t.Errorf("%+v, then %+v", got, again)
		}
		_, err = h.RevokeToken(h.ctx(), "nobody\x00", byCLI)
		h.code(err, model.CodeTokenNotFound)
		h.ok(h.CreateToken(h.ctx(), token("id4", "other"), byCLI)) // the name is free again
		if got, err = h.RevokeToken(h.ctx(), "other", byCLI); err != nil || got.ID != "id4" {
			t.Errorf("%+v, %v", got, err)
		}
		h.ok(h.CreateToken(h.ctx(), token("id5", "id1"), byCLI)) // a name that is another one's id
		if got, err = h.RevokeToken(h.ctx(), "id1", byCLI); err != nil || got.ID != "id1" {
			t.Errorf("%+v, %v", got, err)
		}
		if any, err := h.AnyTokens(h.ctx()); !any || err != nil {
			t.Errorf("in the end: %t, %v", any, err)
		}
		var log []string
		for _, e := range h.chain(h.Store) {
			if e.Actor != "cli:root" {
				t.Errorf("%+v", e)
			}
			detail := hashOfSecret.ReplaceAllString(string(e.Detail), "")
			if made := e.Action == model.ActionTokenCreate; made == (detail == string(e.Detail)) {
				t.Errorf("%+v", e)
			}
			log = append(log, e.Action+" "+e.Target+" "+detail)
		}
		want := []string{
			`token.create nightly ü {"id":"id1","role":"reviewer","expires":"2030-01-02T04:04:05Z"}`, `token.create other {"id":"id2","role":"reviewer"}`,
			`token.revoke other {"id":"id2"}`, `token.create other {"id":"id4","role":"reviewer"}`, `token.revoke other {"id":"id4"}`,
			`token.create id1 {"id":"id5","role":"reviewer"}`, `token.revoke nightly ü {"id":"id1"}`,
		}
		if !reflect.DeepEqual(log, want) {
			t.Errorf("the log says\n%s", strings.Join(log, "\n"))
		}
	})
}

var hashOfSecret = regexp.MustCompile(`,"secret_sha256":"[0-9a-f]{64}"`)

func TestTokenRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		for name, change := range map[string]func(*model.Token) model.Code{
			"no id":      func(k *model.Token) model.Code { k.ID = ""; return model.CodeInternal },
			"long id":    func(k *model.Token) model.Code { k.ID = strings.Repeat("x", maxTokenID+1); return model.CodeInternal },
			"no role":    func(k *model.Token) model.Code { k.Role = ""; return model.CodeInternal },
			"other role": func(k *model.Token) model.Code { k.Role = "root"; return model.CodeInternal },
			"no hash":    func(k *model.Token) model.Code { k.Hash = [32]byte{}; return model.CodeInternal },
			"no name":    func(k *model.Token) model.Code { k.Name = ""; return model.CodeBadRequest },
			"space":      func(k *model.Token) model.Code { k.Name = " x"; return model.CodeBadRequest },
			"control":    func(k *model.Token) model.Code { k.Name = "a\x1b[2J"; return model.CodeBadRequest },
			"no UTF-8":   func(k *model.Token) model.Code { k.Name = "a\xff"; return model.CodeBadRequest },
			"long name": func(k *model.Token) model.Code {
				k.Name = strings.Repeat("é", maxTokenName+1)
				return model.CodeBadRequest
			},
			"over":        func(k *model.Token) model.Code { k.Expires = h.clock.Now(); return model.CodeBadRequest },
			"longest one": func(k *model.Token) model.Code { k.Name = strings.Repeat("é", maxTokenName); return "" },
		} {
			k := token("id of "+name, "name")
			want := change(&k)
			if err := h.CreateToken(h.ctx(), k, byCLI); model.CodeOf(err) != want || (err == nil) != (want == "") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got, err := h.Tokens(h.ctx()); err != nil || len(got) != 1 {
			t.Errorf("%d are stored, %v", len(got), err)
		}
	})
}

func TestTouchToken(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.ok(h.CreateToken(h.ctx(), token("id", "name"), byCLI))
		start := h.clock.Now()
		for _, c := range []struct{ at, want time.Duration }{
			{0, 0}, {59 * time.Second, 0}, {time.Minute, time.Minute}, {30 * time.Second, time.Minute}, {time.Hour, time.Hour},
		} {
			h.ok(h.TouchToken(h.ctx(), "id", start.Add(c.at)))
			if k, err := h.Token(h.ctx(), "id"); err != nil || !k.LastUsed.Equal(start.Add(c.want)) {
				t.Errorf("used after %s, it says %s: %v", c.at, k.LastUsed.Sub(start), err)
			}
		}
		h.code(h.TouchToken(h.ctx(), "other", start), model.CodeTokenNotFound)
	})
}

// One of many with the same name is stored, and one revocation is written down.
func TestTokensAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		stores := []*Store{h.Store, h.open()}
		var mu sync.Mutex
		var made int
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				err := stores[i%2].CreateToken(h.ctx(), token("id"+string(rune('a'+i)), "name"), byCLI)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					made++
				} else if model.CodeOf(err) != model.CodeTokenExists {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for i := range 12 {
			wg.Go(func() {
				if _, err := stores[i%2].RevokeToken(h.ctx(), "name", byCLI); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := len(h.chain(h.Store)); made != 1 || n != 2 {
			t.Errorf("%d were made, and %d entries written", made, n)
		}
	})
}

func TestSecret(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		stores := []*Store{h.Store, h.open()}
		var mu sync.Mutex
		seen := map[string]map[[32]byte]bool{"challenges": {}, "other": {}}
		var wg sync.WaitGroup
		for i := range 20 {
			name := []string{"challenges", "other"}[i%2]
			wg.Go(func() {
				secret, err := stores[i/2%2].Secret(h.ctx(), name)
				mu.Lock()
				defer mu.Unlock()
				seen[name][secret] = true
				if err != nil || secret == [32]byte{} {
					t.Errorf("%x, %v", secret, err)
				}
			})
		}
		wg.Wait()
		if len(seen["challenges"]) != 1 || len(seen["other"]) != 1 || reflect.DeepEqual(seen["challenges"], seen["other"]) {
			t.Errorf("%d and %d secrets", len(seen["challenges"]), len(seen["other"]))
		}
		for _, bad := range []string{"", "\x00", strings.Repeat("x", 101)} {
			_, err := h.Secret(h.ctx(), bad)
			h.code(err, model.CodeInternal)
		}
		// One that was tampered with is an error that does not show it.
		_, err := h.writeDB.Exec("UPDATE secrets SET value = 'zz' || substr(value, 3)")
		h.ok(err)
		var value string
		h.ok(h.readDB.QueryRow("SELECT value FROM secrets WHERE name = 'other'").Scan(&value))
		if _, err = h.Secret(h.ctx(), "other"); model.CodeOf(err) != model.CodeInternal || strings.Contains(err.Error(), value) {
			t.Error(err)
		}
	})
}
