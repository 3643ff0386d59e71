package store

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// dialect is what SQLite and PostgreSQL say differently. All statements are written once, with $N, and take many rows
// as one argument, so that their texts never vary and stay prepared.
type dialect struct {
	// name is also that of the folder of migrations.
	name string
	// now is the database's clock, in microseconds since 1970.
	now string
	// forUpdate and forShare lock the rows that a SELECT reads. SQLite has one writer and needs neither.
	forUpdate, forShare string
	// element reads column i of a row of [dialect.rows]; each is what it is selected from.
	element func(i int, kind string) string
	each    string
	// in is "column is one of the values of argument n", and list makes that argument.
	in   func(column string, n int) string
	list func(values any) (any, error)
	// bytes turns a column of hex into bytes.
	bytes func(column string) string
}

var sqliteDialect = dialect{
	name:    "sqlite",
	now:     "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
	element: func(i int, _ string) string { return fmt.Sprintf("e.value->>%d", i) },
	each:    "json_each($%d)",
	in: func(column string, n int) string {
		return fmt.Sprintf("%s IN (SELECT value FROM json_each($%d))", column, n)
	},
	list: func(values any) (any, error) {
		b, err := json.Marshal(values)
		return string(b), err
	},
	bytes: func(column string) string { return "unhex(" + column + ")" },
}

var postgresDialect = dialect{
	name:      "postgres",
	now:       "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
	forUpdate: " FOR UPDATE",
	forShare:  " FOR SHARE",
	element:   func(i int, kind string) string { return fmt.Sprintf("(e->>%d)::%s", i, kind) },
	each:      "json_array_elements($%d::text::json)",
	in: func(column string, n int) string {
		return fmt.Sprintf("%s = ANY($%d)", column, n)
	},
	list:  func(values any) (any, error) { return values, nil },
	bytes: func(column string) string { return "decode(" + column + ", 'hex')" },
}

// rows is a table named r, made of argument n, which is one of [rowsArg]. Each column is "name kind", and kind is text
// or bigint.
func (d *dialect) rows(n int, columns ...string) string {
	var b strings.Builder
	b.WriteString("(SELECT ")
	for i, c := range columns {
		name, kind, _ := strings.Cut(c, " ")
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(d.element(i, kind) + " AS " + name)
	}
	fmt.Fprintf(&b, " FROM "+d.each+" AS e) AS r", n)
	return b.String()
}

// insertRows inserts rows whose columns are as [dialect.rows] has them.
func (t *txn) insertRows(table string, rows []row, columns ...string) error {
	arg, err := rowsArg(rows)
	if err != nil {
		return err
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i], _, _ = strings.Cut(c, " ")
	}
	list := strings.Join(names, ", ")
	_, err = t.exec("INSERT INTO "+table+" ("+list+") SELECT "+list+" FROM "+t.rows(1, columns...), arg)
	return err
}

// row holds the values of one row: strings, integers or nil.
type row []any

// rowsArg makes the argument that [dialect.rows] reads.
func rowsArg(rows []row) (string, error) {
	b, err := json.Marshal(rows)
	return string(b), err
}

// text makes s storable: PostgreSQL takes no NUL, and neither takes what is not UTF-8.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// upperHex is hex as the ledger shows it.
func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
