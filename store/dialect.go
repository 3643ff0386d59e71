package store

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// dialect is what SQLite and PostgreSQL say differently. All statements are written once, with $N, and take many rows
// as one argument. PostgreSQL takes them as JSON, so that its texts never vary and stay prepared.
type dialect struct {
	// name is also that of the folder of migrations.
	name string
	// now is the database's clock, in microseconds since 1970.
	now string
	// hasTable selects whether there is a table of migrations.
	hasTable string
	// forUpdate and forKeyShare lock the rows that a SELECT reads. The second one keeps out the first, and lets an UPDATE pass
	// that changes no key. SQLite has one writer and needs neither.
	forUpdate, forKeyShare string
	// element reads column i of a row of [dialect.rows]; each is what it is selected from.
	element func(i int, kind string) string
	each    string
	// expand puts the rows into a statement that has some as an argument.
	expand func(query string, args []any) (string, []any, error)
	// in is "column is one of the values of argument n", and list makes that argument.
	in   func(column string, n int) string
	list func(values any) (any, error)
	// bytes turns a column of hex into bytes.
	bytes func(column string) string
}

var sqliteDialect = dialect{
	name:     "sqlite",
	now:      "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
	hasTable: "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations')",
	element:  func(i int, _ string) string { return fmt.Sprintf("column%d", i+1) },
	each:     "($%d)",
	expand:   expandValues,
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
	name:        "postgres",
	now:         "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
	hasTable:    "SELECT to_regclass('schema_migrations') IS NOT NULL",
	forUpdate:   " FOR UPDATE",
	forKeyShare: " FOR KEY SHARE",
	element:     func(i int, kind string) string { return fmt.Sprintf("(e->>%d)::%s", i, kind) },
	each:        "json_array_elements($%d::text::json)",
	expand:      expandJSON,
	in: func(column string, n int) string {
		return fmt.Sprintf("%s = ANY($%d)", column, n)
	},
	list:  func(values any) (any, error) { return values, nil },
	bytes: func(column string) string { return "decode(" + column + ", 'hex')" },
}

// rows is a table named r, made of argument n, which is a [rowSet]. Each column is "name kind", and kind is text or bigint.
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
func (t *txn) insertRows(table string, rows rowSet, columns ...string) error {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i], _, _ = strings.Cut(c, " ")
	}
	list := strings.Join(names, ", ")
	_, err := t.exec("INSERT INTO "+table+" ("+list+") SELECT "+list+" FROM "+t.rows(1, columns...), rows)
	return err
}

// row holds the values of one row: strings, integers or nil.
type row []any

// rowSet is the argument that [dialect.rows] reads. There must be a row in it.
type rowSet []row

var errNoRows = errors.New("a statement has no rows to work on")

// expandJSON passes rows as one text.
func expandJSON(query string, args []any) (string, []any, error) {
	for i, arg := range args {
		if rows, is := arg.(rowSet); is {
			if len(rows) == 0 {
				return "", nil, errNoRows
			}
			b, err := json.Marshal(rows)
			if err != nil {
				return "", nil, err
			}
			args[i] = string(b)
		}
	}
	return query, args, nil
}

// maxValues is how many values one statement for SQLite takes (SQLITE_MAX_VARIABLE_NUMBER).
const maxValues = 32766

// expandValues writes rows as VALUES, each value an argument: SQLite takes three times as long to get them out of JSON. Arguments
// go by their places then, as finding one by its name takes the longer the more there are. There may be too many values for
// one statement; then JSON it is.
func expandValues(query string, args []any) (string, []any, error) {
	values := 0
	for _, arg := range args {
		if rows, is := arg.(rowSet); is {
			if len(rows) == 0 {
				return "", nil, errNoRows
			}
			values += len(rows) * len(rows[0])
		}
	}
	if values == 0 {
		return query, args, nil
	}
	b, placed := make([]byte, 0, len(query)+4*values), make([]any, 0, len(args)+values)
	for {
		before, rest, found := strings.Cut(query, "$")
		b = append(b, before...)
		if !found {
			return string(b), placed, nil
		}
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.Atoi(rest[:digits])
		if err != nil || n < 1 || n > len(args) {
			return "", nil, fmt.Errorf("there is no argument $%s", rest[:digits])
		}
		query = rest[digits:]
		rows, is := args[n-1].(rowSet)
		switch {
		case !is:
			b, placed = append(b, '?'), append(placed, args[n-1])
		case len(placed)+values+len(args) <= maxValues:
			b, placed = appendValues(b, placed, rows)
		default:
			text, err := json.Marshal(rows)
			if err != nil {
				return "", nil, err
			}
			b, placed = appendColumns(b, len(rows[0])), append(placed, string(text))
		}
	}
}

// appendValues writes rows as a table with columns column1, column2 and so on.
func appendValues(b []byte, args []any, rows rowSet) ([]byte, []any) {
	b = append(b, "VALUES "...)
	for i, r := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		for c := range r {
			b = append(b, "(,"[min(c, 1)], '?')
		}
		b = append(b, ')')
		args = append(args, r...)
	}
	return b, args
}

// appendColumns reads the same table from one argument, a JSON array of arrays.
func appendColumns(b []byte, columns int) []byte {
	b = append(b, "SELECT "...)
	for i := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "value->>%d AS column%d", i, i+1)
	}
	return append(b, " FROM json_each(?)"...)
}

// text makes s storable: PostgreSQL takes no NUL, and neither takes what is not UTF-8.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// upperHex is hex as the ledger shows it.
func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
