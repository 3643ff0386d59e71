package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// Bounds of a schema.
const (
	// maxSubschemas is the most schemas within a schema. Compiling takes time that grows with the square of it.
	maxSubschemas = 500
	// maxPattern is the most instructions that the patterns of one schema may be compiled to: each of them may run for
	// each byte. maxPatternLen bounds what is compiled to find out.
	maxPattern    = 4096
	maxPatternLen = 1000
	// maxNumberLen and maxExponent bound numbers, in schemas and in documents: arithmetic on them is exact, and a
	// few characters of exponent stand for a million digits.
	maxNumberLen = 64
	maxExponent  = 999
)

// formats are those that are asserted, with what a document is told that does not have one. They are the formats of
// 2020-12 that the library checks and whose cost is linear in the text; "regex" is not among them, since compiling a
// stranger's pattern is not.
var formats = map[string]string{
	"date":                  "a date, such as 2030-12-31",
	"date-time":             "a date and time with Z or an offset, such as 2030-12-31T00:00:00Z",
	"time":                  "a time with Z or an offset, such as 23:59:59Z",
	"duration":              "a duration, such as P1Y6M (ISO 8601)",
	"email":                 "an email address",
	"hostname":              "a host name",
	"ipv4":                  "an IPv4 address",
	"ipv6":                  "an IPv6 address",
	"uri":                   "a URI with its scheme, such as https://example.org/a",
	"uri-reference":         "a URI, or a reference relative to one",
	"uri-template":          "a URI template",
	"uuid":                  "a UUID",
	"json-pointer":          "a JSON pointer",
	"relative-json-pointer": "a relative JSON pointer",
}

// keyword says what stands under one: schemas, in which form, and to which part of a value they are applied.
type keyword int

const (
	plainWord  keyword = iota // no schema
	definition                // schemas that are applied to nothing by themselves
	inPlace                   // one schema for the value itself
	inPlaceAll                // a list of them
	inPlaceMap                // by name
	forChild                  // one schema for fields or items of the value
	forItems                  // a list of them, by position
	forFields                 // by name
)

// keywords are all that a schema may have. An unknown one is a fault, as it would check nothing.
var keywords = map[string]keyword{
	"$schema": plainWord, "$id": plainWord, "$anchor": plainWord, "$ref": plainWord, "$comment": plainWord, "$defs": definition,
	"title": plainWord, "description": plainWord, "default": plainWord, "examples": plainWord, "deprecated": plainWord,
	"readOnly": plainWord, "writeOnly": plainWord,
	"type": plainWord, "enum": plainWord, "const": plainWord, "format": plainWord,
	"minLength": plainWord, "maxLength": plainWord, "pattern": plainWord,
	"minimum": plainWord, "maximum": plainWord, "exclusiveMinimum": plainWord, "exclusiveMaximum": plainWord, "multipleOf": plainWord,
	"required": plainWord, "minProperties": plainWord, "maxProperties": plainWord, "dependentRequired": plainWord,
	"minItems": plainWord, "maxItems": plainWord, "uniqueItems": plainWord, "minContains": plainWord, "maxContains": plainWord,
	"allOf": inPlaceAll, "anyOf": inPlaceAll, "oneOf": inPlaceAll, "not": inPlace, "if": inPlace, "then": inPlace, "else": inPlace,
	"dependentSchemas": inPlaceMap,
	"properties":       forFields, "patternProperties": forFields, "additionalProperties": forChild, "unevaluatedProperties": forChild,
	"prefixItems": forItems, "items": forChild, "contains": forChild, "unevaluatedItems": forChild,
}

// refused are keywords of JSON Schema that policies may not use, with what to do instead.
var refused = map[string]string{
	"$dynamicRef":      "use $ref",
	"$dynamicAnchor":   "use $anchor or $defs",
	"$recursiveRef":    "use $ref",
	"$recursiveAnchor": "use $anchor or $defs",
	"$vocabulary":      "leave it out: the vocabulary is that of 2020-12",
	"definitions":      "it is called $defs in 2020-12",
	"dependencies":     "it is dependentRequired and dependentSchemas in 2020-12",
	"additionalItems":  "it is items beside prefixItems in 2020-12",
	"propertyNames":    "use patternProperties and additionalProperties: false",
	"contentEncoding":  "it would not be checked",
	"contentMediaType": "it would not be checked",
	"contentSchema":    "it would not be checked",
}

// metaschema is what $schema may say.
const metaschema = "https://json-schema.org/draft/2020-12/schema"

