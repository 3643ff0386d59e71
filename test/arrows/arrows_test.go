package arrows

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/OpenPeeDeeP/depguard/v2"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/go/analysis"
)

const (
	module = "github.com/xrplissuer/credential-issuer/"
	rules  = "../../.depguard.yml"
)

// rooms are all the packages that another one could import.
var rooms = []string{
	"cmd/internal/config", "cmd/internal/heap", "cmd/internal/version", "hexutil", "issuer", "issuer/access", "issuer/httpapi", "issuer/policy",
	"issuer/vault", "issuer/webhook", "ledger", "model", "sandbox", "store",
	"sandbox/internal/codec", "sandbox/internal/engine", "sandbox/internal/journal", "sandbox/internal/rjson", "sandbox/internal/shamap",
	"test/logs", "test/postgres",
}

// arrows says of each folder which rooms its code, and which its tests, may import. What is not here is a wrong arrow.
// A package's own name stands with its tests: an external test package imports what it tests.
var arrows = []struct {
	folder string
	code   []string
	tests  []string // in addition to code
}{
	{"cmd/issuer", []string{"cmd/internal/config", "cmd/internal/heap", "cmd/internal/version", "hexutil", "issuer", "issuer/access", "issuer/httpapi", "issuer/policy", "issuer/vault",
		"issuer/webhook", "ledger", "model", "sandbox", "store"}, []string{"test/postgres"}},
	{"cmd/accept", []string{"cmd/internal/config", "cmd/internal/heap", "cmd/internal/version", "hexutil", "ledger", "model"}, []string{"sandbox"}},
	{"cmd/sandbox", []string{"cmd/internal/config", "cmd/internal/heap", "cmd/internal/version", "sandbox"}, nil},
	{"cmd/internal/config", []string{"cmd/internal/heap", "cmd/internal/version", "hexutil", "model"}, nil},
	{"cmd/internal/heap", nil, nil},
	{"cmd/internal/version", nil, nil},
	{"issuer", []string{"issuer/policy", "model"}, []string{"hexutil", "issuer/access", "issuer/vault", "ledger", "sandbox", "store", "test/logs"}},
	{"issuer/httpapi", []string{"hexutil", "issuer", "model"}, []string{"issuer/access", "issuer/policy", "issuer/vault", "ledger", "sandbox", "store", "test/logs", "test/postgres"}},
	{"issuer/access", []string{"model"}, []string{"test/logs"}},
	{"issuer/policy", []string{"model"}, nil},
	{"issuer/vault", []string{"model"}, nil},
	{"issuer/webhook", []string{"model"}, []string{"test/logs"}},
	{"ledger", []string{"hexutil", "model"}, []string{"sandbox", "test/logs"}},
	{"store", []string{"model"}, []string{"test/postgres"}},
	{"model", []string{"hexutil"}, nil},
	{"hexutil", nil, nil},
	{"sandbox", []string{"sandbox/internal/codec", "sandbox/internal/engine", "sandbox/internal/journal", "sandbox/internal/rjson", "sandbox/internal/shamap"}, nil},
	{"sandbox/internal/engine", []string{"sandbox/internal/codec", "sandbox/internal/shamap"}, nil},
	{"sandbox/internal/codec", nil, nil},
	{"sandbox/internal/journal", nil, nil},
	{"sandbox/internal/rjson", nil, nil},
	{"sandbox/internal/shamap", nil, nil},
}

// libraries says which folders may import a library outside their tests, and whether all tests may.
var libraries = []struct {
	path    string
	folders []string
	tests   bool
}{
	{"github.com/labstack/echo/v4", []string{"issuer/httpapi"}, false},
	{"github.com/spf13/viper", []string{"cmd/issuer", "cmd/accept", "cmd/sandbox", "cmd/internal/config"}, false},
	{"github.com/prometheus/client_golang/prometheus", []string{"cmd/issuer"}, false},
	{"github.com/go-jose/go-jose/v4", []string{"issuer/access"}, false},
	{"github.com/Peersyst/xrpl-go/binary-codec", []string{"ledger"}, true},
	{"github.com/santhosh-tekuri/jsonschema/v6", []string{"issuer/policy"}, true},
	{"database/sql", []string{"store"}, true},
	{"modernc.org/sqlite", []string{"store"}, true},
	{"github.com/jackc/pgx/v5", []string{"store"}, true},
	{"C", nil, false},
	{"log", nil, false},
}

