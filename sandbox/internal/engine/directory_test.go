package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// filled is a world whose issuer has issued so many credentials to bob, some
// pages full of them; and their types by page of the issuer's directory.
func filled(t *testing.T, count int) (*world, map[uint64][]string) {
	w := newWorld(t, Config{})
	w.fund(1_000_000_000, "issuer", "bob")
	for i := range count {
		w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(w.acct("bob").id, fmt.Sprintf("T%03d", i)))
	}
	w.close()
	pages := map[uint64][]string{}
	for i := range count {
		name := fmt.Sprintf("T%03d", i)
		o := w.n.Closed().Entry(CredentialKey(w.acct("bob").id, w.acct("issuer").id, []byte(name)))
		pages[o.Uint(codec.SfIssuerNode)] = append(pages[o.Uint(codec.SfIssuerNode)], name)
	}
	return w, pages
}

// chain lists an owner directory's pages with their counts of entries.
func (w *world) chain(who string) string {
	var out []string
	root := OwnerDirKey(w.acct(who).id)
	for n := uint64(0); ; {
		page := w.n.Closed().Entry(PageKey(root, n))
		if page == nil {
			return "none"
		}
		out = append(out, fmt.Sprintf("%d:%d", n, len(page.Hashes(codec.SfIndexes))))
		if n = page.Uint(codec.SfIndexNext); n == 0 {
			return fmt.Sprint(out)
		}
	}
}

func (w *world) revoke(types []string) {
	w.Helper()
	for _, name := range types {
		w.do("issuer", codec.TtCredentialDelete, TesSuccess, credentialOf(codec.SfSubject, w.acct("bob").id, name))
	}
	w.close()
}

func TestDirectoryPages(t *testing.T) {
	for _, c := range []struct {
		name   string
		remove []uint64 // pages emptied, in order
		after  []string // the chain after each
	}{
		{"last first", []uint64{3, 2, 1, 0}, []string{"[0:32 1:32 2:32]", "[0:32 1:32]", "[0:32]", "none"}},
		{"middle first", []uint64{1, 2, 3, 0}, []string{"[0:32 2:32 3:4]", "[0:32 3:4]", "[0:32]", "none"}},
		{"root first", []uint64{0, 2, 1, 3}, []string{"[0:0 1:32 2:32 3:4]", "[0:0 1:32 3:4]", "[0:0 3:4]", "none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, pages := filled(t, 100)
			for _, who := range []string{"issuer", "bob"} {
				if got := w.chain(who); got != "[0:32 1:32 2:32 3:4]" {
					t.Fatalf("%s: %s", who, got)
				}
			}
			for i, n := range c.remove {
				w.revoke(pages[n])
				for _, who := range []string{"issuer", "bob"} {
					if got := w.chain(who); got != c.after[i] {
						t.Fatalf("page %d gone: %s has %s, want %s", n, who, got, c.after[i])
					}
				}
			}
			if w.root("issuer").Uint(codec.SfOwnerCount) != 0 {
				t.Error("something is left")
			}
		})
	}
}

// TestDirectoryInsert: new entries go to the last page, whatever room there is
// before it, and page numbers follow the last.
func TestDirectoryInsert(t *testing.T) {
	w, pages := filled(t, 70)
	w.revoke(pages[0][:10])
	w.revoke(pages[1])
	create := func(from, to int) {
		for i := from; i < to; i++ {
			w.do("issuer", codec.TtCredentialCreate, TesSuccess, createFor(w.acct("bob").id, fmt.Sprintf("N%03d", i)))
		}
		w.close()
	}
	create(0, 26)
	if got := w.chain("issuer"); got != "[0:22 2:32]" {
		t.Fatal(got)
	}
	create(26, 27)
	if got := w.chain("issuer"); got != "[0:22 2:32 3:1]" {
		t.Fatal(got)
	}
	w.revoke(slices.Clone(pages[0][10:]))
	w.revoke([]string{"N026"})
	if got := w.chain("issuer"); got != "[0:0 2:32]" {
		t.Fatal(got)
	}
	create(27, 28)
	if got := w.chain("issuer"); got != "[0:0 2:32 3:1]" {
		t.Fatal(got)
	}
}

// TestDirectoryFull: past the last page there is no room.
func TestDirectoryFull(t *testing.T) {
	w, _ := filled(t, 64)
	v := newView(w.n.Closed(), false)
	rootKey := OwnerDirKey(w.acct("issuer").id)
	// The last page is moved to the end of what page numbers there are.
	root, last := v.read(rootKey), v.read(PageKey(rootKey, 1))
	root.SetUint(codec.SfIndexNext, dirMaxPages-1)
	root.SetUint(codec.SfIndexPrevious, dirMaxPages-1)
	v.state.Put(rootKey, root.Append(nil))
	v.state.Delete(PageKey(rootKey, 1))
	v.state.Put(PageKey(rootKey, dirMaxPages-1), last.Append(nil))
	issuer := w.acct("issuer")
	tx := issuer.tx(t, codec.TtCredentialCreate, createFor(w.acct("bob").id, "new"))
	if r, applied := apply(v, tx, 0); r != TecDirFull || !applied {
		t.Errorf("%s, applied %v", r, applied)
	}
	if got := v.read(AccountKey(issuer.id)).Uint(codec.SfOwnerCount); got != 64 {
		t.Errorf("%d entries counted", got)
	}
}

// TestEmptyLastPages: ledgers of old could have an empty page at a directory's
// end; it goes with what is removed before it.
func TestEmptyLastPages(t *testing.T) {
	for _, c := range []struct {
		name   string
		remove uint64 // the page that loses its last entry
		left   string
	}{
		{"behind the root", 0, "none"},
		{"behind another", 1, "[0:1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			v := newView(w.n.Closed(), true)
			owner := w.acct("alice").id
			root := OwnerDirKey(owner)
			s := newStateTable(v)
			pages := c.remove + 2
			for n := range pages {
				page := newDirPage(root, owner, codec.Hash256{byte(n + 1)})
				page.SetUint(codec.SfIndexPrevious, (n+pages-1)%pages)
				page.SetUint(codec.SfIndexNext, (n+1)%pages)
				if n == pages-1 {
					page.SetHashes(codec.SfIndexes, nil)
				}
				s.insert(PageKey(root, n), page)
			}
			if s.dirRemove(owner, c.remove, codec.Hash256{99}, false) || s.dirRemove(owner, 9, codec.Hash256{1}, false) {
				t.Error("removed what is not there")
			}
			if !s.dirRemove(owner, c.remove, codec.Hash256{byte(c.remove + 1)}, false) {
				t.Fatal("not removed")
			}
			got := "none"
			if o := s.peek(root); o != nil {
				got = fmt.Sprintf("[0:%d]", len(o.Hashes(codec.SfIndexes)))
				if o.Uint(codec.SfIndexNext) != 0 || o.Uint(codec.SfIndexPrevious) != 0 {
					t.Error("the root still points on")
				}
			}
			if got != c.left {
				t.Errorf("left is %s, want %s", got, c.left)
			}
			for n := uint64(1); n < pages; n++ {
				if s.has(PageKey(root, n)) {
					t.Errorf("page %d is still there", n)
				}
			}
		})
	}
}
