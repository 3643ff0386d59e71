package rjson

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// What rippled's reader says of a text (recorded from it, or read from json_reader.cpp).
func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "* Line 1, Column 1\n  Syntax error: value, object or array expected.\n"},
		{"{", "* Line 1, Column 2\n  Missing '}' or object member name\n"},
		{"not json", "* Line 1, Column 1\n  Syntax error: value, object or array expected.\n"},
		{`"text"`, "* Line 1, Column 1\n  A valid JSON document must be either an array or an object value.\n"},
		{"7", "* Line 1, Column 1\n  A valid JSON document must be either an array or an object value.\n"},
		{"{\n\"a\" 1}", "* Line 2, Column 5\n  Missing ':' after object member name\n"},
		{"{\"a\":1\r\n\"b\":2}", "* Line 2, Column 1\n  Missing ',' or '}' in object declaration\n"},
		{`{"a":1,"a":2}`, "* Line 1, Column 8\n  Key 'a' appears twice.\n"},
		{`{"a":1,}`, "* Line 1, Column 8\n  Missing '}' or object member name\n"},
		{`{"a":4294967296}`, "* Line 1, Column 6\n  '4294967296' exceeds the allowable range.\n"},
		{`{"a":-2147483649}`, "* Line 1, Column 6\n  '-2147483649' exceeds the allowable range.\n"},
		{`{"a":-}`, "* Line 1, Column 6\n  '-' is not a valid number.\n"},
		{`{"a":--5}`, "* Line 1, Column 6\n  '--5' is not a number.\n"},
		{`{"a":1e}`, "* Line 1, Column 6\n  '1e' is not a number.\n"},
		{`{"a":"\x"}`, "* Line 1, Column 6\n  Bad escape sequence in string\nSee Line 1, Column 9 for detail.\n"},
		{`{"a":"\u12"}`, "* Line 1, Column 6\n  Bad unicode escape sequence in string: four digits expected.\nSee Line 1, Column 9 for detail.\n"},
		{`{"a":[1 2]}`, "* Line 1, Column 9\n  Missing ',' or ']' in array declaration\n"},
		{strings.Repeat("[", 27) + strings.Repeat("]", 27), "* Line 1, Column 27\n  Syntax error: maximum nesting depth exceeded\n"},
		{"{\"a\":1\x00", "* Line 1, Column 7\n  Missing ',' or '}' in object declaration\n"},
	} {
		_, err := Parse([]byte(c.text))
		if err == nil || err.Error() != c.want {
			t.Errorf("%q:\n got %v\nwant %v", c.text, err, c.want)
		}
	}
}

