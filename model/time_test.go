package model

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want uint32
		err  error
	}{
		{"2000-01-01T00:00:00Z", 0, nil},
		{"2000-01-01T00:00:01Z", 1, nil},
		{"1999-12-31T23:59:59Z", 0, errTimeRange},
		{"2136-02-07T06:28:15Z", 1<<32 - 1, nil},
		{"2136-02-07T06:28:16Z", 0, errTimeRange},
		{"2136-02-07T07:28:15+01:00", 1<<32 - 1, nil},
		{"2136-02-07T06:28:15-00:01", 0, errTimeRange},
		{"2000-01-01T01:00:01+01:00", 1, nil},
		{"2000-01-01t00:00:01z", 1, nil},
		{"2000-01-01T00:00:01-00:00", 1, nil},
		{"2000-01-02T00:00:00+23:59", 60, nil},
		{"2000-01-02T00:00:00+24:00", 0, errTimeForm},
		{"2000-01-02T00:00:00+01:60", 0, errTimeForm},
		{"2000-01-01T00:00:01.000Z", 1, nil},
		{"2000-01-01T00:00:01.5Z", 0, errTimeFine},
		{"2000-01-01T00:00:01.000000001Z", 0, errTimeFine},
		{"2000-01-01T00:00:01,000Z", 0, errTimeForm},
		{"2000-01-01T00:00:01.Z", 0, errTimeForm},
		{"2024-02-29T00:00:00Z", 762480000, nil},
		{"2023-02-29T00:00:00Z", 0, errTimeReal},
		{"2030-13-01T00:00:00Z", 0, errTimeReal},
		{"2030-01-01T24:00:00Z", 0, errTimeReal},
		{"2016-12-31T23:59:60Z", 0, errTimeReal},
		{"2030-01-01T00:00:00", 0, errTimeForm},
		{"2030-01-01 00:00:00Z", 0, errTimeForm},
		{"2030-01-01T0:00:00Z", 0, errTimeForm},
		{"2030-01-01T00:00Z", 0, errTimeForm},
		{"2030-01-01", 0, errTimeForm},
		{"2030-01-01T00:00:00+0100", 0, errTimeForm},
		{" 2030-01-01T00:00:00Z", 0, errTimeForm},
		{"2030-01-01T00:00:00Z\n", 0, errTimeForm},
		{"12030-01-01T00:00:00Z", 0, errTimeForm},
		{"1893456000", 0, errTimeForm},
		{"tomorrow", 0, errTimeForm},
		{"", 0, errTimeForm},
	} {
		t.Run(tc.in, func(t *testing.T) {
			got, err := ParseTime(tc.in)
			if got != tc.want || err != tc.err {
				t.Errorf("ParseTime(%q) = %d, %v, want %d, %v", tc.in, got, err, tc.want, tc.err)
			}
		})
	}
}

func TestMaxTime(t *testing.T) {
	if got, want := FormatTime(1<<32-1), "2136-02-07T06:28:15Z"; got != want {
		t.Errorf("the last instant is %s, want %s", got, want)
	}
	if s, err := RippleTime(MaxTime.Add(time.Second - 1)); err != nil || s != 1<<32-1 {
		t.Errorf("the last instant, with its last nanosecond, is %d, %v", s, err)
	}
}

func FuzzTime(f *testing.F) {
	f.Add(uint32(0))
	f.Add(uint32(1<<32 - 1))
	f.Fuzz(func(t *testing.T, s uint32) {
		if back, err := ParseTime(FormatTime(s)); err != nil || back != s {
			t.Fatalf("%d is shown as %s and reads back as %d, %v", s, FormatTime(s), back, err)
		}
		if back, err := RippleTime(Time(s)); err != nil || back != s {
			t.Fatalf("%d is %v and comes back as %d, %v", s, Time(s), back, err)
		}
	})
}
