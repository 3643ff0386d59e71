package readme

import (
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/model"
)

const root = "../.."

// pages are those for people.
var pages = []string{"README.md", "docs/http.md", "docs/operations.md", "examples/README.md"}

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
		t.Fatalf("there is no section %q", heading)
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
	for _, m := range regexp.MustCompile("`((?:cmd|issuer|ledger|model|hexutil|sandbox|test|internal|examples|docs)(?:/[a-z0-9_./]+)?)`").FindAllStringSubmatch(text, -1) {
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

// TestLinks: every file that README.md and the pages beside it link to is there.
func TestLinks(t *testing.T) {
	for _, page := range pages {
		for _, m := range regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`).FindAllStringSubmatch(read(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
}

// cells returns the rows of a section's tables, without their heads.
func cells(section string) [][]string {
	var rows [][]string
	for line := range strings.Lines(section) {
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(row) < 2 || strings.HasPrefix(row[0], "---") {
			continue
		}
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		rows = append(rows, row)
	}
	return rows
}

// TestRoutes: docs/http.md has every route with the role that it needs, and README.md names no other route.
func TestRoutes(t *testing.T) {
	written := regexp.MustCompile(`:(\w+)`)
	want := map[string]string{}
	for _, r := range httpapi.New(httpapi.Config{Metrics: http.NotFoundHandler()}).Routes() {
		want[r.Method+" "+written.ReplaceAllString(r.Path, "{$1}")] = string(r.Role)
	}
	got := map[string]string{}
	for _, row := range cells(section(t, read(t, "docs/http.md"), "Calls"))[1:] {
		role := row[1]
		if strings.HasPrefix(role, "everyone") {
			role = ""
		}
		got[strings.Trim(row[0], "`")] = role
	}
	if !maps.Equal(got, want) || len(got) == 0 {
		t.Errorf("docs/http.md has %v\nand the service %v", got, want)
	}
	for _, page := range pages {
		for _, m := range regexp.MustCompile("`((?:GET|POST|DELETE|PUT|PATCH) /[^ ?`]*)").FindAllStringSubmatch(read(t, page), -1) {
			if _, known := want[m[1]]; !known && m[1] != "POST /accounts" { // of the embedded ledger
				t.Errorf("%s names %s, which is no route", page, m[1])
			}
		}
	}
}

// TestErrors: docs/http.md has every code with its status.
func TestErrors(t *testing.T) {
	got := map[model.Code]int{}
	for _, row := range cells(section(t, read(t, "docs/http.md"), "Errors"))[1:] {
		statuses, codes := strings.Split(row[0], ", "), strings.Split(row[1], ", ")
		for i, code := range codes {
			status, err := strconv.Atoi(statuses[min(i, len(statuses)-1)])
			if err != nil || len(statuses) > 1 && len(statuses) != len(codes) {
				t.Fatalf("%v: %v", row, err)
			}
			got[model.Code(strings.Trim(code, "`"))] = status
		}
	}
	if want := httpapi.Statuses(); !maps.Equal(got, want) {
		for code, status := range want {
			if got[code] != status {
				t.Errorf("%s is %d in docs/http.md, and %d in the service", code, got[code], status)
			}
		}
		for code, status := range got {
			if want[code] == 0 {
				t.Errorf("docs/http.md has %s, %d, which the service never says", code, status)
			}
		}
	}
}

// TestBounds: docs/http.md has the bounds of the code.
func TestBounds(t *testing.T) {
	bounds := section(t, read(t, "docs/http.md"), "Bounds")
	want := strconv.Itoa(httpapi.MaxHeaderBytes>>10) + " KiB, " + strconv.Itoa(httpapi.MaxBodyBytes>>20) + " MiB, " +
		strconv.Itoa(httpapi.MaxBatchBytes>>20) + " MiB, " + strconv.Itoa(httpapi.MaxBatchRowBytes>>10) + " KiB"
	if !strings.Contains(bounds, "| "+want+" |") {
		t.Errorf("%s is not in %s", want, bounds)
	}
}
