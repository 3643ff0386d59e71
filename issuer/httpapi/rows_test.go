package httpapi

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/model"
)

const someone = "rGtnKx7veDhV9CgYenkiCV5HMLpgU2BfcQ"

// readRows reads a body to its end: what each row says, and what ended it.
func readRows(format, body string) (said []string, end error) {
	read := ndjsonRows
	if format == typeCSV {
		read = func(r io.Reader) iter.Seq2[issuer.Row, error] {
			all, err := csvRows(r)
			if err != nil {
				return func(yield func(issuer.Row, error) bool) { yield(issuer.Row{}, err) }
			}
			return all
		}
	}
	for row, err := range read(iotest.OneByteReader(strings.NewReader(body))) {
		if err != nil {
			return said, err
		}
		r, err := row.Read()
		if err != nil {
			said = append(said, err.Error())
			continue
		}
		reason, _ := r.Documents.Field("reason")
		text := fmt.Sprintf("%s %s %s", r.Subject, r.Type, reason)
		if r.Expiration != nil {
			text += " " + model.FormatTime(*r.Expiration)
		}
		said = append(said, strings.TrimSpace(text+" "+r.URI))
	}
	return said, nil
}

func TestRows(t *testing.T) {
	good := func(credential string) string {
		return fmt.Sprintf(`{"subject":"%s","credential":"%s","documents":{"reason":"please"}}`, someone, credential)
	}
	row := func(credential string) string { return someone + " " + credential + ` "please"` }
	for _, tc := range []struct {
		name, format, body string
		want               []string // the beginnings
		end                string
	}{
		{"lines", typeNDJSON, good("A") + "\n" + good("B") + "\n", []string{row("A"), row("B")}, ""},
		{"no line's end at the end", typeNDJSON, good("A") + "\r\n" + good("B"), []string{row("A"), row("B")}, ""},
		{"mark, empty lines", typeNDJSON, byteOrderMark + "\n \r\n" + good("A") + "\n\n" + good("B"), []string{row("A"), row("B")}, ""},
		{"nothing", typeNDJSON, "", nil, ""},
		{"wrong ones in between", typeNDJSON, good("A") + "\n{\n[1]\n" + good("B b") + "\n" + good("C"),
			[]string{row("A"), "badRequest: the row must be one JSON object", "badRequest: the row must be a JSON object, not an array", "badRequest: credential must be", row("C")}, ""},
		{"one that is too long", typeNDJSON, good("A") + "\n" + strings.Repeat("x", 3*MaxBatchRowBytes) + "\n" + good("B"),
			[]string{row("A"), "badRequest: a row must not have more than 65536 bytes", row("B")}, ""},
		{"the longest", typeNDJSON, good("A") + strings.Repeat(" ", MaxBatchRowBytes-len(good("A"))-1) + "\n" + good("B"), []string{row("A"), row("B")}, ""},
		{"bytes that are no UTF-8", typeNDJSON, "{\"subject\":\"\xff\"}\n", []string{"badRequest: the row must be UTF-8"}, ""},

		{"columns", typeCSV, "subject,credential,expiration,uri,reason\n" + someone + ",A,2100-01-01T00:00:00Z,https://example.com/,please\n" + someone + ",B,,,\"oh, \"\"please\"\"\"\r\n",
			[]string{row("A") + " 2100-01-01T00:00:00Z https://example.com/", someone + ` B "oh, \"please\""`}, ""},
		{"other order, case and space", typeCSV, byteOrderMark + " Credential , REASON,subject\r\n\r\nA,please," + someone, []string{row("A")}, ""},
		{"documents", typeCSV, "subject,credential,documents\n" + someone + `,A,"{""reason"":""please""}"` + "\n" + someone + ",B,{\n" + someone + ",C,[]\n" + someone + ",D,\n",
			[]string{row("A"), "badRequest: documents must be a JSON object", "badRequest: documents must be an object", "badRequest: documents must be given"}, ""},
		{"a field over two lines", typeCSV, "subject,credential,reason\n" + someone + ",A,\"please\nplease\"\n" + someone + ",B,please\n",
			[]string{someone + ` A "please\nplease"`, row("B")}, ""},
		{"wrong ones in between", typeCSV, "subject,credential,reason\n" + someone + ",A,ple\"ase\n" + someone + ",B\n" + someone + ",C,please,more\n,D,please\n" + someone + ",E,please",
			[]string{"badRequest: the row must be CSV", "badRequest: the row must have 3 cells, as the first line has; it has 2", "badRequest: the row must have 3 cells, as the first line has; it has 4",
				"badRequest: subject must be given", row("E")}, ""},
		{"more behind a quote", typeCSV, "subject,credential,reason\n" + someone + ",A,\"please\" x\n" + someone + ",B,please\n", []string{"badRequest: the row must be CSV", row("B")}, ""},
		{"bytes that are no UTF-8", typeCSV, "subject,credential,reason\n" + someone + ",A,\xffplease\n", []string{"badRequest: the row must be UTF-8"}, ""},
		{"a quote that never closes", typeCSV, "subject,credential,reason\n" + someone + ",A,please\n" + someone + ",B,\"" + strings.Repeat("please\n", 20_000),
			[]string{row("A")}, "badRequest: a row of CSV must end within 65536 bytes"},
		{"a quote that never closes, at the end", typeCSV, "subject,credential,reason\n" + someone + ",B,\"please", []string{"badRequest: the row must be CSV"}, ""},
		{"no first line", typeCSV, "", nil, "badRequest: the first line of a CSV must name the columns"},
		{"rows at once", typeCSV, someone + ",A,please\n", nil, "badRequest: the first line of a CSV must name nothing but subject, credential"},
		{"unknown column", typeCSV, "subject,credential,colour\n", nil, "its column 3 is something else"},
		{"semicolons", typeCSV, "\ufeffsubject;credential;reason\r\n" + someone + ";A;please\r\n", nil, "must have commas between the columns' names"},
		{"tabs", typeCSV, "subject\tcredential\n", nil, "must have commas between the columns' names"},
		{"column twice", typeCSV, "subject,credential,Subject\n", nil, "subject stands there twice"},
		{"column missing", typeCSV, "subject,reason\n", nil, "must name the column credential"},
		{"two kinds of documents", typeCSV, "subject,credential,reason,documents\n", nil, "must not name both"},
		{"first line alone", typeCSV, "subject,credential,reason\n", nil, ""},
	} {
		t.Run(tc.format+" "+tc.name, func(t *testing.T) {
			said, end := readRows(tc.format, tc.body)
			if tc.end == "" && end != nil || tc.end != "" && (end == nil || !strings.Contains(end.Error(), tc.end)) {
				t.Errorf("it ended with %v, want %q", end, tc.end)
			}
			if len(said) != len(tc.want) {
				t.Fatalf("%d rows %q, want %d", len(said), said, len(tc.want))
			}
			for i := range said {
				if !strings.HasPrefix(said[i], tc.want[i]) {
					t.Errorf("row %d: %q, want %q", i+1, said[i], tc.want[i])
				}
			}
		})
	}
}

