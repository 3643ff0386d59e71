package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/xrplissuer/credential-issuer/model"
)

// Bounds of a folder of policies.
const (
	// MaxFiles is the most policies that a folder may hold.
	MaxFiles = 256
	// MaxFileBytes is the most bytes that a policy's file may have.
	MaxFileBytes = 64 << 10
	// maxEntries is the most that is looked at in a folder, whatever it is.
	maxEntries = 4 * MaxFiles
)

// Set is the policies of a folder, by credential type. It does not change.
type Set struct {
	policies map[model.CredentialType]*Policy
}

// Types returns the credential types that have a policy, sorted.
func (s *Set) Types() []model.CredentialType { return slices.Sorted(maps.Keys(s.policies)) }

// For returns a type's policy.
func (s *Set) For(typ model.CredentialType) (*Policy, bool) {
	p, ok := s.policies[typ]
	return p, ok
}

// NeedsReview says whether a person decides on any type, so that documents have to be kept.
func (s *Set) NeedsReview() bool {
	for _, p := range s.policies {
		if p.Decision == Review {
			return true
		}
	}
	return false
}

// Warnings are what an organisation does well to know about its policies, although nothing is wrong with them: one sentence each.
func (s *Set) Warnings() []string {
	var out []string
	for _, t := range s.Types() {
		if p := s.policies[t]; p.Decision == Review && !p.ProofRequired {
			out = append(out, fmt.Sprintf("the policy for %s has a person decide and no \"proof: required\": anybody can ask in the name of any account, "+
				"and take up its place and a reviewer's time", t.Text()))
		}
	}
	return out
}

// maxTypesShown is how many types an error names.
const maxTypesShown = 20

// Require returns a type's policy. The error is a [model.Error] with [model.CodeBadRequest] and names the types that have
// one.
func (s *Set) Require(typ model.CredentialType) (*Policy, error) {
	if p, ok := s.policies[typ]; ok {
		return p, nil
	}
	var names []string
	for _, t := range s.Types() {
		if len(names) == maxTypesShown {
			names = append(names, fmt.Sprintf("%d others", len(s.policies)-maxTypesShown))
			break
		}
		names = append(names, t.Text())
	}
	return nil, model.BadRequest("credential", "must be a type that this issuer grants: "+listed(names, "or"))
}

// Load reads the policies in a folder: one file a credential type, whose name ends in .yaml or .yml. Files whose name
// begins with a dot, editors' backups, and Markdown are passed over; anything else is a fault, so that no policy is left
// out because of its name. A symbolic link may point to a file in the same folder (as mounted volumes have it), and
// nowhere else. The error is a [*Faults] with everything that is wrong, or that of reading the folder.
func Load(dir string) (*Set, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of policies: %w", err)
	}
	defer root.Close()
	names, err := list(root)
	if err != nil {
		return nil, fmt.Errorf("listing the folder of policies: %w", err)
	}
	faults := &Faults{Dir: dir}
	if len(names) > maxEntries {
		faults.add("", 0, fmt.Sprintf("the folder must not hold more than %d files", maxEntries))
		return nil, faults.err()
	}
	slices.Sort(names)
	set := &Set{policies: map[model.CredentialType]*Policy{}}
	origin := map[model.CredentialType]*file{}
	files := 0
	for _, name := range names {
		if passedOver(name) {
			continue
		}
		if ext := path.Ext(name); ext != ".yaml" && ext != ".yml" {
			faults.add(name, 0, "must end in .yaml or .yml to be a policy; anything else must not stand in this folder, but for dot files, backups and .md")
			continue
		}
		if files++; files > MaxFiles {
			faults.add("", 0, fmt.Sprintf("the folder must not hold more than %d policies", MaxFiles))
			break
		}
		text, err := read(root, name)
		if err != nil {
			faults.add(name, 0, err.Error())
			continue
		}
		f := &file{name: name, faults: faults}
		p := f.policy(text)
		if p.Type == "" {
			continue
		}
		if first, taken := origin[p.Type]; taken {
			faults.add(name, f.typeLine, fmt.Sprintf("credential must be another type: %s has a policy in %s, line %d", p.Type, shownFile(first.name), first.typeLine))
			continue
		}
		origin[p.Type], set.policies[p.Type] = f, p
	}
	if files == 0 {
		faults.add("", 0, "the folder must hold a file .yaml for each credential type; it holds none")
	}
	if err := faults.err(); err != nil {
		return nil, err
	}
	return set, nil
}

// list returns the names in the folder, and no more of them than are too many.
func list(root *os.Root) ([]string, error) {
	d, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var names []string
	for len(names) <= maxEntries {
		some, err := d.Readdirnames(maxEntries + 1 - len(names))
		names = append(names, some...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}

// passedOver says whether a name is that of a file which people and programs leave beside policies.
func passedOver(name string) bool {
	switch {
	case strings.HasPrefix(name, "."), strings.HasSuffix(name, "~"), strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#"):
		return true
	}
	switch path.Ext(name) {
	case ".md", ".swp", ".bak", ".orig", ".rej", ".tmp":
		return true
	}
	return false
}

var (
	errNoFile = errors.New("must be a regular file, or a link to one in this folder")
	errTooBig = fmt.Errorf("must not have more than %d bytes", MaxFileBytes)
)

func read(root *os.Root, name string) ([]byte, error) {
	// What is no regular file is not opened: opening a pipe waits for its other end.
	info, err := root.Stat(name)
	if err != nil {
		return nil, unreadable(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, unreadable(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if len(text) > MaxFileBytes {
		return nil, errTooBig
	}
	return text, nil
}

// unreadable leaves out the path, which the fault has already, in a form that can be shown.
func unreadable(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%w; it cannot be read: %w", errNoFile, err)
}
