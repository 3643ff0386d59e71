package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/xrplissuer/credential-issuer/model"
)

// apiVersion is the version of rippled's API that every request asks for.
const apiVersion = 2

// refusal holds what an error answer consists of; over WebSocket beside the id, over HTTP inside the result.
type refusal struct {
	Error          json.RawMessage `json:"error"` // a token, or a JSON-RPC 2.0 error object
	ErrorCode      json.RawMessage `json:"error_code"`
	ErrorMessage   string          `json:"error_message"`
	ErrorException string          `json:"error_exception"`
	SearchedAll    *bool           `json:"searched_all"`
	Status         string          `json:"status"`
	Warning        json.RawMessage `json:"warning"`
}

// verdict returns the node's refusal as an error, nil where it is none.
func (r *refusal) verdict(method string) error {
	if e := r.nodeError(method); e != nil {
		return e
	}
	switch r.Status {
	case "success":
		return nil
	case "error":
		return &AnswerError{Method: method, Reason: "it is an error without a name"}
	}
	return &AnswerError{Method: method, Reason: "it has no status"}
}

// decodeHTTP takes the result out of a JSON-RPC answer.
func decodeHTTP(method string, body []byte) (json.RawMessage, error) {
	var envelope struct {
		Result json.RawMessage `json:"result"`
		refusal
	}
	if err := decodeObject(body, &envelope); err != nil {
		if limit := limitIn(method, body); limit != nil {
			return nil, limit
		}
		return nil, &AnswerError{Method: method, Reason: "no JSON object with a result", Cause: err}
	}
	if !isObject(envelope.Result) {
		if e := envelope.nodeError(method); e != nil {
			return nil, e
		}
		if limit := limitIn(method, body); limit != nil {
			return nil, limit
		}
		return nil, &AnswerError{Method: method, Reason: "it has no result"}
	}
	var r refusal
	if err := decodeObject(envelope.Result, &r); err != nil {
		return nil, &AnswerError{Method: method, Reason: "its result cannot be read", Cause: err}
	}
	if err := r.verdict(method); err != nil {
		return nil, err
	}
	return envelope.Result, nil
}

// frame is any message that a node sends over WebSocket: an answer, or one of its streams.
type frame struct {
	ID     json.RawMessage
	Type   string
	Result json.RawMessage
	refusal

	// The ledger stream. Fields of other streams share these names, so their types are looked at later.
	LedgerIndex json.RawMessage
	LedgerHash  string
	LedgerTime  json.RawMessage
	FeeBase     json.RawMessage
	ReserveBase json.RawMessage
	ReserveInc  json.RawMessage

	// The account stream.
	Hash                string
	CTID                string
	CloseTimeISO        string
	EngineResult        string
	EngineResultCode    json.RawMessage
	EngineResultMessage string
	Meta                json.RawMessage
	TxJSON              json.RawMessage
	Validated           bool
}

// decodeFrame reads a WebSocket message. An error means that the other side is no node.
func decodeFrame(data []byte) (*frame, error) {
	f := new(frame)
	return f, f.decode(data)
}

// decode takes in what data holds. The pieces of f are parts of data then.
func (f *frame) decode(data []byte) error {
	return scanObject(data, member{"id", &f.ID}, member{"type", &f.Type}, member{"result", &f.Result},
		member{"error", &f.Error}, member{"error_code", &f.ErrorCode}, member{"error_message", &f.ErrorMessage},
		member{"error_exception", &f.ErrorException}, member{"searched_all", &f.SearchedAll}, member{"status", &f.Status},
		member{"warning", &f.Warning},
		member{"ledger_index", &f.LedgerIndex}, member{"ledger_hash", &f.LedgerHash}, member{"ledger_time", &f.LedgerTime},
		member{"fee_base", &f.FeeBase}, member{"reserve_base", &f.ReserveBase}, member{"reserve_inc", &f.ReserveInc},
		member{"hash", &f.Hash}, member{"ctid", &f.CTID}, member{"close_time_iso", &f.CloseTimeISO},
		member{"engine_result", &f.EngineResult}, member{"engine_result_code", &f.EngineResultCode},
		member{"engine_result_message", &f.EngineResultMessage}, member{"meta", &f.Meta}, member{"tx_json", &f.TxJSON},
		member{"validated", &f.Validated})
}

