package policy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/xrplissuer/credential-issuer/model"
)

// The names of the fields in a file.
const (
	fieldCredential   = "credential"
	fieldDescription  = "description"
	fieldDecision     = "decision"
	fieldDocuments    = "documents"
	fieldValidity     = "validity"
	fieldDefault      = "default"
	fieldLongest      = "longest"
	fieldURI          = "uri"
	fieldProof        = "proof"
	fieldUnaccepted   = "unaccepted"
	fieldPerSubject   = "per_subject"
	fieldInAll        = "in_all"
	fieldWithdraw     = "withdraw_after"
	fieldKeep         = "keep_documents"
	fieldDecideWithin = "decide_within"
	fieldMostWaiting  = "most_waiting"
	fieldWaitingBytes = "most_waiting_bytes"
	fieldOneBytes     = "most_document_bytes"
	fieldRenewWithin  = "renew_within"
	fieldDeleteExpiry = "delete_expired_after"
)

// Words of fields that have few.
const (
	proofRequired = "required"
	proofNone     = "none"
)

const (
	// maxCount is the most that a number of credentials may be set to.
	maxCount = 1_000_000_000
	// maxDescription is the most characters of a description.
	maxDescription = 1000
)

// file reads one file. Whatever is wrong goes to faults; what is read beside a fault is of no use but to find more.
type file struct {
	name     string
	faults   *Faults
	typeLine int // where the credential type stands
}

func (f *file) fault(n *yaml.Node, field, rest string) {
	f.faults.add(f.name, n.Line, field+" "+rest)
}

const wholeFile = "the file"

// policy reads the text of a file.
func (f *file) policy(text []byte) *Policy {
	p := &Policy{}
	top := f.parse(text)
	if top == nil {
		return p
	}
	fields := f.fields(top, "", fieldCredential, fieldDescription, fieldDecision, fieldDocuments, fieldValidity, fieldURI,
		fieldProof, fieldUnaccepted, fieldKeep, fieldDecideWithin, fieldMostWaiting, fieldWaitingBytes, fieldOneBytes, fieldRenewWithin, fieldDeleteExpiry)
	if fields == nil {
		return p
	}
	if n := f.required(fields, top, fieldCredential, "a credential type"); n != nil {
		p.Type, f.typeLine = scalar(f, n, fieldCredential, model.ParseType), n.Line
	}
	if n := fields[fieldDescription]; n != nil {
		p.Description = scalar(f, n, fieldDescription, parseDescription)
	}
	if n := f.required(fields, top, fieldDecision, "automatic or review"); n != nil {
		p.Decision = Decision(f.word(n, fieldDecision, string(Automatic), string(Review)))
	}
	if n := fields[fieldDocuments]; n != nil {
		p.schema = f.schema(n)
	} else if p.Decision == Automatic && !has(top, fieldDocuments) {
		f.fault(top, fieldDocuments, "must be given where the decision is automatic: what documents must be, as a JSON Schema; nobody else looks at them")
	}
	if n := fields[fieldProof]; n != nil {
		p.ProofRequired = f.word(n, fieldProof, proofRequired, proofNone) == proofRequired
	}
	if n := fields[fieldURI]; n != nil {
		p.uri = scalar(f, n, fieldURI, func(s string) (uriTemplate, error) { return parseTemplate(s, p.Type) })
	}
	p.Validity = f.validity(fields[fieldValidity])
	p.Unaccepted = f.unaccepted(fields[fieldUnaccepted])
	f.times(p, fields, top)
	return p
}

func (f *file) validity(n *yaml.Node) (v Validity) {
	if n == nil {
		return v
	}
	fields := f.fields(n, fieldValidity, fieldDefault, fieldLongest)
	if d := fields[fieldDefault]; d != nil {
		v.Default = f.duration(d, under(fieldValidity, fieldDefault), time.Second)
	}
	if l := fields[fieldLongest]; l != nil {
		v.Longest = f.duration(l, under(fieldValidity, fieldLongest), time.Second)
	}
	if v.Longest != 0 && v.Default > v.Longest {
		f.fault(fields[fieldDefault], under(fieldValidity, fieldDefault), "must not be longer than longest, which is "+formatDuration(v.Longest))
	}
	return v
}