// clones are where a clone of this module may stand: the rules see absolute paths, and a folder above the clone that
// has the name of a room must change nothing.
var clones = []string{"/home/a/credential-issuer", "/srv/issuer", "/srv/sandbox", "/srv/ledger", "/opt/model", "/opt/test"}

// TestArrows asks the rules about every import that could be written in every folder.
func TestArrows(t *testing.T) {
	check := analyzer(t)
	for _, clone := range clones {
		for _, from := range arrows {
			for _, room := range rooms {
				inCode := slices.Contains(from.code, room)
				inTests := inCode || slices.Contains(from.tests, room) || room == from.folder
				if room != from.folder {
					check(t, clone, from.folder, "a.go", module+room, inCode)
				}
				check(t, clone, from.folder, "a_test.go", module+room, inTests)
			}
			for _, lib := range libraries {
				allowed := slices.Contains(lib.folders, from.folder)
				check(t, clone, from.folder, "a.go", lib.path, allowed)
				check(t, clone, from.folder, "a_test.go", lib.path, allowed || lib.tests)
			}
			check(t, clone, from.folder, "a.go", "log/slog", true)
			check(t, clone, from.folder, "a.go", module+"tomorrow", false)
		}
	}
}

// TestEveryFolderHasRules fails when a package appears that the table above, and so probably the rules, do not know.
func TestEveryFolderHasRules(t *testing.T) {
	known := map[string]bool{}
	for _, a := range arrows {
		known[a.folder] = true
	}
	cmd := exec.Command("go", "list", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		folder := strings.TrimPrefix(path, module)
		if !known[folder] && !strings.HasPrefix(folder, "test/") {
			t.Errorf("%s: no rule in .depguard.yml says what this package may import; add it there and to the table of this test", folder)
		}
	}
}

// TestCommandFailsOnAWrongArrow runs the pinned command as `make arrows` does, on a module of two packages: it must
// find the rule file and leave with a status that is not 0. Without the wrong arrow it must pass.
func TestCommandFailsOnAWrongArrow(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "depguard")
	if out, err := exec.Command("go", "build", "-o", tool, "github.com/OpenPeeDeeP/depguard/v2/cmd/depguard").CombinedOutput(); err != nil {
		t.Fatalf("building depguard: %v\n%s", err, out)
	}
	rule, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func() (string, error) {
		cmd := exec.Command(tool, "./...")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}

	write(".depguard.yml", string(rule))
	write("go.mod", "module "+strings.TrimSuffix(module, "/")+"\n\ngo 1.26\n")
	write("issuer/issuer.go", "package issuer\n")
	write("model/model.go", "package model\n\nimport _ \""+module+"hexutil\"\n")
	write("hexutil/hexutil.go", "package hexutil\n")
	if out, err := run(); err != nil {
		t.Fatalf("depguard failed without a wrong arrow: %v\n%s", err, out)
	}
	write("model/model.go", "package model\n\nimport _ \""+module+"issuer\"\n")
	out, err := run()
	if err == nil || !strings.Contains(out, "model.go:3:8: import '"+module+"issuer' is not allowed from list 'model'") {
		t.Fatalf("depguard let model import issuer: err %v\n%s", err, out)
	}
}

// analyzer reads the rules and returns a check of one import in one file.
func analyzer(t *testing.T) func(t *testing.T, clone, folder, file, imported string, want bool) {
	t.Helper()
	text, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	settings := depguard.LinterSettings{}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&settings); err != nil {
		t.Fatalf("%s: %v", rules, err)
	}
	lint, err := depguard.NewAnalyzer(&settings)
	if err != nil {
		t.Fatalf("%s: %v", rules, err)
	}
	return func(t *testing.T, clone, folder, file, imported string, want bool) {
		t.Helper()
		name := clone + "/" + folder + "/" + file
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, name, fmt.Sprintf("package p\n\nimport _ %q\n", imported), parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		if _, err := lint.Run(&analysis.Pass{
			Analyzer: lint,
			Fset:     fset,
			Files:    []*ast.File{parsed},
			Report:   func(d analysis.Diagnostic) { found = append(found, d.Message) },
		}); err != nil {
			t.Fatal(err)
		}
		switch {
		case want && len(found) > 0:
			t.Errorf("%s may import %s, but: %s", name, imported, strings.Join(found, "; "))
		case !want && len(found) == 0:
			t.Errorf("%s may not import %s, but no rule says so", name, imported)
		}
	}
}
