package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// module makes a module of its own, with one package of tests for each text, and changes to it.
func module(t *testing.T, tests map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, "go.mod", "module example.org/m\n\ngo 1.24\n")
	for name, text := range tests {
		write(t, name+"/x_test.go", "package "+name+"\n\nimport \"testing\"\n\n"+text)
	}
}

func TestGoTestTellsWhatWasSkipped(t *testing.T) {
	module(t, map[string]string{
		"quiet": "func TestA(t *testing.T) { t.Log(\"hushed\") }\n",
		"half": "func TestB(t *testing.T) { t.Run(\"sqlite\", func(*testing.T) {}); t.Run(\"postgres\", skip) }\n" +
			"func TestC(t *testing.T) { skip(t) }\n" +
			"func TestD(t *testing.T) { t.SkipNow() }\n" +
			"func skip(t *testing.T) { t.Skip(\"SKIPPED: no PostgreSQL answers\") }\n",
	})
	var out bytes.Buffer
	got, err := goTest(t.Context(), &out, os.Environ(), "./...")
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	want := skips{
		{"example.org/m/half", "no PostgreSQL answers"}: {"TestB/postgres", "TestC"},
		{"example.org/m/half", "it does not say why"}:   {"TestD"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("skipped: %v, want %v", got, want)
	}
	if said := out.String(); strings.Contains(said, "hushed") || strings.Count(said, "ok  \texample.org/m/") != 2 || strings.Contains(said, "{") {
		t.Errorf("it prints\n%s", said)
	}
	out.Reset()
	got.print(&out)
	for _, line := range []string{"*** SKIPPED: 3 tests did NOT run:\n", "  example.org/m/half, 2: no PostgreSQL answers\n      TestB/postgres\n      TestC\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("it does not say %q:\n%s", line, out.String())
		}
	}
	if got.note() != "3 tests SKIPPED, named above, 2 of them for want of PostgreSQL" {
		t.Errorf("the summary says %q", got.note())
	}
}

func TestGoTestTellsFaults(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"fails":  {"func TestA(t *testing.T) { t.Error(\"so\") }\nfunc TestB(t *testing.T) { t.Log(\"hushed\") }\n", []string{"--- FAIL: TestA", "so", "FAIL\texample.org/m/x"}},
		"panics": {"func TestA(*testing.T) { panic(\"so\") }\n", []string{"panic: so", "FAIL\texample.org/m/x"}},
		"hangs":  {"func TestA(*testing.T) { select {} }\n", []string{"TestA", "FAIL\texample.org/m/x"}},
		"broken": {"func TestA(t *testing.T) { t.Nonsense() }\n", []string{"t.Nonsense undefined", "[build failed]"}},
	} {
		t.Run(name, func(t *testing.T) {
			module(t, map[string]string{"x": c.text})
			var out bytes.Buffer
			got, err := goTest(t.Context(), &out, os.Environ(), "-timeout", "2s", "./...")
			if err == nil || len(got) != 0 {
				t.Errorf("%v, skipped %v", err, got)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("it does not say %q:\n%s", want, out.String())
				}
			}
			if strings.Contains(out.String(), "hushed") {
				t.Errorf("it says what a test that passes said:\n%s", out.String())
			}
		})
	}
}

// What the race detector leaves alone is named: it still finds a race in a package that is not.
func TestGoTestFindsRaces(t *testing.T) {
	if err := raceable(t.Context()); err != nil {
		t.Skipf("SKIPPED: there is no race detector: %v", err)
	}
	module(t, map[string]string{"x": "func TestA(*testing.T) {\n\tn := 0\n\tdone := make(chan struct{})\n" +
		"\tgo func() { n++; close(done) }()\n\tn++\n\t<-done\n}\n"})
	var out bytes.Buffer
	if _, err := goTest(t.Context(), &out, append(os.Environ(), "CGO_ENABLED=1"), append(watched(), "./...")...); err == nil || !strings.Contains(out.String(), "DATA RACE") {
		t.Errorf("err = %v, and it says\n%s", err, out.String())
	}
}

func TestSkippedRows(t *testing.T) {
	if got := skippedRows("kill | postgres   SKIPPED: PostgreSQL is not there\nSKIPPED: 14 rows, for the reasons above\nSeed 7\n"); got != "14 rows SKIPPED, see above" {
		t.Errorf("%q", got)
	}
	if got := skippedRows("kill | sqlite  0\nSeed 7\n"); got != "none skipped" {
		t.Errorf("%q", got)
	}
}
