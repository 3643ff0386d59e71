package access

import (
	"errors"
	"strings"
	"testing"
)

func TestBearer(t *testing.T) {
	longest := strings.Repeat("a", MaxTokenBytes)
	for _, c := range []struct {
		values []string
		want   string
		err    error
	}{
		{nil, "", errHeaderNone},
		{[]string{}, "", errHeaderNone},
		{[]string{"Bearer a", "Bearer b"}, "", errHeaderMany},
		{[]string{"Bearer a", "Bearer a"}, "", errHeaderMany},
		{[]string{"Bearer a", ""}, "", errHeaderMany},
		{[]string{""}, "", errHeaderScheme},
		{[]string{"Bearer"}, "", errHeaderScheme},
		{[]string{"Bearera"}, "", errHeaderScheme},
		{[]string{"Bearer\ta"}, "", errHeaderScheme},
		{[]string{" Bearer a"}, "", errHeaderScheme},
		{[]string{"Basic YTpi"}, "", errHeaderScheme},
		{[]string{"Bearer "}, "", errHeaderForm},
		{[]string{"Bearer    "}, "", errHeaderForm},
		{[]string{"Bearer a b"}, "", errHeaderForm},
		{[]string{"Bearer a, Bearer b"}, "", errHeaderForm},
		{[]string{"Bearer a "}, "", errHeaderForm},
		{[]string{"Bearer a\n"}, "", errHeaderForm},
		{[]string{"Bearer a\x00"}, "", errHeaderForm},
		{[]string{"Bearer ä"}, "", errHeaderForm},
		{[]string{"Bearer \xff"}, "", errHeaderForm},
		{[]string{"Bearer ="}, "", errHeaderForm},
		{[]string{"Bearer a=b"}, "", errHeaderForm},
		{[]string{`Bearer "a"`}, "", errHeaderForm},
		{[]string{"Bearer {}"}, "", errHeaderForm},
		{[]string{"Bearer a"}, "a", nil},
		{[]string{"bEARER   a.b-c_d~e+f/9=="}, "a.b-c_d~e+f/9==", nil},
		{[]string{"Bearer " + longest}, longest, nil},
		{[]string{"Bearer " + longest + "a"}, "", errHeaderLong},
	} {
		got, err := bearer(c.values)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%.60q: %.20q, %v; want %v", c.values, got, err, c.err)
		}
	}
}

func FuzzBearer(f *testing.F) {
	for _, s := range []string{"", "Bearer a", "bearer  xci_a_b", "Basic YTpi", "Bearer a=b", "Bearer \xff", "Bearer a,b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := bearer([]string{s})
		if err != nil {
			return
		}
		if got == "" || len(got) > MaxTokenBytes || strings.ContainsAny(got, " \t\r\n,;\"{}\x00") || !strings.HasSuffix(s, got) {
			t.Errorf("%q of %q", got, s)
		}
	})
}
