package store

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
)

// Rows come out of a statement as they went in, on both databases and whatever their number: text of any form, numbers of 64
// bits, and nothing.
func TestRows(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		odd := []any{"", "a", `"quoted" \ and ?1 $1 $1`, "<&>\u2028é😀", strings.Repeat("x", 10_000), nil, int64(-1), int64(1<<62) + 1, 0}
		for _, n := range []int{1, 2, len(odd), maxValues/3 + 1} {
			rows := make(rowSet, n)
			for i := range rows {
				text := odd[i%6]
				if i >= len(odd) {
					text = odd[i%4] // short
				}
				rows[i] = row{i, text, odd[6+i%3]}
			}
			h.ok(h.write(h.ctx(), "testing", func(t *txn) error {
				from := t.rows(2, "n bigint", "word text", "number bigint")
				twice := ""
				if n < 100 {
					twice = " WHERE r.n IN (SELECT n FROM " + from + ")"
				}
				found, err := t.query("SELECT r.n + $1, r.word, r.number FROM "+from+twice+" ORDER BY r.n", 100, rows)
				i := 0
				err = each(found, err, func(found *sql.Rows) error {
					var n, number int64
					var word sql.NullString
					if err := found.Scan(&n, &word, &number); err != nil {
						return err
					}
					want := rows[i]
					if n != int64(i+100) || word.Valid != (want[1] != nil) || word.Valid && word.String != want[1] || fmt.Sprint(number) != fmt.Sprint(want[2]) {
						return fmt.Errorf("row %d of %d is %d, %.50q, %d, want %.50v", i, len(rows), n, word.String, number, want)
					}
					i++
					return nil
				})
				if err == nil && i != len(rows) {
					err = fmt.Errorf("%d rows of %d", i, len(rows))
				}
				return err
			}))
		}
		if err := h.write(h.ctx(), "testing", func(t *txn) error { return t.insertRows("probe", nil, "id bigint") }); err == nil {
			t.Error("a statement without rows is taken")
		}
	})
}
