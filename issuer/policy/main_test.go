package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	issuer  = model.Address("rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh")
	subject = model.Address("rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpf")
)

// folder makes one of files by name.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	return dir
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// faultsOf returns the faults of a folder with one file, without the file's name.
func faultsOf(t testing.TB, text string) []string {
	t.Helper()
	faults := &Faults{}
	(&file{name: "a.yaml", faults: faults}).policy([]byte(text))
	_ = faults.err() // sorts
	var list []string
	for _, f := range faults.List {
		list = append(list, strings.TrimPrefix(f.String(), "a.yaml:"))
	}
	return list
}

// parsed returns the policy in a text without faults.
func parsed(t testing.TB, text string) *Policy {
	t.Helper()
	set, err := Load(folder(t, map[string]string{"a.yaml": text}))
	if err != nil {
		t.Fatal(err)
	}
	p, ok := set.For(set.Types()[0])
	if !ok {
		t.Fatal("no policy")
	}
	return p
}

// schemaText is a policy with a schema, whose first line is line 4.
func schemaText(schema string) string {
	return "credential: A\ndecision: automatic\ndocuments:\n  " + strings.ReplaceAll(strings.TrimSpace(schema), "\n", "\n  ") + "\n"
}

func documents(t testing.TB, text string) model.Documents {
	t.Helper()
	d, err := model.DocumentsOf([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) || len(got) != len(want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}