// schemaURL is what a schema is called while it is compiled. Nothing is there.
const schemaURL = "policy:///documents"

// schema is what documents must be.
type schema struct {
	compiled *jsonschema.Schema
	limits   limits
}

// node is one schema within a schema, as far as its cost goes; see [cost].
type node struct {
	pointer string
	src     *yaml.Node
	ref     string // the text of $ref
	refSrc  *yaml.Node
	// position is its place in the order in which costs are computed.
	position int

	weight   weight
	inPlace  []*node // applied to the same value
	fields   map[string]*node
	patterns map[string]*node // by source
	compiled map[string]*regexp.Regexp
	others   *node   // additionalProperties
	always   []*node // unevaluatedProperties
	prefix   []*node
	items    *node
	anyItem  []*node // contains, unevaluatedItems
}

// schemaReader reads a schema from YAML: what the bounds above forbid are faults in its file.
type schemaReader struct {
	*file
	nodes   []*node
	byPlace map[string]*node // by JSON pointer
	anchors map[string]*node
	full    bool // too many
}

// schema reads and compiles the schema that stands at n. It returns nil after a fault.
func (f *file) schema(n *yaml.Node) *schema {
	before := len(f.faults.List)
	r := &schemaReader{file: f, byPlace: map[string]*node{}, anchors: map[string]*node{}}
	top := r.subschema(n, fieldDocuments, "")
	if r.full {
		return nil
	}
	r.resolve()
	value := r.value(n, fieldDocuments)
	if object, ok := value.(map[string]any); ok {
		delete(object, "$id") // it names the schema, and nothing asks for its name
	}
	own := f.faults.List[before:]
	compiled, err := compile(value)
	if err != nil {
		r.uncompilable(n, value, err, own)
	}
	if len(f.faults.List) > before {
		return nil
	}
	limits, ok := r.limits(top)
	if !ok {
		return nil
	}
	return &schema{compiled: compiled, limits: limits}
}

// noLoader is asked for whatever is not in the schema itself, and has nothing.
type noLoader struct{}

var errNoLoad = errors.New("nothing is loaded")

func (noLoader) Load(string) (any, error) { return nil, errNoLoad }

func compile(value any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(schemaURL, value); err != nil {
		return nil, err
	}
	return c.Compile(schemaURL)
}

// uncompilable tells what the library finds in a schema beyond the reader's own faults: values of the wrong kind, by the
// metaschema.
func (r *schemaReader) uncompilable(n *yaml.Node, value any, err error, own []Fault) {
	var invalid *jsonschema.SchemaValidationError
	var detail *jsonschema.ValidationError
	if !errors.As(err, &invalid) || invalid.URL != schemaURL+"#" || !errors.As(invalid.Err, &detail) {
		if len(own) == 0 {
			r.fault(n, fieldDocuments, "must be a JSON Schema: "+quoteUpTo(err.Error(), maxPatternShown))
		}
		return
	}
	found := findings(detail)
	slices.SortFunc(found, finding.compare)
	for _, f := range found {
		src, path := at(n, f.location), fieldDocuments+f.place(value)
		told := slices.ContainsFunc(own, func(o Fault) bool { return o.Line == src.Line && strings.HasPrefix(o.Text, path+" ") })
		if !told {
			r.fault(src, path, f.rest)
		}
	}
}

// at returns the part of a YAML tree that a location in its JSON names, or the nearest one around it.
func at(n *yaml.Node, location []string) *yaml.Node {
next:
	for _, token := range location {
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == token {
					n = n.Content[i+1]
					continue next
				}
			}
		case yaml.SequenceNode:
			if i, err := strconv.Atoi(token); err == nil && 0 <= i && i < len(n.Content) {
				n = n.Content[i]
				continue next
			}
		}
		return n
	}
	return n
}

// jsonNumber is how JSON writes numbers. YAML has more ways (octal, hex, underscores), whose readers disagree.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?(\d+))?$`)

// numberFits says whether arithmetic on a JSON number is cheap.
func numberFits(s string) bool {
	if len(s) > maxNumberLen {
		return false
	}
	_, exponent, has := strings.Cut(strings.ToLower(s), "e")
	if !has {
		return true
	}
	e, err := strconv.Atoi(strings.TrimPrefix(exponent, "+"))
	return err == nil && -maxExponent <= e && e <= maxExponent
}

