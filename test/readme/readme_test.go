package readme

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section returns what stands below a heading, up to the next one of its level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\n## "+heading+"\n")
	if !found {
		t.Fatalf("README.md has no section %q", heading)
	}
	body, _, _ := strings.Cut(rest, "\n## ")
	return body
}

// quoted returns what stands in backquotes in the cells of the first column of a section's tables.
func quoted(section string) []string {
	var names []string
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			names = append(names, m[1])
		}
	}
	return names
}

// TestSettings: the table has exactly the settings of .env.example.
func TestSettings(t *testing.T) {
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^([A-Z_]+)=`).FindAllStringSubmatch(read(t, ".env.example"), -1) {
		want = append(want, m[1])
	}
	got := quoted(section(t, read(t, "README.md"), "Settings"))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("README.md has %v\nand .env.example %v", got, want)
	}
}

// TestFolders: the map has every folder with a package, or the folder above it.
func TestFolders(t *testing.T) {
	mapped := quoted(section(t, read(t, "README.md"), "What is where"))
	cmd := exec.Command("go", "list", "-f", "{{.Dir}}", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for dir := range strings.Lines(string(out)) {
		folder, err := filepath.Rel(top, strings.TrimSpace(dir))
		if err != nil {
			t.Fatal(err)
		}
		folder = filepath.ToSlash(folder)
		inside := slices.ContainsFunc(mapped, func(m string) bool { return folder == m || m == "sandbox" && strings.HasPrefix(folder, m+"/") })
		if !inside && !strings.HasPrefix(folder, "test/readme") {
			t.Errorf("README.md does not say what %s is", folder)
		}
	}
}

// TestPaths: every file and folder that README.md names is there.
func TestPaths(t *testing.T) {
	text := read(t, "README.md")
	for _, m := range regexp.MustCompile("`((?:cmd|issuer|ledger|model|hexutil|sandbox|test|internal)(?:/[a-z0-9_./]+)?)`").FindAllStringSubmatch(text, -1) {
		path := m[1]
		if strings.HasPrefix(path, "internal/") {
			path = "sandbox/" + path
		}
		if path == "ledger" || path == "sandbox" || path == "internal" { // words too
			continue
		}
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(path))); err != nil {
			t.Errorf("README.md names %s, which is not there", m[1])
		}
	}
}

// TestTargets: every `make` target that README.md names is one.
func TestTargets(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, m := range regexp.MustCompile("make ([a-z]+)").FindAllStringSubmatch(read(t, "README.md"), -1) {
		if !regexp.MustCompile(`(?m)^`+m[1]+`\b.*:`).MatchString(makefile) && m[1] != "and" {
			t.Errorf("README.md names make %s, which is no target", m[1])
		}
	}
}