func (f *file) unaccepted(n *yaml.Node) (u Unaccepted) {
	if n == nil {
		return u
	}
	fields := f.fields(n, fieldUnaccepted, fieldPerSubject, fieldInAll, fieldWithdraw)
	if c := fields[fieldPerSubject]; c != nil {
		u.PerSubject = f.count(c, under(fieldUnaccepted, fieldPerSubject), "no bound")
	}
	if c := fields[fieldInAll]; c != nil {
		u.InAll = f.count(c, under(fieldUnaccepted, fieldInAll), "no bound")
	}
	if w := fields[fieldWithdraw]; w != nil {
		u.WithdrawAfter = f.duration(w, under(fieldUnaccepted, fieldWithdraw), time.Second)
	}
	return u
}

func (f *file) times(p *Policy, fields map[string]*yaml.Node, top *yaml.Node) {
	keep := fields[fieldKeep]
	switch {
	case keep != nil && p.Decision == Automatic:
		f.fault(keep, fieldKeep, "must be left out where the decision is automatic: documents are not kept then")
	case keep != nil:
		p.KeepDocuments = f.duration(keep, fieldKeep, 0)
	case p.Decision == Review && !has(top, fieldKeep):
		f.fault(top, fieldKeep, "must be given where the decision is review: how long documents are kept after it, such as 30d, or 0s")
	}
	f.waiting(p, fields)
	if n := fields[fieldRenewWithin]; n != nil {
		p.RenewWithin = f.duration(n, fieldRenewWithin, time.Second)
		usual := p.Validity.Default
		if usual == 0 {
			usual = p.Validity.Longest
		}
		if usual != 0 && p.RenewWithin >= usual {
			f.fault(n, fieldRenewWithin, "must be shorter than credentials hold, which is "+formatDuration(usual)+": otherwise each can be renewed at once")
		}
	}
	if n := fields[fieldDeleteExpiry]; n != nil {
		d := f.duration(n, fieldDeleteExpiry, 0)
		p.DeleteExpiredAfter = &d
	}
}

// waiting reads for how long a request waits for a person, how many may, and what they may hold.
func (f *file) waiting(p *Policy, fields map[string]*yaml.Node) {
	if p.Decision == Automatic {
		for _, name := range []string{fieldDecideWithin, fieldMostWaiting, fieldWaitingBytes, fieldOneBytes} {
			if n := fields[name]; n != nil {
				f.fault(n, name, "must be left out where the decision is automatic: nobody waits for one then")
			}
		}
		return
	}
	bound := func(name string, otherwise int) int {
		if n := fields[name]; n != nil {
			return f.count(n, name, strconv.Itoa(otherwise))
		}
		if p.Decision != Review {
			return 0
		}
		return otherwise
	}
	p.MostWaiting = bound(fieldMostWaiting, DefaultMostWaiting)
	p.MostWaitingBytes = int64(bound(fieldWaitingBytes, DefaultMostWaitingBytes))
	p.MostDocumentBytes = int64(bound(fieldOneBytes, DefaultMostDocumentBytes))
	if p.MostDocumentBytes > p.MostWaitingBytes {
		f.fault(cmp.Or(fields[fieldOneBytes], fields[fieldWaitingBytes]), fieldOneBytes, fmt.Sprintf("must not be more than %s, which is %d", fieldWaitingBytes, p.MostWaitingBytes))
	}
	within := fields[fieldDecideWithin]
	switch {
	case within != nil:
		if p.DecideWithin = f.duration(within, fieldDecideWithin, time.Second); p.DecideWithin > MaxDecideWithin {
			f.fault(within, fieldDecideWithin, "must not be longer than "+formatDuration(MaxDecideWithin)+": documents that nobody looks at are not kept for longer")
		}
	case p.Decision == Review:
		p.DecideWithin = DefaultDecideWithin
	}
}

