package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

// scanned is an object as scanObject's walk sees it, the last of two members of a name winning.
func scanned(data []byte) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	err := eachMember(data, func(name []byte, value json.RawMessage) error {
		all[string(name)] = value
		return nil
	})
	return all, err
}

// sameAsStandard compares what is taken for an object, and its members, with encoding/json.
func sameAsStandard(t *testing.T, data []byte) {
	t.Helper()
	got, err := scanned(data)
	var want map[string]json.RawMessage
	wantErr := json.Unmarshal(data, &want)
	if wantErr == nil && want == nil {
		wantErr = errors.New("null")
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%q: %v, encoding/json: %v", data, err, wantErr)
	}
	if err == nil {
		if len(got) != len(want) {
			t.Fatalf("%q: %d members, encoding/json: %d", data, len(got), len(want))
		}
		for name, value := range want {
			if !bytes.Equal(got[name], value) {
				t.Fatalf("%q: %s is %s, encoding/json: %s", data, name, got[name], value)
			}
			var text string
			if value[0] == '"' && (json.Unmarshal(value, &text) != nil || unquote(got[name]) != text) {
				t.Fatalf("%q: %s reads %q, encoding/json: %q", data, name, unquote(got[name]), text)
			}
		}
	}
	list := append(append([]byte("["), data...), ']')
	var elements, wantElements []json.RawMessage
	err = eachElement(list, func(value json.RawMessage) error {
		elements = append(elements, value)
		return nil
	})
	if wantErr = json.Unmarshal(list, &wantElements); (err == nil) != (wantErr == nil) {
		t.Fatalf("%q: %v, encoding/json: %v", list, err, wantErr)
	}
	if err == nil && len(elements) != len(wantElements) {
		t.Fatalf("%q: %d elements, encoding/json: %d", list, len(elements), len(wantElements))
	}
	for i := range wantElements {
		if err == nil && !bytes.Equal(elements[i], wantElements[i]) {
			t.Fatalf("%q: element %d is %s, encoding/json: %s", list, i, elements[i], wantElements[i])
		}
	}
}

var scanSeeds = []string{``, `{}`, ` { } `, `[]`, `null`, `{"a":1}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1 "b":2}`, `{"a":1,"a":2}`, `{"a":1}x`, `{"a":1}{}`,
	`{"\u0061":"\ud83d\ude00\n"}`, `{"a":"\x"}`, `{"a":"\u12g4"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\x80\xff\"}", "{\"\xff\":0}", `{"a":"é"}`, `{"a":"` + "\x7f" + `"}`,
	`{"a":-0,"b":-1.5e+10,"c":0.1E-2,"d":[1,2,{"e":[[]]}],"f":true,"g":false,"h":null}`, `{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":-}`, `{"a":+1}`,
	`{"a":tru}`, `{"a":nul}`, `{"a":True}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":"`, `{"a":"\`, `{"a`, `{`, `{"a":{`, `{"a":[`, "\ufeff{}", "{\"a\":1}\x00"}

func TestScan(t *testing.T) {
	for _, s := range scanSeeds {
		sameAsStandard(t, []byte(s))
	}
	for _, n := range []int{maxDepth - 1, maxDepth, maxDepth + 1} {
		sameAsStandard(t, []byte(`{"a":`+strings.Repeat("[", n-1)+strings.Repeat("]", n-1)+`}`))
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range scanSeeds {
		f.Add([]byte(s))
	}
	files, err := filepath.Glob("testdata/*.json*")
	if err != nil || len(files) == 0 {
		f.Fatalf("no recordings: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			f.Add(line)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { sameAsStandard(t, data) })
}

func TestScanObject(t *testing.T) {
	type found struct {
		Text    string
		Address model.Address
		Truth   bool
		Known   *bool
		Raw     json.RawMessage
	}
	read := func(data string) (got found, called int, err error) {
		err = scanObject([]byte(data), member{"text", &got.Text}, member{"address", &got.Address}, member{"truth", &got.Truth},
			member{"known", &got.Known}, member{"raw", &got.Raw}, member{"call", func(json.RawMessage) error { called++; return nil }})
		return got, called, err
	}
	got, called, err := read(` {"text":"a\u0062c","address":"r1","truth":true,"known":false,"raw":[1, 2],"call":{},"Text":"no","other":{"text":"no"}} `)
	if err != nil || got.Text != "abc" || got.Address != "r1" || !got.Truth || got.Known == nil || *got.Known || string(got.Raw) != "[1, 2]" || called != 1 {
		t.Errorf("got %+v, %d calls, %v", got, called, err)
	}
	got, _, err = read(`{"text":"kept","text":null,"address":null,"truth":null,"known":null,"raw":null}`)
	if err != nil || got.Text != "kept" || got.Address != "" || got.Truth || got.Known != nil || string(got.Raw) != "null" {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, wrong := range []string{`{"text":1}`, `{"address":{}}`, `{"truth":"true"}`, `{"known":0}`, `[]`, `"text"`} {
		if _, _, err := read(wrong); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}

// What is cut out of a message cannot be written past by appending to it.
func TestScannedPartsAreClosed(t *testing.T) {
	data := []byte(`{"a":1,"b":2}`)
	var a json.RawMessage
	if err := scanObject(data, member{"a", &a}); err != nil {
		t.Fatal(err)
	}
	if _ = append(a, "000"...); string(data) != `{"a":1,"b":2}` {
		t.Errorf("the message became %s", data)
	}
}
