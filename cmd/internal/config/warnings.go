package config

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// Warnings says what of the settings deserves a look and stops nothing: names that no program knows, in the .env file, or in
// the environment where they are close to one that is known; values of the file that are not taken as they stand there; a
// secret in it that others can read. No value is repeated.
func (c *Values) Warnings() []string {
	return slices.Concat(c.misspelled(), c.mistaken(), c.exposed())
}

// Warn writes the warnings, one a line, for a program that keeps no log.
func (c *Values) Warn(w io.Writer, program string) error {
	for _, text := range c.Warnings() {
		if _, err := fmt.Fprintf(w, "%s: %s\n", program, text); err != nil {
			return err
		}
	}
	return nil
}

func known(key string) bool {
	return slices.ContainsFunc(Catalogue, func(s Setting) bool { return s.Key == key })
}

// misspelled tells names that no program knows. In the environment there are many, of other programs: only those are told
// that are close to a setting.
func (c *Values) misspelled() []string {
	var told []string
	if c.dotenv != "" {
		for _, key := range slices.Sorted(slices.Values(c.v.AllKeys())) {
			key = strings.ToUpper(key)
			// Other words than names are not repeated: they might be part of a value.
			if known(key) || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
				continue
			}
			text := fmt.Sprintf("%s sets %s, which no program knows", c.dotenv, key)
			if near := nearest(key); near != "" {
				text += ": is " + near + " meant?"
			}
			told = append(told, text)
		}
	}
	for _, entry := range slices.Sorted(slices.Values(os.Environ())) {
		key, value, _ := strings.Cut(entry, "=")
		if near := nearest(key); near != "" && value != "" && !known(key) {
			told = append(told, fmt.Sprintf("the environment sets %s, which no program knows: is %s meant?", key, near))
		}
	}
	return told
}

// closeBy is how many letters of a name may be wrong, missing or too many for another one to be meant.
const closeBy = 2

// nearest returns the setting that a name is a misspelling of; empty for none. It is close in its letters, or it has the same
// words in the same order, and more: ISSUER_SEED is ISSUER_ACCOUNT_SEED.
func nearest(name string) string {
	best, fewest := "", closeBy+1
	for _, s := range Catalogue {
		if n := Distance(name, s.Key); n < fewest && len(name) > 3*n {
			best, fewest = s.Key, n
		}
	}
	if words := strings.Split(name, "_"); best == "" && len(words) > 1 {
		for _, s := range Catalogue {
			if within(words, strings.Split(s.Key, "_")) {
				return s.Key
			}
		}
	}
	return best
}

// within says whether the words stand among others, in their order.
func within(words, others []string) bool {
	for _, other := range others {
		if len(words) > 0 && words[0] == other {
			words = words[1:]
		}
	}
	return len(words) == 0
}

// Distance is how many letters have to be put in, taken out or replaced to make b of a.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := min(row[j+1]+1, row[j]+1, diagonal)
			if a[i] != b[j] {
				next = min(row[j+1], row[j], diagonal) + 1
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

var (
	bareValue = regexp.MustCompile(`^\s*(?:export\s+)?[A-Za-z0-9_.-]+\s*[=:]\s*([^'"\s].*)$`)
	variable  = regexp.MustCompile(`(?:^|[^\\])\$\{?([A-Z0-9_]+)`)
	hash      = regexp.MustCompile(`[^\s#]#`)
)

// mistaken tells lines of the .env file whose values are not taken as they stand there.
func (c *Values) mistaken() []string {
	text, err := os.ReadFile(c.dotenv)
	if err != nil {
		return nil
	}
	var told []string
	lines := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(Text(text))
	for i, line := range strings.Split(lines, "\n") {
		m := bareValue.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		switch value, _, _ := strings.Cut(m[1], " #"); {
		case hash.MatchString(value):
			told = append(told, fmt.Sprintf("%s, line %d: what follows the # is left out as a comment: put the value into single quotes to have it whole", c.dotenv, i+1))
		case slices.ContainsFunc(variable.FindAllStringSubmatch(value, -1), c.unset):
			told = append(told, fmt.Sprintf("%s, line %d: its $ stands for a variable that is not set: put the value into single quotes to have it as it stands", c.dotenv, i+1))
		}
	}
	return told
}

// unset says that a variable is neither in the environment nor in the file.
func (c *Values) unset(match []string) bool {
	_, set := os.LookupEnv(match[1])
	return !set && !c.v.InConfig(strings.ToLower(match[1]))
}

// exposed tells of a secret in the .env file that others can read.
func (c *Values) exposed() []string {
	info, err := os.Stat(c.dotenv)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	for _, s := range Catalogue {
		if key := strings.ToLower(s.Key); s.Secret && c.v.InConfig(key) && c.v.GetString(key) != "" {
			return []string{fmt.Sprintf("%s holds a secret and others can read it (mode %04o): chmod 600 %s", c.dotenv, info.Mode().Perm(), c.dotenv)}
		}
	}
	return nil
}
