package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

const exampleFile = "../../../.env.example"

// To change the file: UPDATE_GOLDEN=1 go test ./cmd/internal/config
func TestExampleIsWhatTheProgramsKnow(t *testing.T) {
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(exampleFile, []byte(Example()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != Example() {
		t.Fatalf(".env.example is not what the programs know; it must be:\n%s", Example())
	}
	for _, s := range Catalogue {
		before, _, found := strings.Cut(string(text), "\n"+s.Key+"="+s.Default+"\n")
		if lines := strings.Split(before, "\n"); !found || !strings.HasPrefix(lines[len(lines)-1], "# ") {
			t.Errorf("%s does not stand in .env.example with its default, below a comment", s.Key)
		}
	}
}

// Copied as it stands the example changes nothing, and has nothing wrong with it.
func TestExampleChangesNothing(t *testing.T) {
	without, err := Read(pflag.NewFlagSet("test", pflag.ContinueOnError), Catalogue, nil, filepath.Join(t.TempDir(), "none"))
	if err != nil {
		t.Fatal(err)
	}
	with, err := Read(pflag.NewFlagSet("test", pflag.ContinueOnError), Catalogue, nil, exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range Catalogue {
		if a, b := without.String(s.Key), with.String(s.Key); a != b {
			t.Errorf("%s is %q without the file and %q with it", s.Key, a, b)
		}
		if s.Usage == "" || s.Secret && s.Default != "" {
			t.Errorf("%s has no usage, or a secret as default", s.Key)
		}
	}
	if err := with.Err(); err != nil {
		t.Error(err)
	}
}
