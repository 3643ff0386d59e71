package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/xrplissuer/credential-issuer/hexutil"
	"github.com/xrplissuer/credential-issuer/model"
)

// listed is a pending credential for programs: the fields of the service's list, and the issuer.
type listed struct {
	Issuer     model.Address `json:"issuer"`
	Subject    model.Address `json:"subject"`
	Credential string        `json:"credential"`
	Accepted   bool          `json:"accepted"`
	URI        string        `json:"uri,omitempty"`
	Expiration string        `json:"expiration,omitempty"`
	Expired    bool          `json:"expired,omitempty"`
}

func newListed(c model.Credential, closeTime uint32) listed {
	l := listed{Issuer: c.Issuer, Subject: c.Subject, Credential: c.Type.Text(), Accepted: c.Accepted, Expired: c.Expired(closeTime)}
	if c.URI != "" {
		l.URI = hexutil.DisplayRaw(c.URI)
	}
	if c.HasExpiration() {
		l.Expiration = model.FormatTime(c.Expiration)
	}
	return l
}

// printAccepted writes one validated result. For programs it is the transaction as the service answers it, one object
// a line; for people the transaction as it was sent, and below it what became of it.
func printAccepted(w io.Writer, asJSON bool, c model.Credential, v model.Validated) error {
	body := ascii(v.Body)
	if asJSON {
		var line bytes.Buffer
		if err := json.Compact(&line, body); err != nil {
			return fmt.Errorf("the validated transaction cannot be shown: %w", err)
		}
		_, err := fmt.Fprintf(w, "%s\n", line.Bytes())
		return err
	}
	var parts struct {
		Tx        json.RawMessage `json:"tx_json"`
		CloseTime string          `json:"close_time_iso"`
	}
	if err := json.Unmarshal(body, &parts); err != nil {
		return fmt.Errorf("the validated transaction cannot be shown: %w", err)
	}
	var tx bytes.Buffer
	if err := json.Indent(&tx, parts.Tx, "", "  "); err != nil {
		return fmt.Errorf("the validated transaction cannot be shown: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Transaction:\n%s\n", tx.Bytes())
	fmt.Fprintf(&b, "Accepted %s issued by %s.\n", quote(c.Type), c.Issuer)
	b.WriteString(settled{v.EngineResult, v.EngineResultMessage, v.Hash, v.CTID, v.LedgerIndex, parts.CloseTime}.String())
	_, err := io.WriteString(w, b.String())
	return err
}

// settled is what became of a transaction, as the service and nodes tell it.
type settled struct {
	Result    string `json:"engine_result"`
	Message   string `json:"engine_result_message"`
	Hash      string `json:"hash"`
	CTID      string `json:"ctid"`
	Ledger    uint32 `json:"ledger_index"`
	CloseTime string `json:"close_time_iso"`
}

// String is for people: a line for each.
func (s settled) String() string {
	return fmt.Sprintf("    result  %s: %s\n    hash    %s\n    ctid    %s\n    ledger  %d, validated, closed %s\n",
		printable(s.Result), printable(s.Message), printable(s.Hash), printable(s.CTID), s.Ledger, printable(s.CloseTime))
}

// forPrograms prints a failure, where programs read what is printed and nothing was said of it yet.
func forPrograms(asJSON bool, out io.Writer, err error) error {
	var said errSaid
	if err == nil || !asJSON || exitStatus(err) == 2 || errors.As(err, &said) {
		return err
	}
	var no *errAnswer
	if errors.As(err, &no) {
		return errors.Join(err, printJSON(out, no.body))
	}
	return errors.Join(err, printFailed(out, nil, err))
}

// hinted adds to an error what to do about it.
func hinted(err error, hint string) error {
	var e *model.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%w%s", err, hint)
	}
	more := *e
	more.Message = strings.TrimSuffix(e.Message, ".") + hint
	return &more
}

// shellWord writes text as one word of a command line.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// printFailed writes an error for programs, in the form of the service's errors; c says of which credential, where the
// choice was not one alone. For people the error goes to standard error.
func printFailed(w io.Writer, c *model.Credential, err error) error {
	out := map[string]json.RawMessage{} // as the node wrote them: no number is rounded
	code, message := model.CodeInternal, told(err)
	var e *model.Error
	if errors.As(err, &e) {
		code = e.Code
		if e.Tx != nil && len(e.Tx.Body) > 0 {
			if err := json.Unmarshal(e.Tx.Body, &out); err != nil {
				return err
			}
		}
	}
	own := map[string]any{"error": code, "error_message": message}
	if e != nil && e.Pending != nil {
		own["hash"], own["last_ledger_sequence"] = e.Pending.Hash, e.Pending.LastLedgerSequence
	}
	if c != nil {
		own["credential"], own["issuer"] = c.Type.Text(), c.Issuer
	}
	for name, value := range own {
		raw, err := json.Marshal(value)
		if err != nil {
			return err
		}
		out[name] = raw
	}
	body, err := json.Marshal(out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", ascii(body))
	return err
}

// told is an error in words for the holder: what was wrong, and what to change.
func told(err error) string {
	var e *model.Error
	if !errors.As(err, &e) {
		return printable(err.Error())
	}
	text := e.Message
	switch {
	case e.Code == model.CodeInsufficientReserve && e.Tx != nil:
		text = "the account's balance is too low: accepting a credential moves its reserve (0.2 XRP on the main network) from the issuer to you, and that much must be free beside what your account reserves already. Send it some XRP and try again"
	case e.Code == model.CodeExpired && e.Tx != nil:
		text = "the credential had expired: the ledger deleted it instead. Ask its issuer for a new one"
	case text == "":
		text = string(e.Code)
	}
	if e.Pending != nil {
		text += fmt.Sprintf(". Before you try again, look with --list whether it still waits: transaction %s may be validated up to ledger %d", e.Pending.Hash, e.Pending.LastLedgerSequence)
	}
	if e.Tx != nil {
		text += fmt.Sprintf(" (%s, transaction %s)", e.Tx.EngineResult, e.Tx.Hash)
	}
	return printable(text)
}

// printable replaces every byte of s that could act on a terminal. What comes from a node is never trusted to be text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || 0x20 <= r && r <= 0x7E {
			return r
		}
		return '?'
	}, s)
}

// ascii writes a JSON text with every character outside printable ASCII escaped: the same value, and nothing in it can
// act on a terminal.
func ascii(body []byte) []byte {
	out := make([]byte, 0, len(body))
	for len(body) > 0 {
		r, size := utf8.DecodeRune(body)
		switch {
		case 0x20 <= r && r <= 0x7E || r == '\n' || r == '\t' || r == '\r':
			out = append(out, body[0])
		case r > 0xFFFF:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		body = body[size:]
	}
	return out
}