// answer returns the result of a frame that answers a request.
func (f *frame) answer(method string) (json.RawMessage, error) {
	if err := f.verdict(method); err != nil {
		return nil, err
	}
	if !isObject(f.Result) {
		return nil, &AnswerError{Method: method, Reason: "it has no result"}
	}
	return f.Result, nil
}

// ledger reads the fields that the ledger stream and the answer to its subscription share.
func (f *frame) ledger() (model.Ledger, error) {
	var l model.Ledger
	err := errors.Join(
		number(f.LedgerIndex, "ledger_index", &l.Index),
		number(f.LedgerTime, "ledger_time", &l.CloseTime),
		wholeDrops(f.FeeBase, "fee_base", &l.BaseFee),
		wholeDrops(f.ReserveBase, "reserve_base", &l.ReserveBase),
		wholeDrops(f.ReserveInc, "reserve_inc", &l.ReserveIncrement),
		hash256(f.LedgerHash, "ledger_hash"),
	)
	l.Hash = f.LedgerHash
	if err == nil && l.Index == 0 {
		err = errors.New("ledger_index is 0")
	}
	return l, err
}

// decodeObject is json.Unmarshal for what must be an object: encoding/json lets null pass for one.
func decodeObject(data []byte, into any) error {
	if !isObject(data) {
		return fmt.Errorf("not a JSON object: %q", excerpt(data[:min(len(data), 60)]))
	}
	return json.Unmarshal(data, into)
}

func isObject(raw []byte) bool {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	return len(raw) > 0 && raw[0] == '{'
}

// number reads a JSON number that must be a whole one of 32 bits. Neither a string nor 7.0 is one.
func number(raw json.RawMessage, name string, into *uint32) error {
	if len(raw) == 0 {
		return fmt.Errorf("%s is missing", name)
	}
	n, err := strconv.ParseUint(string(raw), 10, 32)
	if err != nil {
		return fmt.Errorf("%s is no 32-bit number: %s", name, excerpt(raw))
	}
	*into = uint32(n)
	return nil
}

// maxDrops is all the XRP there ever was, in drops.
const maxDrops = 100_000_000_000 * 1_000_000

// wholeDrops reads a JSON number of drops.
func wholeDrops(raw json.RawMessage, name string, into *int64) error {
	if len(raw) == 0 {
		return fmt.Errorf("%s is missing", name)
	}
	return drops(string(raw), name, into)
}

// drops reads an amount of XRP as nodes write it: a decimal string of drops.
func drops(s, name string, into *int64) error {
	if s == "" {
		return fmt.Errorf("%s is missing", name)
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n > maxDrops {
		return fmt.Errorf("%s is no amount of drops: %s", name, excerpt([]byte(s)))
	}
	*into = int64(n)
	return nil
}

// count reads a decimal string of 32 bits, as `fee` writes its sizes.
func count(s, name string, into *uint32) error {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return fmt.Errorf("%s is no count: %s", name, excerpt([]byte(s)))
	}
	*into = uint32(n)
	return nil
}

// xrpToDrops reads a JSON number of XRP, such as 1e-05, without the rounding of floating point.
func xrpToDrops(raw json.RawMessage, name string, into *int64) error {
	s := string(raw)
	mantissa, exponent, scaled := strings.Cut(strings.ToLower(s), "e")
	exp := 0
	if scaled {
		n, err := strconv.Atoi(exponent)
		if err != nil || n < -18 || n > 18 {
			return fmt.Errorf("%s is no amount of XRP: %s", name, excerpt(raw))
		}
		exp = n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	exp += 6 - len(fraction)
	for ; exp < 0 && strings.HasSuffix(digits, "0"); exp++ {
		digits = digits[:len(digits)-1]
	}
	if exp < 0 || exp > 24 || len(digits) > 30 {
		return fmt.Errorf("%s is no whole number of drops: %s", name, excerpt(raw))
	}
	digits = strings.TrimLeft(digits+strings.Repeat("0", exp), "0")
	if digits == "" && whole != "" {
		digits = "0"
	}
	return drops(digits, name, into)
}

// hash256 checks a hash in the form that nodes write: 64 hex digits in upper case.
func hash256(s, name string) error {
	if len(s) != 64 {
		return fmt.Errorf("%s is no hash: %q", name, excerpt([]byte(s)))
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return fmt.Errorf("%s is no hash: %q", name, excerpt([]byte(s)))
		}
	}
	return nil
}
