package model

import (
	"testing"
	"time"
)

// TestOperationIDTime: an id gives back the millisecond that it was made in, and what is none gives none.
func TestOperationIDTime(t *testing.T) {
	for _, at := range []time.Time{time.UnixMilli(0), time.Date(2030, 1, 2, 3, 4, 5, 678_000_000, time.UTC), time.UnixMilli(1<<48 - 1)} {
		if got := NewOperationID(at.UnixMilli(), [10]byte{255, 1}).Time(); !got.Equal(at) {
			t.Errorf("%v became %v", at, got)
		}
	}
	for _, id := range []OperationID{"", "x", "!!!!!!!!!!AAAAAAAAAAAAAAAA"} {
		if got := id.Time(); !got.IsZero() {
			t.Errorf("%q is of %v", id, got)
		}
	}
}
