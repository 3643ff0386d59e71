package policy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

func named(typ string) string { return strings.Replace(least, "Member", typ, 1) }

func TestLoad(t *testing.T) {
	dir := folder(t, map[string]string{
		"b.yaml": named("B"), "a.yml": named("A"), "member.yaml": named("member"), "Member 2.yaml": named("Member"),
		".hidden.yaml": "[", "a.yml~": "[", "a.yml.bak": "[", "#a.yml#": "[", "README.md": "[", "a.yml.swp": "[",
	})
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o700); err != nil {
		t.Fatal(err)
	}
	set, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if types := set.Types(); !slices.Equal(types, []model.CredentialType{"A", "B", "Member", "member"}) {
		t.Error(types)
	}
	for _, typ := range set.Types() {
		if p, ok := set.For(typ); !ok || p.Type != typ {
			t.Errorf("%s: %v, %v", typ, p, ok)
		}
		if p, err := set.Require(typ); err != nil || p.Type != typ {
			t.Errorf("%s: %v, %v", typ, p, err)
		}
	}
	if _, ok := set.For("C"); ok {
		t.Error("there is a policy for C")
	}
	_, err = set.Require("MEMBER")
	if model.CodeOf(err) != model.CodeBadRequest || err.(*model.Error).Message != "credential must be a type that this issuer grants: A, B, Member or member" {
		t.Error(err)
	}
}

func TestRequireNamesSome(t *testing.T) {
	set := &Set{policies: map[model.CredentialType]*Policy{}}
	for i := range 100 {
		typ := model.CredentialType(fmt.Sprintf("T%02d", i))
		set.policies[typ] = &Policy{Type: typ}
	}
	_, err := set.Require("x")
	if msg := err.(*model.Error).Message; !strings.HasSuffix(msg, "T18, T19 or 80 others") {
		t.Error(msg)
	}
}

// All faults of all files are told at once, by file and line.
func TestLoadTellsAllFaults(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.yaml":           "credential: Member\ndecision: maybe\nproof: maybe\ndocuments: {tpye: object}\n",
		"b.yaml":           least,
		"c.json":           "{}",
		"d.yaml":           "[",
		"empty.yaml":       "",
		"\x1b[2J<b>é.yaml": "- a\n",
		"long.yaml":        least + "# " + strings.Repeat("x", MaxFileBytes),
	})
	_, err := Load(dir)
	var faults *Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	want := `the policies in "` + dir + `" cannot be used
  "\x1b[2J<b>\u00e9.yaml":1: the file must have the fields credential, description, decision, documents, validity, uri, proof, unaccepted, keep_documents, decide_within, most_waiting, most_waiting_bytes, most_document_bytes, renew_within and delete_expired_after, not be a list
  a.yaml:2: decision must be automatic or review, not "maybe"
  a.yaml:3: proof must be required or none, not "maybe"
  a.yaml:4: documents must not have the keyword tpye; did you mean type?
  b.yaml:1: credential must be another type: Member has a policy in a.yaml, line 1
  c.json: must end in .yaml or .yml to be a policy; anything else must not stand in this folder, but for dot files, backups and .md
  d.yaml:1: the file must be YAML: "did not find expected node content"
  empty.yaml: the file must be a policy; it is empty
  long.yaml: must not have more than 65536 bytes`
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	if n := len(faults.List); n != 9 || faults.List[1] != (Fault{"a.yaml", 2, `decision must be automatic or review, not "maybe"`}) {
		t.Errorf("%d faults: %v", n, faults.List)
	}
}

func TestLoadBoundsWhatItTells(t *testing.T) {
	var text strings.Builder
	text.WriteString(least)
	for i := range 5000 {
		fmt.Fprintf(&text, "x%d: 1\n", i)
	}
	_, err := Load(folder(t, map[string]string{"a.yaml": text.String()}))
	if got := err.Error(); strings.Count(got, "\n") != maxFaultsShown+1 || !strings.HasSuffix(got, "\n  and 4900 more") {
		t.Error(got[len(got)-200:])
	}
}