// value returns what stands at n as JSON.
func (r *schemaReader) value(n *yaml.Node, path string) any {
	switch n.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		for key, value := range r.pairs(n, path) {
			object[key.Value] = r.value(value, under(path, shownName(key.Value)))
		}
		return object
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = r.value(item, fmt.Sprintf("%s[%d]", path, i))
		}
		return list
	}
	switch tag := n.ShortTag(); {
	case isText(n) && !(n.Style == 0 && jsonNumber.MatchString(n.Value)): // YAML takes 1e1000 for text
		return n.Value
	case tag == "!!null":
		return nil
	case tag == "!!bool" && (n.Value == "true" || n.Value == "false"):
		return n.Value == "true"
	case tag == "!!bool":
	case !jsonNumber.MatchString(n.Value):
		r.fault(n, path, "must be a number as JSON writes it, or text in quotes")
		return json.Number("1")
	case !numberFits(n.Value):
		r.fault(n, path, numberBound)
		return json.Number("1")
	default:
		return json.Number(n.Value)
	}
	r.fault(n, path, "must be true, false, null, a number or text, as JSON writes them")
	return nil
}

// numberBound reads on from the name of a field.
var numberBound = fmt.Sprintf("must be a number of at most %d characters, with an exponent from -%d to %d", maxNumberLen, maxExponent, maxExponent)

// subschema reads the schema at n, and those within it. path is how faults name it, and pointer its JSON pointer.
func (r *schemaReader) subschema(n *yaml.Node, path, pointer string) *node {
	s := &node{pointer: pointer, src: n, weight: weight{evaluations: 1}}
	if len(r.nodes) == maxSubschemas && !r.full {
		r.full = true
		r.fault(n, fieldDocuments, fmt.Sprintf("must not hold more than %d schemas", maxSubschemas))
	}
	if r.full {
		return s
	}
	r.nodes = append(r.nodes, s)
	r.byPlace[pointer] = s
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" {
		return s
	}
	if n.Kind != yaml.MappingNode {
		r.fault(n, path, "must be a JSON Schema: a mapping, true or false, not "+kindOf(n))
		return s
	}
	for key, value := range unheard().pairs(n, path) {
		r.keyword(s, key, value, under(path, shownName(key.Value)), pointer+"/"+pointerToken(key.Value))
	}
	for _, needs := range [][2]string{{"then", "if"}, {"else", "if"}, {"minContains", "contains"}, {"maxContains", "contains"}} {
		if has(n, needs[0]) && !has(n, needs[1]) {
			r.fault(n, path, fmt.Sprintf("must have %s where it has %s, which checks nothing otherwise", needs[1], needs[0]))
		}
	}
	return s
}

// unheard reads what is read a second time: its faults have been told, or will be when the whole is read as JSON.
func unheard() *file { return &file{faults: &Faults{}} }

func (r *schemaReader) keyword(s *node, key, value *yaml.Node, path, pointer string) {
	name := key.Value
	kind, known := keywords[name]
	if !known {
		outer := strings.TrimSuffix(path, "."+shownName(name))
		if instead, is := refused[name]; is {
			r.fault(key, outer, fmt.Sprintf("must not have the keyword %s: %s", name, instead))
		} else {
			r.fault(key, outer, unknown("keyword", name, slices.Sorted(maps.Keys(keywords))))
		}
		return
	}
	var below []*node
	byName := map[string]*node{}
	switch kind {
	case plainWord:
		r.plain(s, name, value, path)
		return
	case inPlace, forChild:
		below = append(below, r.subschema(value, path, pointer))
	case inPlaceAll, forItems:
		if value.Kind != yaml.SequenceNode {
			return // the metaschema says so
		}
		for i, item := range value.Content {
			below = append(below, r.subschema(item, fmt.Sprintf("%s[%d]", path, i), pointer+"/"+strconv.Itoa(i)))
		}
	case inPlaceMap, forFields, definition:
		if value.Kind != yaml.MappingNode {
			return
		}
		for key, item := range unheard().pairs(value, path) {
			child := r.subschema(item, under(path, shownName(key.Value)), pointer+"/"+pointerToken(key.Value))
			byName[key.Value] = child
			below = append(below, child)
			if name == "patternProperties" {
				r.pattern(s, key, path, key.Value)
			}
		}
	}
	switch name {
	case "properties":
		s.fields = byName
	case "patternProperties":
		s.patterns = byName
	case "additionalProperties":
		s.others = below[0]
	case "unevaluatedProperties":
		s.always = append(s.always, below...)
	case "prefixItems":
		s.prefix = below
	case "items":
		s.items = below[0]
	case "contains", "unevaluatedItems":
		s.anyItem = append(s.anyItem, below...)
	case "$defs":
	default:
		s.inPlace = append(s.inPlace, below...)
	}
}