// under names a field within another one.
func under(outer, inner string) string {
	if outer == "" {
		return inner
	}
	return outer + "." + inner
}

// syntaxLine is how the library says where a fault of syntax stands, which is that line or the next one. It says nothing
// where that is the first line, or where it does not know.
var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// parse reads a file that must be one YAML document, whose top is a mapping without aliases. It returns nil after a
// fault.
func (f *file) parse(text []byte) *yaml.Node {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) {
		f.faults.add(f.name, 0, wholeFile+" must be UTF-8; it holds other bytes")
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		f.faults.add(f.name, 0, wholeFile+" must be a policy; it is empty")
		return nil
	case err != nil:
		f.syntax(err)
		return nil
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		f.fault(&more, wholeFile, "must be one policy; a second YAML document begins here")
		return nil
	case !errors.Is(err, io.EOF):
		f.syntax(err)
		return nil
	}
	if n, rest := unusable(&doc, 0); n != nil {
		f.fault(n, wholeFile, rest)
		return nil
	}
	return doc.Content[0]
}

func (f *file) syntax(err error) {
	line, said := 0, "it is none"
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
		said = m[2]
	}
	f.faults.add(f.name, line, fmt.Sprintf("%s must be YAML: %s", wholeFile, quoteUpTo(said, maxPatternShown)))
}

// maxFileDepth is how deep mappings and sequences may nest in a file.
const maxFileDepth = 64

// unusable finds what no part of a file may hold. Aliases are refused as a whole: a few lines of them stand for more
// than any memory holds.
func unusable(n *yaml.Node, depth int) (*yaml.Node, string) {
	switch {
	case n.Kind == yaml.AliasNode, n.Anchor != "":
		return n, "must not use anchors and aliases (& and *): write out what is meant"
	case depth > maxFileDepth:
		return n, fmt.Sprintf("must not nest deeper than %d levels", maxFileDepth)
	}
	if n.ShortTag() == "!!merge" {
		return n, "must not use merge keys (<<): write out what is meant"
	}
	if n.Style&yaml.TaggedStyle != 0 {
		return n, "must not use tags, such as " + quote(n.Tag)
	}
	for _, c := range n.Content {
		if bad, rest := unusable(c, depth+1); bad != nil {
			return bad, rest
		}
	}
	return nil, ""
}

// fields reads a mapping that may have the fields named, each of them once. It returns nil where n is no mapping.
func (f *file) fields(n *yaml.Node, path string, allowed ...string) map[string]*yaml.Node {
	called := path
	if called == "" {
		called = wholeFile
	}
	if n.Kind != yaml.MappingNode {
		f.fault(n, called, fmt.Sprintf("must have the fields %s, not be %s", listed(allowed, "and"), kindOf(n)))
		return nil
	}
	found := map[string]*yaml.Node{}
	for key, value := range f.pairs(n, called) {
		switch {
		case !contains(allowed, key.Value):
			f.fault(key, called, unknown("field", key.Value, allowed))
		case isNull(value):
			f.fault(value, under(path, key.Value), "must have a value; leave out what you do not want to set")
		default:
			found[key.Value] = value
		}
	}
	return found
}

// pairs yields the keys and values of a mapping whose keys are texts that stand once each; others are faults.
func (f *file) pairs(n *yaml.Node, called string) func(func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			first := seen[key.Value]
			switch {
			case key.Kind != yaml.ScalarNode || !isText(key):
				f.fault(key, called, fmt.Sprintf("must have names that are text: put quotes around what reads as %s", kindOf(key)))
			case len(key.Value) > maxNameLen:
				f.fault(key, called, fmt.Sprintf("must have names of at most %d bytes; %s is longer", maxNameLen, quote(key.Value)))
			case first != 0:
				f.fault(key, called, fmt.Sprintf("must have %s once; it stands in line %d already", shownName(key.Value), first))
			default:
				seen[key.Value] = key.Line
				if !yield(key, value) {
					return
				}
			}
		}
	}
}

// maxNameLen bounds the names in a mapping: each place in a schema is named by all names above it.
const maxNameLen = 128

