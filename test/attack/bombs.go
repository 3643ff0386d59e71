package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

var bombs = []attack{
	{name: "policies: YAML and schema bombs", on: onPlain, run: policyBombs},
}

// policyBombs puts files into the folder of policies that are to harm whoever reads them. The policies before must
// hold on, the log must say which file is wrong, and no address in them may be contacted.
func policyBombs(ctx context.Context, r *round) error {
	const head = "credential: Bomb\ndecision: automatic\nproof: none\n"
	schema := func(text string) string { return head + "documents:\n" + text }
	trap := "http://" + r.w.trap.address() + "/schema.json"
	var laughs, merges, all, refs, fields strings.Builder
	laughs.WriteString("a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n")
	merges.WriteString("m0: &m0 {a: b}\n")
	for i := 1; i < 12; i++ {
		_, _ = fmt.Fprintf(&laughs, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
		_, _ = fmt.Fprintf(&merges, "m%d: &m%d {<<: [*m%d,*m%d,*m%d]}\n", i, i, i-1, i-1, i-1)
	}
	refs.WriteString("  $defs:\n    d0: {type: string}\n")
	for i := 1; i < 30; i++ {
		_, _ = fmt.Fprintf(&refs, "    d%d: {allOf: [{$ref: '#/$defs/d%d'}, {$ref: '#/$defs/d%d'}]}\n", i, i-1, i-1)
	}
	refs.WriteString("  type: object\n  properties: {a: {$ref: '#/$defs/d29'}}\n")
	all.WriteString("  {allOf: [")
	for range 5000 {
		all.WriteString("{type: object}, ")
	}
	all.WriteString("{type: object}]}\n")
	for i := range 3000 {
		_, _ = fmt.Fprintf(&fields, "x%d: y\n", i)
	}
	files := map[string]string{
		"billion laughs":         head + laughs.String(),
		"laughs in a schema":     schema("  type: object\n  properties:\n") + strings.ReplaceAll("    "+laughs.String(), "\n", "\n    "),
		"merge keys":             head + merges.String(),
		"an alias to itself":     head + "documents: &x\n  properties: {a: *x}\n",
		"deep lists":             head + "documents: " + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + "\n",
		"deep mappings":          head + "documents: " + strings.Repeat("{a: ", 10_000) + "1" + strings.Repeat("}", 10_000) + "\n",
		"deep by indents":        head + "documents:\n" + deep(300),
		"deep and not closed":    head + "documents: " + strings.Repeat("[", 60_000),
		"5 MB":                   head + "# " + strings.Repeat("x", 5<<20) + "\n",
		"3000 fields":            head + fields.String(),
		"a key twice":            head + "decision: review\n",
		"a key of a list":        head + "? [a, b]\n: c\n",
		"two documents":          head + "---\n" + head,
		"a tag":                  head + "documents: !!python/object/apply:os.system ['id']\n",
		"a tag of our own":       head + "documents: !include /etc/passwd\n",
		"binary":                 head + "documents: !!binary AAAA\n",
		"a timestamp":            head + "documents: 2020-01-01\n",
		"a NUL":                  head + "description: \"a\x00b\"\n",
		"UTF-16":                 "\xff\xfec\x00r\x00e\x00d\x00",
		"control characters":     head + "description: \"\\e[2J\\x9b2J\\u202e\"\n" + "\x1b[2J: x\n",
		"a number that is big":   head + "documents: {type: object}\nunaccepted: {in_all: 99999999999999999999999999}\n",
		"a number of a MB":       head + "documents: {type: object}\nunaccepted: {in_all: " + strings.Repeat("9", 60_000) + "}\n",
		"$ref to a file":         schema("  $ref: file:///etc/passwd\n"),
		"$ref to a path":         schema("  $ref: ../../../../etc/passwd\n"),
		"$ref to loopback":       schema("  $ref: " + trap + "\n"),
		"$ref by //":             schema("  $ref: //" + r.w.trap.address() + "/x\n"),
		"$id of loopback":        schema("  $id: " + trap + "\n  type: object\n  properties: {a: {$ref: other.json}}\n"),
		"$schema of loopback":    schema("  $schema: " + trap + "\n  type: object\n"),
		"$dynamicRef":            schema("  $dynamicRef: '" + trap + "#x'\n"),
		"$vocabulary":            schema("  $vocabulary: {'" + trap + "': true}\n"),
		"$ref to itself":         schema("  $ref: '#'\n"),
		"$ref in a circle":       schema("  $defs: {a: {$ref: '#/$defs/b'}, b: {$ref: '#/$defs/a'}}\n  $ref: '#/$defs/a'\n"),
		"$ref far away":          schema("  $ref: '#/" + strings.Repeat("a/", 20_000) + "'\n"),
		"exponential allOf":      schema(refs.String()),
		"exponential anyOf":      schema(strings.ReplaceAll(refs.String(), "allOf", "anyOf")),
		"exponential oneOf":      schema(strings.ReplaceAll(refs.String(), "allOf", "oneOf")),
		"exponential if":         schema(strings.NewReplacer("allOf: [", "if: ", "}, {$ref", "}, then: {$ref", "]}", "}").Replace(refs.String())),
		"contains in contains":   schema("  " + strings.Repeat("contains: {", 500) + "const: 1" + strings.Repeat("}", 500) + "\n"),
		"wide allOf":             schema(all.String()),
		"a pattern":              schema("  type: object\n  properties: {a: {type: string, pattern: '" + strings.Repeat("(a{1,1000}){1,1000}", 3) + "'}}\n"),
		"a pattern of Perl":      schema("  type: object\n  properties: {a: {type: string, pattern: '(?=x)(a+)+\\1'}}\n"),
		"patternProperties":      schema("  type: object\n  patternProperties: {'(x+x+)+y(?!z)': {}}\n"),
		"multipleOf 1e-99999999": schema("  type: object\n  properties: {a: {multipleOf: 1e-99999999}}\n"),
		"minItems 1e400":         schema("  type: object\n  properties: {a: {minItems: 1e400}}\n"),
		"an enum of 20000":       schema("  enum: [" + strings.Repeat("a,", 30_000) + "a]\n"),
		"a format":               schema("  type: object\n  properties: {a: {type: string, format: x-command}}\n"),
		"contentMediaType":       schema("  type: object\n  properties: {a: {type: string, contentMediaType: text/html, contentSchema: {$ref: '" + trap + "'}}}\n"),
		"a URI template":         head + "documents: {type: object}\nuri: 'http://{subject}{subject}" + strings.Repeat("{subject}", 5000) + "'\n",
		"a URI of a script":      head + "documents: {type: object}\nuri: 'https://x/{documents.name}/{{7*7}}'\n",
		"Member again":           strings.Replace(head, "Bomb", "Member", 1) + "documents: {type: object}\n",
	}
	path := filepath.Join(r.policies(), "zz-bomb.yaml")
	longest, which := time.Duration(0), ""
	try := func(name, file string) {
		began := time.Now()
		line, err := r.hangUp(ctx)
		if took := time.Since(began); took > longest {
			longest, which = took, name
		}
		r.heard("SIGHUP")
		switch {
		case err != nil:
			r.fault("%s: %v", name, err)
		case !strings.Contains(line, "not read again"), !strings.Contains(line, "level=ERROR"):
			r.fault("%s was taken for policies: %.300s", name, line)
		case !strings.Contains(line, file):
			r.fault("%s: the log does not say which file: %.300s", name, line)
		case len(line) > 40_000:
			r.fault("%s: the log's line has %d bytes", name, len(line))
		}
		if err := os.RemoveAll(path); err != nil {
			r.fault("%v", err)
		}
	}
	n := 0
	for name, content := range files {
		if n++; r.short && n%2 == 0 && !strings.Contains(name, "$") && !strings.Contains(name, "laughs") {
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
		try(name, "zz-bomb.yaml")
	}
	// What is no file.
	for name, make := range map[string]func() error{
		"a link to a secret": func() error { return os.Symlink("/etc/passwd", path) },
		"a link to a device": func() error { return os.Symlink("/dev/zero", path) },
		"a link to itself":   func() error { return os.Symlink(path, path) },
		"a folder":           func() error { return os.Mkdir(path, 0o700) },
		"a pipe":             func() error { return makePipe(path) },
	} {
		if err := make(); err != nil {
			r.note("%s cannot be made here: %v", name, err)
			continue
		}
		try(name, "zz-bomb.yaml")
	}
	for i := range 1100 {
		if err := os.WriteFile(filepath.Join(r.policies(), fmt.Sprintf("many-%d.yaml", i)), []byte(head), 0o600); err != nil {
			return err
		}
	}
	try("1100 files", "files")
	for i := range 1100 {
		if err := os.Remove(filepath.Join(r.policies(), fmt.Sprintf("many-%d.yaml", i))); err != nil {
			return err
		}
	}
	r.note("the one that took longest: %s, %v", which, longest.Round(time.Millisecond))
	// What they would have let in is not let in, and what was there before is.
	w, err := newWallet(ed25519Seed)
	if err != nil {
		return err
	}
	a, err := r.send(ctx, http.MethodPost, "/credential", text(map[string]any{"subject": w.address, "credential": "Bomb", "documents": map[string]any{"a": "b"}}))
	r.expect("a type of a bomb", a, err, http.StatusBadRequest)
	line, err := r.hangUp(ctx)
	if err != nil || !strings.Contains(line, "read the policies again") {
		return errors.Join(err, fmt.Errorf("without the bombs: %s", line))
	}
	return nil
}

// deep is a mapping in a mapping, and so on, by indents.
func deep(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i%200+1) + "a:\n")
		if i == 199 {
			break
		}
	}
	return b.String()
}
