package sandbox

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseWeather(t *testing.T) {
	const ms = time.Millisecond
	for spec, want := range map[string]struct {
		Weather
		text string // as it is written back; "" as it was
	}{
		"":      {Weather{}, "clear"},
		"clear": {Weather{}, ""},
		"delay=10%:5ms-50ms,drop=0.5%,lose-after=1%,lose-before=1%,miss=1%:2": {Weather{Rules: map[Fault]Rule{
			Delay: {Probability: 0.1, Min: 5 * ms, Max: 50 * ms}, Drop: {Probability: 0.005}, LoseAfter: {Probability: 0.01},
			LoseBefore: {Probability: 0.01}, Miss: {Probability: 0.01, Ledgers: 2},
		}}, ""},
		" delay = 5ms-50ms:10% , reset=3x ": {Weather{Rules: map[Fault]Rule{
			Delay: {Probability: 0.1, Min: 5 * ms, Max: 50 * ms}, Reset: {Times: 3}}}, "delay=10%:5ms-50ms,reset=3x"},
		"rollback=3:2s:1x@20":            {Weather{Rules: map[Fault]Rule{Rollback: {Times: 1, Skip: 20, Ledgers: 3, Min: 2 * time.Second, Max: 2 * time.Second}}}, "rollback=1x@20:2s:3"},
		"miss=forever:100%":              {Weather{Rules: map[Fault]Rule{Miss: {Probability: 1, ForGood: true}}}, "miss=100%:forever"},
		"restart=1x":                     {Weather{Rules: map[Fault]Rule{Restart: {Times: 1}}}, ""},
		"drop=1%,drop=2x":                {Weather{Rules: map[Fault]Rule{Drop: {Probability: 0.01, Times: 2}}}, ""},
		"drop=0.123456789%":              {Weather{Rules: map[Fault]Rule{Drop: {Probability: 0.00123456789}}}, ""},
		"lose-after=50%,methods=tx+ping": {Weather{Rules: map[Fault]Rule{LoseAfter: {Probability: 0.5}}, Methods: []string{"tx", "ping"}}, ""},
	} {
		got, err := ParseWeather(spec)
		if err != nil {
			t.Errorf("%q: %v", spec, err)
			continue
		}
		if want.Rules == nil {
			want.Rules = map[Fault]Rule{}
		}
		if !reflect.DeepEqual(got, want.Weather) {
			t.Errorf("%q: got %+v, want %+v", spec, got, want.Weather)
		}
		if want.text == "" {
			want.text = spec
		}
		if got.String() != want.text {
			t.Errorf("%q is written as %q, want %q", spec, got, want.text)
		}
	}
}

func TestParseWeatherRefusals(t *testing.T) {
	for spec, want := range map[string]string{
		"hail=1%":                      `there is no "hail"; there are behind, delay,`,
		"drop":                         "drop needs to say how often: drop=1% for a part of the occasions, drop=1x for the next one",
		"drop=":                        "needs to say how often",
		"drop=1%:2%":                   `drop: "2%" is a second rate`,
		"drop=0%":                      `"0%" is no percentage above 0% and up to 100%`,
		"drop=101%":                    "no percentage",
		"drop=NaN%":                    "no percentage",
		"drop=0x":                      `"0x" is no count`,
		"drop=1x@":                     "is no count",
		"drop=2000000x":                "counts must be from 0 to 1000000",
		"drop=1%:2":                    "drop takes no number of ledgers",
		"drop=1%:5ms":                  "drop takes no time",
		"drop=1%:forever":              "drop cannot be forever",
		"drop=1%,drop=2%":              "drop is there twice",
		"miss=1%:2,miss=1x:3":          "miss is there twice",
		"delay=1%":                     "delay needs a time, as 50ms or 5ms-50ms",
		"delay=1%:9ms-2ms":             "the shorter first",
		"delay=1%:2h":                  "the time must be from 0s to 1h0m0s",
		"delay=1%:-5ms":                "no time",
		"miss=1%:0":                    `"0" is no number of ledgers`,
		"miss=1%:1001":                 "the ledgers must be from 1 to 1000",
		"miss=1%:2:forever":            "second number of ledgers",
		"drop=1%:sometimes":            `"sometimes" is no rate`,
		"drop=1%,":                     `there is no ""`,
		"methods=":                     "methods names methods, once",
		"methods=a,methods=b,drop=1%":  "methods names methods, once",
		strings.Repeat("a", maxSpec+1): "at most 4096 bytes",
	} {
		w, err := ParseWeather(spec)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, %v, want %q", spec, w, err, want)
		}
	}
	for spec, want := range map[string]string{
		"":                 `there is no ""`,
		"drop:1%":          "has a count (2x), not a percentage",
		"rollback:1:2":     "second number",
		"lose-after,hail":  `there is no "hail"`,
		"delay":            "needs a time",
		"rollback:forever": "cannot be forever",
	} {
		shots, err := parseShots(spec)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want %q", spec, shots, err, want)
		}
	}
	got, err := parseShots("rollback:3, lose-after=2x@5 ,delay:1s")
	want := []shot{{Rollback, Rule{Ledgers: 3, Times: 1}}, {LoseAfter, Rule{Times: 2, Skip: 5}}, {Delay, Rule{Times: 1, Min: time.Second, Max: time.Second}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Whatever is read as weather is written so that it is read back as the same.
func FuzzParseWeather(f *testing.F) {
	for _, s := range []string{"", "clear", "delay=10%:5ms-50ms,drop=0.5%", "rollback=3:2s:1x@20", "miss=forever:33.3%,miss=forever:1x", "methods=a+b", "drop=1e-9%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		if shots, err := parseShots(spec); err == nil && len(shots) == 0 {
			t.Fatal("no shots, and no error")
		}
		w, err := ParseWeather(spec)
		if err != nil {
			return
		}
		if err := w.validate(); err != nil {
			t.Fatalf("%q is read as what is none: %v", spec, err)
		}
		again, err := ParseWeather(w.String())
		if err != nil || !reflect.DeepEqual(again, w) {
			t.Fatalf("%q is written as %q, which is read as %+v, %v", spec, w, again, err)
		}
	})
}