// unknown says that a name is none of those allowed, and which of them it may stand for.
func unknown(what, name string, allowed []string) string {
	s := fmt.Sprintf("must not have the %s %s", what, shownName(name))
	for _, a := range allowed {
		if near(a, name) {
			return s + "; did you mean " + a + "?"
		}
	}
	if len(allowed) > 16 {
		return s
	}
	return s + "; there are " + listed(allowed, "and")
}

// near says whether a name is another one but for case, dashes, or one character that is wrong, missing or too many.
func near(want, got string) bool {
	fold := strings.NewReplacer("-", "_", " ", "_").Replace
	want, got = fold(strings.ToLower(want)), fold(strings.ToLower(got))
	if len(got) > len(want)+2 || len(want) < 4 {
		return want == got
	}
	for len(want) > 0 && len(got) > 0 && want[0] == got[0] {
		want, got = want[1:], got[1:]
	}
	for len(want) > 0 && len(got) > 0 && want[len(want)-1] == got[len(got)-1] {
		want, got = want[:len(want)-1], got[:len(got)-1]
	}
	return len(want) <= 1 && len(got) <= 1 || len(want) == 2 && len(got) == 2 && want[0] == got[1] && want[1] == got[0]
}

func contains(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

func (f *file) required(fields map[string]*yaml.Node, top *yaml.Node, name, what string) *yaml.Node {
	n := fields[name]
	if n == nil && !has(top, name) {
		f.fault(top, name, "must be given: "+what)
	}
	return n
}

// has says whether a mapping has a field at all, be it without a value.
func has(n *yaml.Node, name string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return true
		}
	}
	return false
}

// isText says whether a scalar is text. A date that stands without quotes is meant as text: JSON knows no dates.
func isText(n *yaml.Node) bool {
	tag := n.ShortTag()
	return n.Kind == yaml.ScalarNode && (tag == "!!str" || tag == "!!timestamp")
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	}
	return "text"
}

// scalar reads a text with a parser whose error reads on from the name of the field.
func scalar[T any](f *file, n *yaml.Node, field string, parse func(string) (T, error)) (value T) {
	if !isText(n) {
		rest := "must be text, not " + kindOf(n)
		if n.Kind == yaml.ScalarNode {
			rest += ": put quotes around it"
		}
		f.fault(n, field, rest)
		return value
	}
	v, err := parse(n.Value)
	if err != nil {
		f.fault(n, field, err.Error())
		return value
	}
	return v
}

func (f *file) word(n *yaml.Node, field string, words ...string) string {
	return scalar(f, n, field, func(s string) (string, error) {
		if !contains(words, s) {
			return "", fmt.Errorf("must be %s, not %s", listed(words, "or"), quote(s))
		}
		return s, nil
	})
}

func (f *file) duration(n *yaml.Node, field string, least time.Duration) time.Duration {
	if n.Kind == yaml.ScalarNode && kindOf(n) == "a number" {
		f.fault(n, field, errDurationForm.Error()+": its unit is missing")
		return 0
	}
	return scalar(f, n, field, func(s string) (time.Duration, error) {
		d, err := parseDuration(s)
		if err == nil && d < least {
			return 0, errDurationZero
		}
		return d, err
	})
}

// count reads a number of credentials or requests; otherwise is what holds where it is left out.
func (f *file) count(n *yaml.Node, field, otherwise string) int {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" && jsonNumber.MatchString(n.Value) {
		if c, err := strconv.Atoi(n.Value); err == nil && 1 <= c && c <= maxCount {
			return c
		}
	}
	f.fault(n, field, fmt.Sprintf("must be a whole number from 1 to %d; leave it out for %s", maxCount, otherwise))
	return 0
}

func parseDescription(s string) (string, error) {
	if utf8.RuneCountInString(s) > maxDescription {
		return "", fmt.Errorf("must not have more than %d characters", maxDescription)
	}
	for _, r := range s {
		if unicode.IsControl(r) && r != '\n' {
			return "", errors.New("must be text without control characters")
		}
	}
	return s, nil
}