// TestRowsBreakOff: what keeps a body from being read is told, and is not taken for its end.
func TestRowsBreakOff(t *testing.T) {
	broken := errors.New("broken")
	for _, start := range []string{"", "subject", "subject,credential\n", "subject,credential\nx"} {
		body := func() io.Reader { return io.MultiReader(strings.NewReader(start), iotest.ErrReader(broken)) }
		var end error
		for _, err := range ndjsonRows(body()) {
			end = err
		}
		if !errors.Is(end, broken) {
			t.Errorf("%q: %v", start, end)
		}
		rows, err := csvRows(body())
		if err == nil {
			for _, err = range rows {
				continue
			}
		}
		if !errors.Is(err, broken) {
			t.Errorf("CSV %q: %v", start, err)
		}
	}
}

// FuzzRows: no body makes a reader fail otherwise than by saying so, and every request that comes out is in good form.
func FuzzRows(f *testing.F) {
	f.Add(true, "subject,credential,reason\n"+someone+",A,\"ple\"\"ase\"\n")
	f.Add(true, "subject,credential,documents\n"+someone+",A,\"{\"\"a\"\":1}\"\n")
	f.Add(false, `{"subject":"`+someone+`","credential":"A","documents":{"reason":"please"}}`+"\n{\n")
	f.Fuzz(func(t *testing.T, isCSV bool, body string) {
		rows := ndjsonRows(strings.NewReader(body))
		if isCSV {
			var err error
			if rows, err = csvRows(strings.NewReader(body)); err != nil {
				if model.CodeOf(err) != model.CodeBadRequest {
					t.Errorf("%v", err)
				}
				return
			}
		}
		count := 0
		for row, err := range rows {
			if err != nil {
				if model.CodeOf(err) != model.CodeBadRequest {
					t.Errorf("%v", err)
				}
				return
			}
			count++
			r, err := row.Read()
			if err != nil {
				if model.CodeOf(err) != model.CodeBadRequest {
					t.Errorf("%v", err)
				}
				continue
			}
			if _, err := model.ParseAddress(r.Subject.String()); err != nil || r.Type == "" || len(r.Type) > model.MaxTypeLen || len(r.URI) > model.MaxURILen {
				t.Errorf("%+v", r)
			}
		}
		if count > strings.Count(body, "\n")+1 {
			t.Errorf("%d rows of %d lines", count, strings.Count(body, "\n")+1)
		}
	})
}
