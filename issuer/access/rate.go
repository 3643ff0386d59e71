package access

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is how often something may be done: Count times in each Per, all of them at once where nothing was done before.
// The zero Rate is no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// Bounds of a rate.
const (
	maxRateCount = 1_000_000
	minRatePer   = time.Second
	maxRatePer   = 24 * time.Hour
)

var errRate = fmt.Errorf("must be a count and a time, such as 600/1m, or 0 for no limit: the count from 1 to %d, the time from 1s to 24h", maxRateCount)

// ParseRate reads a rate: "600/1m", or "0" for none. The error reads on from the name of a setting.
func ParseRate(s string) (Rate, error) {
	s = strings.TrimSpace(s)
	if s == "0" {
		return Rate{}, nil
	}
	count, per, _ := strings.Cut(s, "/")
	n, err := strconv.ParseUint(count, 10, 32)
	d, perErr := time.ParseDuration(per)
	if errors.Join(err, perErr) != nil || n < 1 || n > maxRateCount || d < minRatePer || d > maxRatePer {
		return Rate{}, errRate
	}
	return Rate{Count: int(n), Per: d}, nil
}

// Off says whether there is no limit.
func (r Rate) Off() bool { return r.Count <= 0 || r.Per <= 0 }

// String writes a rate as [ParseRate] reads it.
func (r Rate) String() string {
	if r.Off() {
		return "0"
	}
	return strconv.Itoa(r.Count) + "/" + r.Per.String()
}
