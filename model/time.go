package model

import (
	"errors"
	"regexp"
	"strings"
	"time"
)

// RippleEpoch is the instant that times on the ledger count from, in Unix seconds.
const RippleEpoch int64 = 946684800

// MaxTime is the last instant that the ledger can express: 2136-02-07T06:28:15Z.
var MaxTime = Time(1<<32 - 1)

// errTimeRange reads on from the name of a field.
var errTimeRange = errors.New("must lie between 2000-01-01T00:00:00Z and 2136-02-07T06:28:15Z, which is all that the ledger can express")

// RippleTime returns t in whole seconds since the Ripple Epoch. It is an error when t is outside what 32 bits hold;
// parts of a second are dropped.
func RippleTime(t time.Time) (uint32, error) {
	s := t.Unix() - RippleEpoch
	if s < 0 || s > 1<<32-1 {
		return 0, errTimeRange
	}
	return uint32(s), nil
}

// Time returns the instant, in UTC, that lies s seconds after the Ripple Epoch.
func Time(s uint32) time.Time { return time.Unix(RippleEpoch+int64(s), 0).UTC() }

// FormatTime returns that instant as lists show it, such as 2025-12-31T00:00:00Z.
func FormatTime(s uint32) string { return Time(s).Format(time.RFC3339) }

// rfc3339 is stricter than time.Parse, which also takes one-digit hours and commas.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

var (
	errTimeForm = errors.New("must be a date and time with Z or an offset, such as 2030-12-31T00:00:00Z or 2030-12-31T01:00:00+01:00 (RFC 3339)")
	errTimeReal = errors.New("must be a date and time that exists, such as 2030-12-31T00:00:00Z (RFC 3339)")
	errTimeFine = errors.New("must be in whole seconds, such as 2030-12-31T00:00:00Z")
)

// maxTimeText bounds what is looked at; an RFC 3339 time in whole seconds has at most 25 characters.
const maxTimeText = 64

// ParseTime reads an RFC 3339 date and time in whole seconds (a fraction of zeros, as JavaScript writes it, is none)
// and returns it in seconds since the Ripple Epoch. The error reads on from the name of a field.
func ParseTime(s string) (uint32, error) {
	if len(s) > maxTimeText {
		return 0, errTimeForm
	}
	m := rfc3339.FindStringSubmatch(s)
	if m == nil {
		return 0, errTimeForm
	}
	if strings.Trim(m[1], ".0") != "" {
		return 0, errTimeFine
	}
	t, err := time.Parse(time.RFC3339, strings.ToUpper(s))
	if err != nil {
		return 0, errTimeReal
	}
	return RippleTime(t)
}
