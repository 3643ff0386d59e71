package httpapi

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/model"
)

// A batch comes in one of two forms, and a row of either is the request that POST /credential takes:
//
//   - NDJSON: one JSON object a line, as that call takes it. Lines of nothing but space do not count as rows.
//   - CSV (RFC 4180): a first line with the names of the columns, subject and credential among them, in any order; besides
//     these there may be expiration, uri, and either reason (the field of that name in documents) or documents (a JSON
//     object). A cell that is empty is a field that is left out. Rows are counted behind the first line, lines that are
//     empty do not count.
//
// Either may begin with a byte order mark. A row that is wrong is one row's failure. Where a CSV's quotes do not close
// within a row's bound, what follows could be anything, and the batch ends there.

// byteOrderMark is how some programs begin a file.
const byteOrderMark = "\xef\xbb\xbf"

// ndjsonRows yields the lines of a body.
func ndjsonRows(body io.Reader) iter.Seq2[issuer.Row, error] {
	return func(yield func(issuer.Row, error) bool) {
		r := bufio.NewReaderSize(body, MaxBatchRowBytes)
		skipMark(r)
		for {
			line, err := r.ReadSlice('\n')
			var tooLong hash.Hash
			if errors.Is(err, bufio.ErrBufferFull) {
				tooLong = sha256.New()
			}
			for errors.Is(err, bufio.ErrBufferFull) {
				_, _ = tooLong.Write(line)
				line, err = r.ReadSlice('\n')
			}
			if err != nil && !errors.Is(err, io.EOF) {
				yield(issuer.Row{}, err)
				return
			}
			switch {
			case tooLong != nil:
				_, _ = tooLong.Write(line)
				if !yield(issuer.Row{Sum: model.RowSum(tooLong.Sum(nil)[:len(model.RowSum{})]), Read: refused(tooLongRow())}, nil) {
					return
				}
			case len(bytes.TrimSpace(line)) > 0:
				if !yield(issuer.Row{Sum: rowSum(bytes.TrimSpace(line)), Read: func() (model.CredentialRequest, error) { return parseRow(line) }}, nil) {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
}

// rowSum tells rows apart by their text. Of CSV, the first line belongs to each of them.
func rowSum(parts ...[]byte) model.RowSum {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write(p)
	}
	return model.RowSum(h.Sum(nil)[:len(model.RowSum{})])
}

func skipMark(r *bufio.Reader) {
	if start, _ := r.Peek(len(byteOrderMark)); string(start) == byteOrderMark { // what keeps it from being read shows again
		_, _ = r.Discard(len(byteOrderMark))
	}
}

func tooLongRow() error {
	return &model.Error{Code: model.CodeBadRequest, Message: fmt.Sprintf("a row must not have more than %d bytes", MaxBatchRowBytes)}
}

func refused(err error) func() (model.CredentialRequest, error) {
	return func() (model.CredentialRequest, error) { return model.CredentialRequest{}, err }
}

// parseRow reads a row as the body of a request, and calls it a row.
func parseRow(text []byte) (model.CredentialRequest, error) {
	r, err := model.ParseCredentialRequest(text)
	var e *model.Error
	if errors.As(err, &e) {
		if rest, ok := strings.CutPrefix(e.Message, "the body "); ok {
			return r, &model.Error{Code: e.Code, Message: "the row " + rest}
		}
	}
	return r, err
}

// The columns of a CSV.
const (
	columnSubject    = "subject"
	columnCredential = "credential"
	columnExpiration = "expiration"
	columnURI        = "uri"
	columnReason     = "reason"
	columnDocuments  = "documents"
)

var columns = []string{columnSubject, columnCredential, columnExpiration, columnURI, columnReason, columnDocuments}

// csvRows yields the rows of a body behind its first line. The error is what is wrong with that.
func csvRows(body io.Reader) (iter.Seq2[issuer.Row, error], error) {
	r := bufio.NewReaderSize(body, MaxBatchRowBytes)
	skipMark(r)
	first, err := record(r)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	names, err := header(first)
	if err != nil {
		return nil, err
	}
	head := []byte(strings.Join(names, ",") + "\n")
	return func(yield func(issuer.Row, error) bool) {
		for {
			text, err := record(r)
			if err != nil && !errors.Is(err, io.EOF) {
				yield(issuer.Row{}, err)
				return
			}
			row := bytes.TrimRight(text, "\r\n")
			if len(row) > 0 && !yield(issuer.Row{Sum: rowSum(head, row), Read: func() (model.CredentialRequest, error) { return csvRow(names, text) }}, nil) {
				return
			}
			if err != nil {
				return
			}
		}
	}, nil
}

// record returns a record with its line's end, up to the end of the body (io.EOF). A line's end between quotes is part of a
// field; quotes only open where a field begins. What is returned holds until the next call.
func record(r *bufio.Reader) ([]byte, error) {
	quoted, start := false, true
	text := make([]byte, 0, 256)
	for {
		b, err := r.ReadByte()
		if err != nil {
			return text, err
		}
		if len(text) == MaxBatchRowBytes {
			return nil, &model.Error{Code: model.CodeBadRequest, Message: fmt.Sprintf(
				"a row of CSV must end within %d bytes, and one does not; a quote that never closes does that", MaxBatchRowBytes)}
		}
		text = append(text, b)
		switch {
		case quoted:
			if b == '"' {
				quoted, start = false, true // a second one, right behind, opens again: it stands for one quote
			}
			continue
		case b == '\n':
			return text, nil
		case b == '"' && start:
			quoted = true
			continue
		}
		start = b == ','
	}
}

// fields takes a record apart.
func fields(text []byte) ([]string, error) {
	if !utf8.Valid(text) {
		return nil, model.BadRequest("the row", "must be UTF-8; it holds other bytes")
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	cells, err := r.Read()
	if err != nil {
		return nil, model.BadRequest("the row", "must be CSV: a quote only stands around a whole field, and twice within one")
	}
	return cells, nil
}

func header(text []byte) ([]string, error) {
	const what = "the first line of a CSV"
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, model.BadRequest(what, "must name the columns, such as subject,credential,expiration,uri,reason; it is empty")
	}
	names, err := fields(text)
	if err != nil {
		return nil, model.BadRequest(what, "must name the columns, such as subject,credential,expiration,uri,reason")
	}
	for i := range names {
		names[i] = strings.ToLower(strings.TrimSpace(names[i]))
	}
	for i, name := range names {
		switch {
		case !slices.Contains(columns, name) && len(names) == 1 && strings.ContainsAny(name, ";\t"): // as spreadsheets of many countries write it
			return nil, model.BadRequest(what, "must have commas between the columns' names, and so must each row: not semicolons or tabs")
		case !slices.Contains(columns, name):
			return nil, model.BadRequest(what, fmt.Sprintf("must name nothing but %s; its column %d is something else", strings.Join(columns, ", "), i+1))
		case slices.Contains(names[:i], name):
			return nil, model.BadRequest(what, "must name each column once; "+name+" stands there twice")
		}
	}
	for _, name := range []string{columnSubject, columnCredential} {
		if !slices.Contains(names, name) {
			return nil, model.BadRequest(what, "must name the column "+name)
		}
	}
	if slices.Contains(names, columnReason) && slices.Contains(names, columnDocuments) {
		return nil, model.BadRequest(what, "must not name both reason and documents")
	}
	return names, nil
}

// csvRow makes of a record the request that its cells stand for.
func csvRow(names []string, text []byte) (model.CredentialRequest, error) {
	cells, err := fields(text)
	if err != nil {
		return model.CredentialRequest{}, err
	}
	if len(cells) != len(names) {
		return model.CredentialRequest{}, model.BadRequest("the row", fmt.Sprintf("must have %d cells, as the first line has; it has %d", len(names), len(cells)))
	}
	request := map[string]any{}
	for i, cell := range cells {
		switch name := names[i]; {
		case cell == "":
		case name == columnReason:
			request[columnDocuments] = map[string]string{columnReason: cell}
		case name == columnDocuments:
			if !json.Valid([]byte(cell)) {
				return model.CredentialRequest{}, model.BadRequest(columnDocuments, "must be a JSON object")
			}
			request[columnDocuments] = json.RawMessage(cell)
		default:
			request[name] = cell
		}
	}
	body, err := json.Marshal(request)
	if err != nil {
		return model.CredentialRequest{}, fmt.Errorf("put a row together: %w", err)
	}
	return parseRow(body)
}
