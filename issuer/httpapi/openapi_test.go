package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/model"
)

// docs/openapi.yaml is held to the service here: what it says of routes, roles, codes and parameters is compared with the
// service, and every answer that any test of this package gets from a whole service is compared with what it says of answers.

const documentFile = "../../docs/openapi.yaml"

// object is a part of the document.
type object = map[string]any

// apiDocument is docs/openapi.yaml.
type apiDocument struct {
	root object

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

var readDocument = sync.OnceValues(func() (*apiDocument, error) {
	text, err := os.ReadFile(documentFile)
	if err != nil {
		return nil, err
	}
	var parsed any
	if err := yaml.Unmarshal(text, &parsed); err != nil {
		return nil, err
	}
	text, err = json.Marshal(parsed)
	if err != nil {
		return nil, err
	}
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	d := &apiDocument{root: root.(object), compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	d.compiler.AssertFormat()
	return d, d.compiler.AddResource("openapi.json", root)
})

func openDocument(t *testing.T) *apiDocument {
	t.Helper()
	d, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// at returns what stands at a place, and where that is once references are followed; nil for nothing.
func (d *apiDocument) at(place string) (any, string) {
	var here any = d.root
	for part := range strings.SplitSeq(strings.TrimPrefix(place, "#/"), "/") {
		o, ok := here.(object)
		if !ok {
			return nil, place
		}
		here = o[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	if o, ok := here.(object); ok {
		if ref, ok := o["$ref"].(string); ok && len(o) == 1 {
			return d.at(ref)
		}
	}
	return here, place
}

// under returns the object at a place, and its place.
func (d *apiDocument) under(place, name string) (object, string) {
	found, where := d.at(place + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	o, _ := found.(object)
	return o, where
}

// schema compiles the schema at a place.
func (d *apiDocument) schema(place string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.schemas[place]; s != nil {
		return s, nil
	}
	s, err := d.compiler.Compile("openapi.json" + place)
	if err == nil {
		d.schemas[place] = s
	}
	return s, err
}

// holds compares a JSON text with the schema at a place.
func (d *apiDocument) holds(place string, text []byte) error {
	s, err := d.schema(place)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(value)
}

// operation finds the operation of a request; "" where there is none.
func (d *apiDocument) operation(method, target string) string {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	path, _, _ := strings.Cut(target, "?")
	parts := strings.Split(path, "/")
	best, fewest := "", len(parts)+1
	paths, _ := d.under("#", "paths")
	for pattern := range paths {
		wanted, variable := strings.Split(pattern, "/"), 0
		fits := len(wanted) == len(parts)
		for i := range wanted {
			switch {
			case !fits:
			case strings.HasPrefix(wanted[i], "{"):
				fits = parts[i] != ""
				variable++
			default:
				fits = wanted[i] == parts[i]
			}
		}
		if !fits || variable >= fewest {
			continue
		}
		best, fewest = "", variable
		if o, place := d.under("#/paths/"+strings.ReplaceAll(pattern, "/", "~1"), strings.ToLower(method)); o != nil {
			best = place
		}
	}
	return best
}

// promised are headers that an answer has only where the document says so.
var promised = []string{"Location", "Retry-After", "Preference-Applied", "Idempotent-Replayed", "Www-Authenticate", "Allow"}

// describes says what of an answer is not as the document has it.
func (d *apiDocument) describes(method, target, headers, body string, a answer) error {
	if a.header.Get("X-Request-Id") == "" {
		return nil // what answered was not the interface: net/http, which refuses what is no HTTP, or a handler of a test's own
	}
	if method == http.MethodOptions && a.status == http.StatusNoContent && a.header.Get("Allow") != "" {
		return nil // of every path
	}
	place, response := d.operation(method, target), object(nil)
	where := ""
	switch {
	case place != "":
		response, where = d.under(place+"/responses", strconv.Itoa(a.status))
	case a.status == http.StatusNotFound:
		response, where = d.under("#/components/responses", "NotFound")
	}
	if response == nil && a.status == http.StatusMethodNotAllowed {
		response, where = d.under("#/components/responses", "MethodNotAllowed")
	}
	if response == nil && a.status == http.StatusNotFound && strings.Contains(target, "%2") { // no part holds a slash
		response, where = d.under("#/components/responses", "NotFound")
	}
	if response == nil {
		return fmt.Errorf("%d is no answer of %s %s", a.status, method, target)
	}
	told, _ := response["headers"].(object)
	for _, name := range promised {
		if a.header.Get(name) != "" && !slices.ContainsFunc(slices.Collect(maps.Keys(told)), func(n string) bool { return textproto.CanonicalMIMEHeaderKey(n) == name }) {
			return fmt.Errorf("%s is no header of %s", name, where)
		}
	}
	for name := range told {
		header, at := d.under(where+"/headers", name)
		value := a.header.Get(name)
		if value == "" {
			if header["required"] == true {
				return fmt.Errorf("%s has no %s", where, name)
			}
			continue
		}
		text, _ := json.Marshal(value)
		if err := d.holds(at+"/schema", text); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	}
	if method == http.MethodHead || a.err != nil {
		return nil
	}
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	if o, at := d.under(where+"/content", media); o == nil {
		return fmt.Errorf("%s is no type of %s", media, where)
	} else if media == "application/json" {
		if err := d.holds(at+"/schema", a.body); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	if a.status < 300 && json.Valid([]byte(body)) && strings.Contains(headers, "Content-Type: application/json") {
		if err := d.holds(place+"/requestBody/content/application~1json/schema", []byte(body)); err != nil {
			return fmt.Errorf("the request was taken: %w", err)
		}
	}
	return nil
}

// isDescribed holds an answer to the document.
func (a answer) isDescribed(t *testing.T, method, target, headers, body string) {
	t.Helper()
	if err := openDocument(t).describes(method, target, headers, body, a); err != nil {
		t.Errorf("docs/openapi.yaml does not describe an answer: %s %s: %v\n%d %v\n%.2000s", method, target, err, a.status, a.header, a.body)
	}
}

// TestDocumentRoutes: the document has every route with the role that it needs, and no other.
func TestDocumentRoutes(t *testing.T) {
	d := openDocument(t)
	want, got := map[string]string{}, map[string]string{}
	for _, r := range httpapi.New(httpapi.Config{Metrics: http.NotFoundHandler()}).Routes() {
		want[r.Method+" "+regexp.MustCompile(`:(\w+)`).ReplaceAllString(r.Path, "{$1}")] = string(r.Role)
	}
	ids := map[any]bool{}
	paths, _ := d.under("#", "paths")
	for path, methods := range paths {
		for method, o := range methods.(object) {
			operation := o.(object)
			role := ""
			for _, s := range operation["security"].([]any) {
				if roles, ok := s.(object)["token"].([]any); ok {
					role = fmt.Sprint(roles...)
				}
			}
			got[strings.ToUpper(method)+" "+path] = role
			if id := operation["operationId"]; id == nil || ids[id] || operation["summary"] == nil {
				t.Errorf("%s %s: operationId %v, summary %v", method, path, id, operation["summary"])
			}
			ids[operation["operationId"]] = true
			// What stands in braces is a parameter of the path.
			for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				if !slices.Contains(d.parameters(path, method, "path"), m[1]) {
					t.Errorf("%s %s says nothing of %s", method, path, m[1])
				}
			}
		}
	}
	if !maps.Equal(got, want) || len(got) == 0 {
		t.Errorf("the document has %v\nand the service %v", got, want)
	}
}

// parameters are those of an operation, of one kind.
func (d *apiDocument) parameters(path, method, in string) []string {
	names := []string{}
	_, place := d.under("#/paths/"+strings.ReplaceAll(path, "/", "~1"), strings.ToLower(method))
	list, _ := d.at(place + "/parameters")
	all, _ := list.([]any)
	for _, p := range all {
		parameter := p.(object)
		if ref, ok := parameter["$ref"].(string); ok {
			found, _ := d.at(ref)
			parameter = found.(object)
		}
		if parameter["in"] == in {
			names = append(names, parameter["name"].(string))
		}
	}
	slices.Sort(names)
	return names
}

// TestDocumentErrors: every code of the error table is in the document with its status, and no other.
func TestDocumentErrors(t *testing.T) {
	d := openDocument(t)
	got := map[model.Code]int{}
	add := func(place, status string) {
		found, _ := d.at(place + "/content/application~1json/schema")
		text, err := json.Marshal(found)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"enum":\[([^\]]+)\]`).FindAllSubmatch(text, -1) {
			for code := range strings.SplitSeq(string(m[1]), ",") {
				n, err := strconv.Atoi(status)
				c := model.Code(strings.Trim(code, `"`))
				if before, there := got[c]; err != nil || there && before != n {
					t.Errorf("%s is %d and %s (%v)", c, before, status, err)
				}
				got[c] = n
			}
		}
	}
	paths, _ := d.under("#", "paths")
	for path, methods := range paths {
		for method := range methods.(object) {
			place := "#/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + method + "/responses"
			found, _ := d.at(place)
			for status := range found.(object) {
				if _, where := d.under(place, status); status >= "400" {
					add(where, status)
				}
			}
		}
	}
	add("#/components/responses/MethodNotAllowed", "405") // of any other method
	if want := httpapi.Statuses(); !maps.Equal(got, want) {
		t.Errorf("the document has %v\nand the service %v", got, want)
	}
}

// TestDocumentParameters: the service takes the parameters that the document names, and says so of those alone.
func TestDocumentParameters(t *testing.T) {
	w := newWorld(t)
	d := openDocument(t)
	paths, _ := d.under("#", "paths")
	asked := 0
	for path, methods := range paths {
		for method := range methods.(object) {
			switch path {
			case "/healthz", "/readyz", "/metrics": // for machines, which add what they like
				continue
			}
			target := strings.NewReplacer("{id}", "01JD8Q4Z7T9XW3V5K2M6N8P0RS", "{issuer}", "self", "{subject}", w.subject.String(), "{type}", "X").Replace(path)
			a := w.send(t, strings.ToUpper(method), target+"?nonsense=1", jsonType, "{}")
			message := a.str("error_message")
			got := []string{}
			if list, some := strings.CutPrefix(message, "the query must hold nothing but "); some {
				got = strings.Split(list, ", ")
			} else if message != "the query must be empty: there are no parameters here" {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
			slices.Sort(got)
			if want := d.parameters(path, method, "query"); !slices.Equal(got, want) {
				t.Errorf("%s %s takes %v, and the document has %v", method, path, got, want)
			}
			asked++
		}
	}
	if asked < 10 {
		t.Errorf("%d were asked", asked)
	}
}

// TestDocumentIsSound: every reference leads somewhere, every schema is one, and what is defined is used.
func TestDocumentIsSound(t *testing.T) {
	d := openDocument(t)
	used := map[string]bool{"#/components/responses/MethodNotAllowed": true} // of every path
	var walk func(place string, v any)
	walk = func(place string, v any) {
		switch v := v.(type) {
		case object:
			if ref, ok := v["$ref"].(string); ok {
				used[ref] = true
				if found, _ := d.at(ref); found == nil {
					t.Errorf("%s leads nowhere from %s", ref, place)
				}
			}
			for name, inner := range v {
				at := place + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
				if name == "schema" || strings.HasSuffix(place, "#/components/schemas") {
					if _, err := d.schema(at); err != nil {
						t.Errorf("%s: %v", at, err)
					}
				}
				walk(at, inner)
			}
		case []any:
			for i, inner := range v {
				walk(place+"/"+strconv.Itoa(i), inner)
			}
		}
	}
	walk("#", d.root)
	for _, kind := range []string{"parameters", "headers", "responses", "schemas"} {
		all, _ := d.under("#/components", kind)
		for name := range all {
			if !used["#/components/"+kind+"/"+name] {
				t.Errorf("nothing uses %s %s", kind, name)
			}
		}
	}
	if d.root["openapi"] != "3.1.0" {
		t.Errorf("%v", d.root["openapi"])
	}
}

// TestDocumentRefuses: an answer that is not as the document has it is told; else the comparison would be none.
func TestDocumentRefuses(t *testing.T) {
	d := openDocument(t)
	good := func() answer {
		return answer{status: 200, header: http.Header{"X-Request-Id": {"R"}, "Content-Type": {"application/json"}},
			body: []byte(`{"credentials":[{"subject":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","credential":"A","accepted":true}]}`)}
	}
	if err := d.describes(get, "/admin/credential?accepted=yes", "", "", good()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*answer){
		"a status": func(a *answer) { a.status = 409 },
		"a field":  func(a *answer) { a.body = bytes.Replace(a.body, []byte(`"accepted"`), []byte(`"acepted"`), 1) },
		"one more": func(a *answer) {
			a.body = bytes.Replace(a.body, []byte(`{"credentials"`), []byte(`{"x":1,"credentials"`), 1)
		},
		"an address":   func(a *answer) { a.body = bytes.Replace(a.body, []byte(`rHb9`), []byte(`0Hb9`), 1) },
		"another type": func(a *answer) { a.header.Set("Content-Type", "text/html") },
		"a header":     func(a *answer) { a.header.Set("Location", "/operations/01JD8Q4Z7T9XW3V5K2M6N8P0RS") },
		"another's error": func(a *answer) {
			a.status, a.body = 403, []byte(`{"error":"proofRefused","error_message":"m","request_id":"R"}`)
		},
	} {
		a := good()
		change(&a)
		if err := d.describes(get, "/admin/credential", "", "", a); err == nil {
			t.Errorf("%s may be anything", name)
		}
	}
	a := good()
	if err := d.describes(http.MethodPut, "/admin/credential", "", "", a); err == nil {
		t.Error("a method may be anything")
	}
}