// plain reads a keyword that holds no schemas. Values of a wrong kind are left to the metaschema.
func (r *schemaReader) plain(s *node, name string, value *yaml.Node, path string) {
	text := ""
	if isText(value) {
		text = value.Value
	}
	switch name {
	case "$schema":
		if strings.TrimSuffix(text, "#") != metaschema {
			r.fault(value, path, "must be "+metaschema+", or be left out")
		}
	case "$id":
		if s.pointer != "" {
			r.fault(value, path, "must be left out, but at the top: references are resolved in the whole schema")
		}
	case "$anchor":
		if _, taken := r.anchors[text]; taken {
			r.fault(value, path, "must be another name: there is one such anchor already")
		}
		r.anchors[text] = s
	case "$ref":
		s.ref, s.refSrc = text, value
	case "format":
		if _, known := formats[text]; !known && isText(value) {
			r.fault(value, path, "must be one of the formats that are checked: "+listed(slices.Sorted(maps.Keys(formats)), "or"))
		}
		s.weight.steps += 4
	case "pattern":
		if isText(value) {
			r.pattern(s, value, path, text)
		}
	case "enum", "const":
		s.weight.evaluations += count(value) / 8
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		s.weight.evaluations++
	case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains":
		if n, err := strconv.ParseFloat(value.Value, 64); jsonNumber.MatchString(value.Value) && (err != nil || n > maxCount) {
			r.fault(value, path, fmt.Sprintf("must be a whole number from 0 to %d", maxCount))
		}
	case "uniqueItems":
		s.weight.unique = 1
	}
}

// pattern weighs a pattern, and says where Go cannot compile it.
func (r *schemaReader) pattern(s *node, src *yaml.Node, path, pattern string) {
	if len(pattern) > maxPatternLen {
		r.fault(src, path, fmt.Sprintf("must be a pattern of at most %d bytes", maxPatternLen))
		return
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		var why *syntax.Error
		said := "it cannot be compiled"
		if errors.As(err, &why) {
			said = why.Code.String()
		}
		r.fault(src, path, fmt.Sprintf("must be a pattern that Go's regexp (RE2) can compile; %s has a fault: %s", quoteUpTo(pattern, maxPatternShown), said))
		return
	}
	size := instructions(pattern)
	if s.weight.steps+float64(size) > maxPattern {
		r.fault(src, path, fmt.Sprintf("must be a smaller pattern: it is compiled to %d steps, and all patterns of one schema may have %d (repeats such as {1,1000} are written out)", size, maxPattern))
		return
	}
	s.weight.steps += float64(size)
	if s.compiled == nil {
		s.compiled = map[string]*regexp.Regexp{}
	}
	s.compiled[pattern] = compiled
}

// instructions returns how many a pattern that compiles is compiled to.
func instructions(pattern string) int {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0
	}
	return len(prog.Inst)
}

// count returns how many values stand at n and below it.
func count(n *yaml.Node) float64 {
	c := 1.0
	for _, below := range n.Content {
		c += count(below)
	}
	return c
}

// resolve turns references into arrows between schemas.
func (r *schemaReader) resolve() {
	if r.full {
		return
	}
	for _, s := range r.nodes {
		if s.refSrc == nil || !isText(s.refSrc) {
			continue
		}
		target, rest := r.target(s.ref)
		if target == nil {
			r.fault(s.refSrc, fieldDocuments+shownPointer(s.pointer)+".$ref", rest)
			continue
		}
		s.inPlace = append(s.inPlace, target)
	}
}

// target finds what a reference means. Where it means nothing, it says what it must be.
func (r *schemaReader) target(ref string) (*node, string) {
	fragment, local := strings.CutPrefix(ref, "#")
	if !local {
		return nil, "must begin with #: it can only point into this schema, and nothing is ever loaded"
	}
	fragment, err := url.PathUnescape(fragment)
	if err == nil {
		if s, ok := r.byPlace[fragment]; ok {
			return s, ""
		}
		if s, ok := r.anchors[fragment]; ok && fragment != "" {
			return s, ""
		}
	}
	return nil, "must point to a schema in this schema, such as #/$defs/address; there is none at " + quoteUpTo(ref, maxPatternShown)
}

// pointerToken writes a name as JSON pointers have it (RFC 6901).
func pointerToken(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// shownPointer writes a JSON pointer as faults name places.
func shownPointer(pointer string) string {
	var b strings.Builder
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if token != "" {
			b.WriteString("." + shownName(strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")))
		}
	}
	return b.String()
}
