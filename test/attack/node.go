package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// node is the embedded ledger, a process of its own, asked over JSON-RPC.
type node struct {
	process *process
	address string
	client  http.Client
}

func (n *node) post(ctx context.Context, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.address+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := n.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the ledger answers %s: %.200s", resp.Status, raw)
	}
	return json.Unmarshal(raw, answer)
}

// call asks for a method; the answer's result is decoded into answer.
func (n *node) call(ctx context.Context, method string, params map[string]any, answer any) error {
	var envelope struct{ Result json.RawMessage }
	if err := n.post(ctx, "/", map[string]any{"method": method, "params": []any{params}}, &envelope); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	var fault struct {
		Error   string `json:"error"`
		Message string `json:"error_message"`
	}
	if err := json.Unmarshal(envelope.Result, &fault); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if fault.Error != "" {
		return fmt.Errorf("%s: %s: %s", method, fault.Error, fault.Message)
	}
	return json.Unmarshal(envelope.Result, answer)
}

// fund pays to an account, which that makes.
func (n *node) fund(ctx context.Context, to string, xrp int) error {
	var r json.RawMessage
	if err := n.post(ctx, "/accounts", map[string]any{"destination": to, "xrpAmount": xrp}, &r); err != nil {
		return fmt.Errorf("the faucet: %w", err)
	}
	return nil
}

// holding is what a validated ledger says of an issuer: how many transactions it has ever sent, by its Sequence, and
// how many credentials of its stand.
type holding struct {
	sequence    int64
	credentials int
}

func (n *node) holding(ctx context.Context, account string) (holding, error) {
	var info struct {
		Validated bool                     `json:"validated"`
		Data      struct{ Sequence int64 } `json:"account_data"`
	}
	if err := n.call(ctx, "account_info", map[string]any{"account": account, "ledger_index": "validated"}, &info); err != nil {
		return holding{}, err
	}
	if !info.Validated || info.Data.Sequence == 0 {
		return holding{}, fmt.Errorf("account_info is of no validated ledger")
	}
	h := holding{sequence: info.Data.Sequence}
	params := map[string]any{"account": account, "type": "credential", "ledger_index": "validated", "limit": 400}
	for {
		var page struct {
			Objects []struct{ Issuer string } `json:"account_objects"`
			Ledger  int64                     `json:"ledger_index"`
			Marker  json.RawMessage           `json:"marker"`
		}
		if err := n.call(ctx, "account_objects", params, &page); err != nil {
			return holding{}, err
		}
		for _, o := range page.Objects {
			if o.Issuer == account {
				h.credentials++
			}
		}
		if page.Marker == nil {
			return h, nil
		}
		params["marker"], params["ledger_index"] = page.Marker, page.Ledger
	}
}
