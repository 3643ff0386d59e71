package sandbox

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

var errNoWeather = errors.New("weather: the server was started without: give it one, if only a clear one (Config.Weather, --weather clear)")

// clearWeather is the spec of no faults.
const clearWeather = "clear"

// maxSpec is the most bytes of a spec.
const maxSpec = 4 << 10

func faultList() string {
	var names []string
	for _, f := range Faults() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// ParseWeather reads a spec, such as
//
//	lose-before=1%,lose-after=1%,delay=5ms-50ms:10%,miss=1%:2,rollback=1x@20:3
//
// It is "clear", or a list of faults, each with its parts in any order: how often, which must be there (1% of the occasions; 3x
// for the next three, 3x@20 for three after twenty), a time or a range of them (50ms, 5ms-50ms), a number of ledgers (3, or
// forever). A fault may be named twice, with a percentage and with a count. methods=submit+tx restricts what happens to requests
// to those methods. The seed is not in it.
func ParseWeather(spec string) (Weather, error) {
	w := Weather{Rules: map[Fault]Rule{}}
	if len(spec) > maxSpec {
		return Weather{}, fmt.Errorf("weather: a spec has at most %d bytes", maxSpec)
	}
	if s := strings.TrimSpace(spec); s == "" || s == clearWeather {
		return w, nil
	}
	for item := range strings.SplitSeq(spec, ",") {
		item = strings.TrimSpace(item)
		name, parts, found := strings.Cut(item, "=")
		f := Fault(strings.TrimSpace(name))
		if f == "methods" {
			if !found || parts == "" || w.Methods != nil {
				return Weather{}, errors.New("weather: methods names methods, once, as methods=submit+tx")
			}
			w.Methods = strings.Split(parts, "+")
			continue
		}
		if _, ok := faultInfos[f]; !ok {
			return Weather{}, fmt.Errorf("weather: there is no %q; there are %s", name, faultList())
		}
		r, rated, err := parseRule(f, parts)
		if err != nil {
			return Weather{}, err
		}
		if !rated {
			return Weather{}, fmt.Errorf("weather: %s needs to say how often: %[1]s=1%% for a part of the occasions, %[1]s=1x for the next one", f)
		}
		if old, ok := w.Rules[f]; ok {
			if (old.Times > 0) == (r.Times > 0) || !sameManner(old, r) {
				return Weather{}, fmt.Errorf("weather: %s is there twice", f)
			}
			r.Probability, r.Times, r.Skip = max(old.Probability, r.Probability), max(old.Times, r.Times), max(old.Skip, r.Skip)
		}
		w.Rules[f] = r
	}
	return w, nil
}

// sameManner tells whether two rules are the same but for how often.
func sameManner(a, b Rule) bool {
	return a.Ledgers == b.Ledgers && a.ForGood == b.ForGood && a.Min == b.Min && a.Max == b.Max
}

// shot is a fault to happen once.
type shot struct {
	fault Fault
	rule  Rule
}

// parseShots reads a list of faults to trigger: as in a spec, but for "=" and how often, a count, 1x where there is none:
// "rollback:3,lose-after:2x".
func parseShots(spec string) ([]shot, error) {
	if len(spec) > maxSpec {
		return nil, fmt.Errorf("weather: a spec has at most %d bytes", maxSpec)
	}
	var all []shot
	for item := range strings.SplitSeq(spec, ",") {
		item = strings.TrimSpace(item)
		name, parts := item, ""
		if at := strings.IndexAny(item, ":="); at >= 0 {
			name, parts = item[:at], item[at+1:]
		}
		f := Fault(strings.TrimSpace(name))
		if _, ok := faultInfos[f]; !ok {
			return nil, fmt.Errorf("weather: there is no %q; there are %s", name, faultList())
		}
		r, _, err := parseRule(f, parts)
		if err != nil {
			return nil, err
		}
		if r.Probability != 0 {
			return nil, fmt.Errorf("weather: %s, triggered, has a count (2x), not a percentage", f)
		}
		r.Times = max(r.Times, 1)
		all = append(all, shot{f, r})
	}
	return all, nil
}

// parseRule reads the parts of a rule; rated tells whether one says how often.
func parseRule(f Fault, text string) (r Rule, rated bool, err error) {
	var timed, lasting bool
	for part := range strings.SplitSeq(text, ":") {
		part = strings.TrimSpace(part)
		once := func(seen *bool, what string) error {
			if *seen {
				return fmt.Errorf("weather: %s: %q is a second %s", f, part, what)
			}
			*seen = true
			return nil
		}
		switch {
		case part == "" && text == "":
		case strings.HasSuffix(part, "%"):
			p, perr := strconv.ParseFloat(strings.TrimSuffix(part, "%"), 64)
			if perr != nil || !(p > 0 && p <= 100) {
				return r, false, fmt.Errorf("weather: %s: %q is no percentage above 0%% and up to 100%%", f, part)
			}
			r.Probability = p / 100
			err = once(&rated, "rate")
		case part == "forever":
			r.ForGood = true
			err = once(&lasting, "number of ledgers")
		case isCount(part):
			count, skip, skips := strings.Cut(part, "@")
			if r.Times, err = strconv.Atoi(strings.TrimSuffix(count, "x")); err == nil && skips {
				r.Skip, err = strconv.Atoi(skip)
			}
			if err != nil || r.Times < 1 {
				return r, false, fmt.Errorf("weather: %s: %q is no count, as 3x or 3x@20", f, part)
			}
			err = once(&rated, "rate")
		default:
			if n, nerr := strconv.Atoi(part); nerr == nil {
				if n < 1 {
					return r, false, fmt.Errorf("weather: %s: %q is no number of ledgers", f, part)
				}
				r.Ledgers = n
				err = once(&lasting, "number of ledgers")
				break
			}
			from, to, ranged := strings.Cut(part, "-")
			if !ranged {
				to = from
			}
			var e1, e2 error
			r.Min, e1 = time.ParseDuration(from)
			r.Max, e2 = time.ParseDuration(to)
			if e1 != nil || e2 != nil || r.Max <= 0 {
				return r, false, fmt.Errorf("weather: %s: %q is no rate (1%%, 3x, 3x@20), no time (50ms, 5ms-50ms) and no number of ledgers", f, part)
			}
			err = once(&timed, "time")
		}
		if err != nil {
			return r, false, err
		}
	}
	return r, rated, r.validate(f)
}

// isCount tells whether a part is a count: digits, x, and maybe more.
func isCount(part string) bool {
	n := strings.TrimLeft(part, "0123456789")
	return n != part && strings.HasPrefix(n, "x")
}

// String is the weather's spec, without the seed. ParseWeather reads it back.
func (w Weather) String() string {
	var items []string
	for f, r := range w.Rules {
		manner := ""
		if r.Max > r.Min {
			manner += fmt.Sprintf(":%v-%v", r.Min, r.Max)
		} else if r.Min > 0 {
			manner += fmt.Sprintf(":%v", r.Min)
		}
		if r.ForGood {
			manner += ":forever"
		} else if r.Ledgers > 0 {
			manner += fmt.Sprintf(":%d", r.Ledgers)
		}
		if r.Probability > 0 {
			items = append(items, string(f)+"="+percent(r.Probability)+manner)
		}
		if r.Times > 0 {
			at := ""
			if r.Skip > 0 {
				at = fmt.Sprintf("@%d", r.Skip)
			}
			items = append(items, fmt.Sprintf("%s=%dx%s%s", f, r.Times, at, manner))
		}
	}
	slices.Sort(items)
	if len(w.Methods) > 0 {
		items = append(items, "methods="+strings.Join(w.Methods, "+"))
	}
	if len(items) == 0 {
		return clearWeather
	}
	return strings.Join(items, ",")
}

// percent writes a probability so that it is read back as it is.
func percent(p float64) string {
	v := p * 100
	for _, text := range []string{
		strconv.FormatFloat(v, 'f', 10, 64), strconv.FormatFloat(v, 'f', -1, 64),
		strconv.FormatFloat(math.Nextafter(v, 0), 'f', -1, 64), strconv.FormatFloat(math.Nextafter(v, 200), 'f', -1, 64),
	} {
		if strings.Contains(text, ".") {
			text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
		}
		if back, err := strconv.ParseFloat(text, 64); err == nil && back/100 == p {
			return text + "%"
		}
	}
	return strconv.FormatFloat(v, 'f', -1, 64) + "%"
}