func TestLoadBounds(t *testing.T) {
	exact := least + "# "
	exact += strings.Repeat("x", MaxFileBytes-len(exact))
	if _, err := Load(folder(t, map[string]string{"a.yaml": exact})); err != nil {
		t.Errorf("as long as allowed: %v", err)
	}
	files := map[string]string{}
	for i := range MaxFiles {
		files[fmt.Sprintf("%03d.yaml", i)] = named(fmt.Sprintf("T%d", i))
	}
	dir := folder(t, files)
	if set, err := Load(dir); err != nil || len(set.Types()) != MaxFiles {
		t.Errorf("as many as allowed: %v", err)
	}
	write(t, filepath.Join(dir, "one.yaml"), named("more"))
	wantFault(t, dir, "the folder must not hold more than 256 policies")
	for i := range maxEntries {
		write(t, filepath.Join(dir, fmt.Sprintf(".%d", i)), "")
	}
	wantFault(t, dir, "the folder must not hold more than 1024 files")
	wantFault(t, t.TempDir(), "the folder must hold a file .yaml for each credential type; it holds none")
	wantFault(t, folder(t, map[string]string{"README.md": "x"}), "the folder must hold a file .yaml for each credential type; it holds none")
	if _, err := Load(filepath.Join(dir, "nowhere")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "one.yaml")); err == nil {
		t.Error("a file is taken for a folder")
	}
}

func wantFault(t *testing.T, dir, want string) {
	t.Helper()
	_, err := Load(dir)
	var faults *Faults
	if !errors.As(err, &faults) || len(faults.List) != 1 || !strings.HasPrefix(faults.List[0].String(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestHolder(t *testing.T) {
	if _, err := NewHolder(t.TempDir()); err == nil {
		t.Error("a holder of nothing")
	}
	dir := folder(t, map[string]string{"a.yaml": named("A")})
	h, err := NewHolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	first := h.Current()
	write(t, filepath.Join(dir, "b.yaml"), "[")
	var faults *Faults
	if err := h.Reload(); !errors.As(err, &faults) || h.Current() != first {
		t.Errorf("after faults: %v", err)
	}
	write(t, filepath.Join(dir, "b.yaml"), named("B"))
	if err := h.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, ok := h.Current().For("B"); !ok {
		t.Error("what was read anew does not hold")
	}
	if _, ok := first.For("B"); ok {
		t.Error("a set has changed")
	}
}

// Readers see one whole set or another, while files change and are read anew.
func TestHolderUnderWay(t *testing.T) {
	dir := folder(t, map[string]string{"a.yaml": least})
	h, err := NewHolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	var readers, writers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				p, ok := h.Current().For("Member")
				if !ok || p.CheckDocuments(t.Context(), documents(t, `{"a":1}`)) != nil {
					t.Error("a set without its policy")
					return
				}
			}
		})
	}
	for range 3 {
		writers.Go(func() {
			for i := range 20 {
				text := least
				if i%2 == 0 {
					text = "["
				}
				// Renamed into place, as an editor does.
				tmp, err := os.CreateTemp(dir, ".new*")
				if err == nil {
					_, err = tmp.WriteString(text)
				}
				if err = errors.Join(err, tmp.Close(), os.Rename(tmp.Name(), filepath.Join(dir, "a.yaml"))); err != nil {
					t.Error(err)
				}
				_ = h.Reload()
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}

// A person's time is for anybody to take up where nobody has to prove who they are.
func TestWarnings(t *testing.T) {
	const review = "credential: %s\ndecision: review\nkeep_documents: 0s\n"
	set, err := Load(folder(t, map[string]string{"a.yaml": named("A"), "b.yaml": fmt.Sprintf(review, "B"), "c.yaml": fmt.Sprintf(review, "C") + "proof: required\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if w := set.Warnings(); len(w) != 1 || !strings.Contains(w[0], "policy for B ") || !strings.Contains(w[0], `"proof: required"`) {
		t.Errorf("%q", w)
	}
}

// Documents that a person is to look at are not as large as any body may be, unless the policy says so.
func TestMostDocumentBytes(t *testing.T) {
	const review = "credential: A\ndecision: review\nkeep_documents: 0s\n"
	for n, text := range map[int]string{DefaultMostDocumentBytes: review, 100: review + "most_document_bytes: 100\nmost_waiting_bytes: 100\n"} {
		p := parsed(t, text)
		sized := func(n int) model.Documents { return documents(t, `{"a":"`+strings.Repeat("x", n-8)+`"}`) }
		if err := p.CheckDocuments(t.Context(), sized(n)); err != nil {
			t.Errorf("%d: %v", n, err)
		}
		if err := p.CheckDocuments(t.Context(), sized(n+1)); model.CodeOf(err) != model.CodeBadRequest || !strings.Contains(err.Error(), fmt.Sprintf("more than %d bytes", n)) {
			t.Errorf("%d and one: %v", n, err)
		}
	}
}
