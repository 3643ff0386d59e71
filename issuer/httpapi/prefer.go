package httpapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer"
)

const (
	headerPrefer            = "Prefer"
	headerPreferenceApplied = "Preference-Applied"
)

// preference is what a client prefers (RFC 7240) of what this service knows.
type preference struct {
	async bool
	// wait is how long the client waits, where it says so, and is let.
	wait    time.Duration
	hasWait bool
}

// preferences reads the Prefer header; nobody waits for longer than most. What is unknown or cannot be read is passed over, and of a preference that is given
// twice the first one holds, as the RFC has it.
func preferences(h http.Header, most time.Duration) preference {
	var p preference
	seen := map[string]bool{}
	for _, line := range h.Values(headerPrefer) {
		for word := range strings.SplitSeq(line, ",") {
			word, _, _ = strings.Cut(word, ";") // parameters: none is known
			name, value, valued := strings.Cut(word, "=")
			name, value = strings.ToLower(strings.TrimSpace(name)), strings.Trim(strings.TrimSpace(value), `"`)
			if seen[name] {
				continue
			}
			seen[name] = true
			switch name {
			case "respond-async":
				p.async = !valued || value == ""
			case "wait":
				if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
					p.wait, p.hasWait = min(time.Duration(seconds)*time.Second, most), true
				}
			}
		}
	}
	return p
}

// limit is how long to wait, as [issuer.Ask] has it: with respond-async alone not at all, with wait no longer than that.
func (p preference) limit() time.Duration {
	switch {
	case p.hasWait && p.wait > 0:
		return p.wait
	case p.hasWait, p.async:
		return issuer.NoWait
	}
	return 0
}

// applied is the Preference-Applied header of an answer that came before the operation's end, with the wait that was
// applied, in whole seconds; empty for none.
func (p preference) applied() string {
	var words []string
	if p.async {
		words = append(words, "respond-async")
	}
	if p.hasWait {
		words = append(words, "wait="+strconv.FormatInt(int64(p.wait/time.Second), 10))
	}
	return strings.Join(words, ", ")
}
