package ledger

import (
	"context"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/xrplissuer/credential-issuer/model"
)

// header is a ledger's header with a verified hash.
type header struct {
	model.Ledger        // without its fees
	parent       string // the hash of the ledger before
}

// headerBy reads the header of a validated ledger that "ledger_hash" or "ledger_index" names, and verifies that its hash is the
// header's.
func (c *Client) headerBy(ctx context.Context, field string, value any) (header, error) {
	var h header
	err := c.call(ctx, "ledger", map[string]any{field: value}, func(raw json.RawMessage) (err error) {
		h, err = decodeHeader(raw)
		return err
	})
	return h, err
}

// headerOf reads the header of a validated ledger of which the index is known too. A server that does not find it by its hash is
// asked by its index at once; the hash is verified either way. Where it has neither, it is asked again within [Config.LagWait].
func (c *Client) headerOf(ctx context.Context, index uint32, hash string) (header, error) {
	var h header
	err := c.askAt(ctx, index, func() (err error) {
		if h, err = c.headerBy(ctx, "ledger_hash", hash); !missing(err) {
			return err
		}
		byHash := err
		if h, err = c.headerBy(ctx, "ledger_index", index); err == nil && h.Hash != hash {
			return byHash // another ledger has that index there
		}
		return err
	})
	if err == nil && h.Hash != hash {
		return header{}, &AnswerError{Method: "ledger", Reason: fmt.Sprintf("it is about ledger %s, not %s", h.Hash, hash)}
	}
	return h, err
}

// decodeHeader reads an answer to `ledger`. Its header must have the hash that the answer states.
func decodeHeader(raw json.RawMessage) (header, error) {
	var a struct {
		Ledger struct {
			Index       json.RawMessage `json:"ledger_index"`
			Coins       string          `json:"total_coins"`
			Parent      string          `json:"parent_hash"`
			Txs         string          `json:"transaction_hash"`
			State       string          `json:"account_hash"`
			ParentClose json.RawMessage `json:"parent_close_time"`
			Close       json.RawMessage `json:"close_time"`
			Resolution  json.RawMessage `json:"close_time_resolution"`
			Flags       json.RawMessage `json:"close_flags"`
		} `json:"ledger"`
	}
	var l model.Ledger
	if err := errors.Join(decodeLedger(raw, &l), json.Unmarshal(raw, &a)); err != nil {
		return header{}, err
	}
	v := a.Ledger
	var index, parentClose, closed, resolution, flags uint32
	coins, err := strconv.ParseUint(v.Coins, 10, 64)
	if err != nil {
		err = errors.New("total_coins is no amount of drops")
	}
	err = errors.Join(err,
		number(unquoted(v.Index), "ledger_index", &index),
		number(v.ParentClose, "parent_close_time", &parentClose),
		number(v.Close, "close_time", &closed),
		number(v.Resolution, "close_time_resolution", &resolution),
		number(v.Flags, "close_flags", &flags),
		hash256(v.Parent, "parent_hash"), hash256(v.Txs, "transaction_hash"), hash256(v.State, "account_hash"))
	if err == nil && max(resolution, flags) > 255 {
		err = errors.New("close_time_resolution or close_flags is above 255")
	}
	if err != nil {
		return header{}, err
	}
	// rippled: LedgerHeader.cpp, calculateLedgerHash; HashPrefix::ledgerMaster.
	b := binary.BigEndian.AppendUint32([]byte("LWR\x00"), index)
	b = binary.BigEndian.AppendUint64(b, coins)
	for _, hash := range []string{v.Parent, v.Txs, v.State} {
		b, _ = hex.AppendDecode(b, []byte(hash)) // hash256 has checked it
	}
	b = binary.BigEndian.AppendUint32(b, parentClose)
	b = binary.BigEndian.AppendUint32(b, closed)
	b = append(b, byte(resolution), byte(flags))
	sum := sha512.Sum512(b)
	if computed := strings.ToUpper(hex.EncodeToString(sum[:32])); computed != l.Hash || index != l.Index {
		return header{}, fmt.Errorf("ledger %d has the hash %s, and its header %s", l.Index, l.Hash, computed)
	}
	return header{Ledger: l, parent: v.Parent}, nil
}

// unquoted takes a number out of a string: version 1 of the API writes ledger_index so, and Clio in every version.
func unquoted(raw json.RawMessage) json.RawMessage {
	if n := len(raw); n > 2 && raw[0] == '"' && raw[n-1] == '"' {
		return raw[1 : n-1]
	}
	return raw
}
