package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing that is wrong with a folder of policies.
type Fault struct {
	// File is its name in the folder; empty where the folder itself is meant.
	File string
	// Line counts from 1; 0 where the whole file is meant.
	Line int
	// Text names the field and says what it must be.
	Text string
}

// String returns it as compilers write: "member.yaml:12: decision must be …". It is printable ASCII in one line, whatever
// stands in the file and its name.
func (f Fault) String() string {
	switch {
	case f.File == "":
		return f.Text
	case f.Line == 0:
		return shownFile(f.File) + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", shownFile(f.File), f.Line, f.Text)
}

// maxFaultsShown bounds the text of an error; [Faults] itself has all of them.
const maxFaultsShown = 100

// Faults is the error of [Load]: all that is wrong, by file and line.
type Faults struct {
	Dir  string
	List []Fault
}

// Error lists them, one a line.
func (f *Faults) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the policies in %s cannot be used", strconv.QuoteToASCII(f.Dir))
	for i, fault := range f.List {
		if i == maxFaultsShown {
			fmt.Fprintf(&b, "\n  and %d more", len(f.List)-i)
			break
		}
		b.WriteString("\n  " + fault.String())
	}
	return b.String()
}

func (f *Faults) add(file string, line int, text string) {
	f.List = append(f.List, Fault{File: file, Line: line, Text: text})
}

// err sorts the faults and returns them, or nil where there are none.
func (f *Faults) err() error {
	if len(f.List) == 0 {
		return nil
	}
	slices.SortStableFunc(f.List, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return f
}

// Words of others are shown in printable ASCII, and not much of them.
const (
	maxWordShown    = 40
	maxPatternShown = 120
)

func quote(s string) string { return quoteUpTo(s, maxWordShown) }

func quoteUpTo(s string, most int) string {
	if len(s) > most {
		return strconv.QuoteToASCII(strings.ToValidUTF8(s[:most], "")) + "..."
	}
	return strconv.QuoteToASCII(s)
}

// shownFile leaves ordinary file names as they are, so that editors and terminals find them.
func shownFile(name string) string {
	if plain(name, "._-+ ") && len(name) <= 255 {
		return name
	}
	return quoteUpTo(name, 255)
}

// shownName leaves ordinary field names as they are.
func shownName(name string) string {
	if len(name) <= maxWordShown && plain(name, "_-$") {
		return name
	}
	return quote(name)
}

func plain(s, others string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return s != ""
}

// listed puts words into a sentence: "a, b or c".
func listed(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}