func TestParseAccepts(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{}`, `{}`},
		{`{"":1,}`, `{"":1}`}, // a quirk of the reader
		{`{"b":1,"a":[true,false,null,-1,4294967295]} trailing`, `{"a":[true,false,null,-1,4294967295],"b":1}`},
		{"// comment\n{/* a */\"a\"/**/:1}", ""},
		{"{\"a\":1/* c */,\"b\":2// d\n}", `{"a":1,"b":2}`},
		{`[1.5,1e-05,1.5-2,-.5]`, `[1.5,1e-05,1.5,-0.5]`},
		{`["\u0041\ud83d\ude00\n\/\u0000"]`, "[\"A\U0001F600\\n/\\u0000\"]"},
		{"[\"\xff\"]", "[\"\uFFFD\"]"},
		{strings.Repeat("[", 26) + strings.Repeat("]", 26), strings.Repeat("[", 26) + strings.Repeat("]", 26)},
		{"null", "null"},
	} {
		v, err := Parse([]byte(c.text))
		if c.want == "" {
			if err == nil {
				t.Errorf("%q: accepted", c.text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if got := string(Append(nil, v)); got != c.want {
			t.Errorf("%q: got %s, want %s", c.text, got, c.want)
		}
	}
}

func TestConversions(t *testing.T) {
	v, err := Parse([]byte(`{"n":null,"i":-5,"u":4294967295,"r":2.5,"w":2.0,"s":"12","t":true,"e":"","a":[1],"o":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	try := func(f func() any) (r any) {
		defer func() {
			if e := recover(); e != nil {
				if _, ok := e.(ConversionError); !ok {
					panic(e)
				}
				r = "throws"
			}
		}()
		return f()
	}
	for _, c := range []struct {
		name                  string
		str, i, u, b          any
		truthy, convertibleTo bool
	}{
		{"n", "", int32(0), uint32(0), false, false, true},
		{"i", "-5", int32(-5), "throws", true, true, false},
		{"u", "4294967295", "throws", uint32(4294967295), true, true, true},
		{"r", "2.500000", int32(2), uint32(2), true, true, false},
		{"w", "2.000000", int32(2), uint32(2), true, true, true},
		{"s", "12", int32(12), uint32(12), true, true, false},
		{"t", "true", int32(1), uint32(1), true, true, true},
		{"e", "", "throws", "throws", false, false, false},
		{"a", "throws", "throws", "throws", true, true, false},
		{"o", "throws", "throws", "throws", false, false, false},
		{"absent", "", int32(0), uint32(0), false, false, true},
	} {
		m := v.Get(c.name)
		if got := try(func() any { return m.AsString() }); got != c.str {
			t.Errorf("%s: AsString %v, want %v", c.name, got, c.str)
		}
		if got := try(func() any { return m.AsInt() }); got != c.i {
			t.Errorf("%s: AsInt %v, want %v", c.name, got, c.i)
		}
		if got := try(func() any { return m.AsUInt() }); got != c.u {
			t.Errorf("%s: AsUInt %v, want %v", c.name, got, c.u)
		}
		if got := m.AsBool(); got != c.b {
			t.Errorf("%s: AsBool %v, want %v", c.name, got, c.b)
		}
		if m.Truthy() != c.truthy || m.ConvertibleToUInt() != c.convertibleTo {
			t.Errorf("%s: truthy %v, convertible %v", c.name, m.Truthy(), m.ConvertibleToUInt())
		}
	}
}

// A copy is its own object, also where there are enough members for an index.
func TestCopy(t *testing.T) {
	v, err := Parse([]byte(`{"a":[{"b":1}],"c":{"d":"e"},"f":null}`))
	if err != nil {
		t.Fatal(err)
	}
	before := string(Append(nil, v))
	c := v.Copy()
	if !c.Equal(v) {
		t.Errorf("%s is not %s", Append(nil, c), before)
	}
	c.Get("a").At(0).Set("b", NewInt(2))
	c.Get("c").Remove("d")
	if got := string(Append(nil, v)); got != before {
		t.Errorf("the original became %s", got)
	}
	if got := string(Append(nil, c)); got != `{"a":[{"b":2}],"c":{},"f":null}` {
		t.Errorf("the copy is %s", got)
	}
	var none *Value
	if none.Copy() != nil {
		t.Error("a copy of nothing")
	}
}

func TestCloneSetRemove(t *testing.T) {
	v := NewObject()
	for i := range 40 {
		v.Set(string(rune('A'+i)), NewInt(int64(i)))
	}
	c := v.Clone()
	c.Set("A", NewString("changed"))
	c.Remove("B")
	c.Set("new", NewString("n"))
	if v.Get("A").AsInt() != 0 || !v.Has("B") || v.Has("new") {
		t.Error("a change to the copy shows in the original")
	}
	if c.Get("A").AsString() != "changed" || c.Has("B") || c.Get("C").AsInt() != 2 || c.Get("new").AsString() != "n" || c.Len() != 40 {
		t.Error("the copy does not hold what was set")
	}
}

// Whatever is read is written as JSON that the standard library reads, and reads again as the same value.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "{", "[]", `{"method":"account_info","params":[{"account":"r"}]}`, `[1.5e3,-1,"\ud83d\ude00",null,true]`,
		"/* c */{\"a\"://\n1}", `{"a":1,"a":2}`, "{\"a\":1\x00}", strings.Repeat("[", 30)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Parse(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a word")
			}
			return
		}
		out := Append(nil, v)
		if !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
		w, err := Parse(out)
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if again := Append(nil, w); !bytes.Equal(out, again) {
			t.Fatalf("%s read again is %s", out, again)
		}
	})
}
