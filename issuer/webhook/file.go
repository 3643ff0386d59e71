package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/xrplissuer/credential-issuer/model"
)

// MaxFileBytes is the most bytes that a file of endpoints may have.
const MaxFileBytes = 256 << 10

// The fields of an endpoint in a file.
const (
	fieldName   = "name"
	fieldURL    = "url"
	fieldSecret = "secret"
	fieldEvents = "events"
)

// Faults is the error of [ParseFile]: all that is wrong, each with its line, and nothing of what stands there, as it
// may be secret.
type Faults []string

// Error lists them, one a line.
func (f Faults) Error() string { return strings.Join(f, "\n") }

// ParseFile reads endpoints from YAML: a list, each with a url, a secret (or a list of them, the current one first),
// the events that it is told of (a list of kinds; request.* and credential.* stand for all that begin so; left out for
// all), and perhaps a name. For each the rules of [NewEndpoint] hold. No two may have the same name or the same
// address. The error is a [Faults].
func ParseFile(text []byte, private bool) ([]Endpoint, error) {
	f := &file{private: private}
	if list := f.parse(text); list != nil {
		for _, n := range list.Content {
			f.endpoint(n)
		}
	}
	if len(f.faults) > 0 {
		return nil, f.faults
	}
	return f.endpoints, nil
}

type file struct {
	private   bool
	faults    Faults
	endpoints []Endpoint
	lines     []int // where each of them stands
}

func (f *file) fault(n *yaml.Node, text string) {
	f.faults = append(f.faults, fmt.Sprintf("line %d: %s", n.Line, text))
}

// syntaxLine finds the line in the library's errors, of which nothing else is told: it may repeat what stands there.
var syntaxLine = regexp.MustCompile(`^yaml: line (\d+): `)

// parse returns the list that a file is; nil after a fault.
func (f *file) parse(text []byte) *yaml.Node {
	if len(text) > MaxFileBytes {
		f.faults = append(f.faults, fmt.Sprintf("must have at most %d bytes", MaxFileBytes))
		return nil
	}
	var doc, more yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	err := dec.Decode(&doc)
	if err == nil {
		if err = dec.Decode(&more); errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			f.fault(&more, "must be one YAML document; a second one begins here")
			return nil
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		f.faults = append(f.faults, "must be a list of webhooks; it is empty")
		return nil
	case err != nil:
		at := ""
		if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
			at = ": what is wrong stands in line " + m[1] + ", or just before or behind it"
		}
		f.faults = append(f.faults, "must be YAML"+at)
		return nil
	}
	list := doc.Content[0]
	if list.Kind != yaml.SequenceNode {
		f.fault(list, "must be a list of webhooks: a line that begins with - for each")
		return nil
	}
	if len(list.Content) > MaxEndpoints {
		f.fault(list.Content[MaxEndpoints], fmt.Sprintf("at most %d webhooks may be", MaxEndpoints))
		return nil
	}
	return list
}

// endpoint reads one. What is wrong with a field keeps none of the others from being looked at.
func (f *file) endpoint(n *yaml.Node) {
	before := len(f.faults)
	fields := f.fields(n)
	if fields == nil {
		return
	}
	name, address, secrets := f.name(fields[fieldName]), "", f.secrets(n, fields[fieldSecret])
	if u := fields[fieldURL]; u != nil {
		address = f.text(u, fieldURL)
	} else {
		f.fault(n, "each webhook must have a "+fieldURL)
	}
	kinds := f.kinds(fields[fieldEvents])
	if len(secrets) == 0 {
		secrets = []Secret{NewSecret()} // the address is looked at all the same
	}
	var e Endpoint
	if address != "" {
		var err error
		if e, err = NewEndpoint(name, address, f.private, secrets...); err != nil {
			f.fault(fields[fieldURL], fieldURL+" "+err.Error())
		}
	}
	if len(f.faults) > before {
		return
	}
	e.kinds = kinds
	for i, other := range f.endpoints {
		if e.Same(other) {
			f.fault(n, "each webhook must have a name and an address of its own; the one in line "+strconv.Itoa(f.lines[i])+" has the same")
			return
		}
	}
	f.endpoints, f.lines = append(f.endpoints, e), append(f.lines, n.Line)
}

// fields reads a mapping; nil where it is none.
func (f *file) fields(n *yaml.Node) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		f.fault(n, "each webhook must have the fields url and secret, and perhaps name and events")
		return nil
	}
	found := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch name := key.Value; {
		case key.Kind != yaml.ScalarNode || !slices.Contains([]string{fieldName, fieldURL, fieldSecret, fieldEvents}, name):
			f.fault(key, "there are no other fields than name, url, secret and events")
		case found[name] != nil:
			f.fault(key, name+" must stand once")
		default:
			found[name] = value
		}
	}
	return found
}

// text reads a text; empty after a fault.
func (f *file) text(n *yaml.Node, field string) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || n.Value == "" {
		f.fault(n, field+" must be text")
		return ""
	}
	return n.Value
}

func (f *file) name(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	name := f.text(n, fieldName)
	if name == "" {
		return ""
	}
	if err := checkName(name); err != nil {
		f.fault(n, err.Error())
		return ""
	}
	return name
}

// texts reads a text or a list of texts.
func (f *file) texts(n *yaml.Node, field string) (all []*yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		return []*yaml.Node{n}
	}
	if len(n.Content) == 0 {
		f.fault(n, field+" must not be an empty list")
	}
	return n.Content
}

func (f *file) secrets(n, at *yaml.Node) (secrets []Secret) {
	if at == nil {
		f.fault(n, "each webhook must have a "+fieldSecret+": whoever receives events has to know that they are from here")
		return nil
	}
	seen := map[string]bool{}
	for _, one := range f.texts(at, fieldSecret) {
		text := f.text(one, fieldSecret)
		if text == "" {
			continue
		}
		secret, err := ParseSecret(text)
		switch {
		case err != nil:
			f.fault(one, fieldSecret+" "+err.Error())
		case seen[text]:
			f.fault(one, fieldSecret+" "+errSecretTwice.Error())
		case len(secrets) == MaxSecrets:
			f.fault(one, fieldSecret+" "+errSecretCount.Error())
		default:
			secrets = append(secrets, secret)
		}
		seen[text] = true
	}
	return secrets
}

// families are the beginnings of kinds that can stand for all of them.
var families = []string{"request.", "credential."}

var errKind = func() error {
	var all []string
	for _, k := range model.EventKinds() {
		all = append(all, string(k))
	}
	return errors.New("must be of the kinds " + strings.Join(all, ", ") + ", or request.* or credential.*")
}()

func (f *file) kinds(n *yaml.Node) (kinds []model.EventKind) {
	if n == nil {
		return nil
	}
	for _, one := range f.texts(n, fieldEvents) {
		text := f.text(one, fieldEvents)
		if text == "" {
			continue
		}
		found := kindsOf(text)
		if found == nil {
			f.fault(one, fieldEvents+" "+errKind.Error())
		}
		kinds = append(kinds, found...)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// kindsOf are the kinds that a word stands for; none where there are none.
func kindsOf(word string) (kinds []model.EventKind) {
	family, all := strings.CutSuffix(word, "*")
	for _, k := range model.EventKinds() {
		if string(k) == word || all && slices.Contains(families, family) && strings.HasPrefix(string(k), family) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}
