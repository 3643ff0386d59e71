package config

import (
	"os"
	"path/filepath"
	"slices"
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

func TestDotenvWarnings(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		mode       os.FileMode
		want       []string
	}{
		{"nothing to say", "HTTP_LISTEN=127.0.0.1:1\nISSUER_ACCOUNT_SEED=sEdTM1uX8pu2do5XvTnutH6HsouMaM2\n", 0o600, nil},
		{"no secret in it", "HTTP_LISTEN=127.0.0.1:1\nISSUER_ACCOUNT_SEED=\n", 0o644, nil},
		{"typing error", "HTTP_LISTN=127.0.0.1:1\nAAA=sEdTM1uX8pu2do5XvTnutH6HsouMaM2\n", 0o644,
			[]string{"FILE sets AAA, which no program knows", "FILE sets HTTP_LISTN, which no program knows"}},
		{"others can read a seed", "SUBJECT_ACCOUNT_SEED=sEdTM1uX8pu2do5XvTnutH6HsouMaM2\n", 0o640,
			[]string{"FILE holds a secret and others can read it (mode 0640): chmod 600 FILE"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), ".env")
			if err := os.WriteFile(path, []byte(tc.text), tc.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tc.mode); err != nil {
				t.Fatal(err)
			}
			c, err := Read(pflag.NewFlagSet("test", pflag.ContinueOnError), Pick("HTTP_LISTEN"), nil, path)
			if err != nil {
				t.Fatal(err)
			}
			got := c.DotenvWarnings(path)
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], path, "FILE")
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	c, err := Read(pflag.NewFlagSet("test", pflag.ContinueOnError), Pick("HTTP_LISTEN"), nil, filepath.Join(t.TempDir(), "none"))
	if err != nil || c.DotenvWarnings("none") != nil {
		t.Errorf("without a file: %v, %v", c.DotenvWarnings("none"), err)
	}
}
