package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// node is the embedded ledger, asked over JSON-RPC and past all bad weather: what this program asks it during the faults
// is what the weather leaves alone, and the rest is asked when it is clear.
type node struct {
	process *process
	address string
	client  http.Client
}

type wallet struct{ address, seed string }

// post sends a body and decodes the answer.
func (n *node) post(ctx context.Context, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
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

// call asks for a method. The answer's result is decoded into answer.
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

// fund makes an account, or pays to one.
func (n *node) fund(ctx context.Context, to string, xrp int) (wallet, error) {
	body := map[string]any{"xrpAmount": xrp}
	if to != "" {
		body["destination"] = to
	}
	var r struct {
		Account struct {
			Address string `json:"classicAddress"`
		} `json:"account"`
		Seed string `json:"seed"`
	}
	if err := n.post(ctx, "/accounts", body, &r); err != nil {
		return wallet{}, fmt.Errorf("the faucet: %w", err)
	}
	return wallet{r.Account.Address, r.Seed}, nil
}

// forecast is what sandbox_weather tells.
type forecast struct {
	Weather string `json:"weather"`
	Faults  map[string]struct {
		Done int `json:"done"`
	} `json:"faults"`
	Behind    bool   `json:"behind"`
	Validated uint32 `json:"validated_ledger_index"`
}

// weather changes the weather where a spec is given, and tells it.
func (n *node) weather(ctx context.Context, spec string, seed uint64) (forecast, error) {
	params := map[string]any{}
	if spec != "" {
		params["set"], params["seed"] = spec, fmt.Sprint(seed)
	}
	var f forecast
	err := n.call(ctx, "sandbox_weather", params, &f)
	return f, err
}

// pass waits until the ledgers up to index are validated and the node shows what it knows.
func (n *node) pass(ctx context.Context, index uint32) error {
	for {
		f, err := n.weather(ctx, "", 0)
		if err == nil && f.Validated > index && !f.Behind {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(fmt.Errorf("waiting for ledger %d", index), err, ctx.Err())
		}
		sleep(ctx, 50*time.Millisecond)
	}
}

// entry is a credential: as the ledger names it.
type entry struct{ subject, typ string } // typ is upper-case hex

// transaction is one of the issuing account in a validated ledger.
type transaction struct {
	hash, kind, result string
	entry              entry
	ledger             uint32
}

const pageLimit = 400

// credentials reads the whole list of what an account has issued, from one ledger.
func (n *node) credentials(ctx context.Context, issuer string) (map[entry]int, error) {
	all := map[entry]int{}
	params := map[string]any{"account": issuer, "type": "credential", "ledger_index": "validated", "limit": pageLimit, "api_version": 2}
	for {
		var page struct {
			Ledger    uint32                                             `json:"ledger_index"`
			Validated bool                                               `json:"validated"`
			Objects   []struct{ Issuer, Subject, CredentialType string } `json:"account_objects"`
			Marker    json.RawMessage                                    `json:"marker"`
		}
		if err := n.call(ctx, "account_objects", params, &page); err != nil {
			return nil, err
		}
		if !page.Validated || page.Ledger == 0 {
			return nil, errors.New("account_objects is of no validated ledger")
		}
		for _, o := range page.Objects {
			if o.Issuer == issuer {
				all[entry{o.Subject, o.CredentialType}]++
			}
		}
		if page.Marker == nil {
			return all, nil
		}
		params["marker"], params["ledger_index"] = page.Marker, page.Ledger
	}
}

// history reads all that an account has ever sent, in validated ledgers.
func (n *node) history(ctx context.Context, account string) ([]transaction, error) {
	var all []transaction
	params := map[string]any{"account": account, "ledger_index_min": -1, "ledger_index_max": -1, "forward": true, "limit": pageLimit, "api_version": 2}
	for {
		var page struct {
			Transactions []struct {
				Hash      string `json:"hash"`
				Ledger    uint32 `json:"ledger_index"`
				Validated bool   `json:"validated"`
				Meta      struct{ TransactionResult string }
				Tx        struct {
					Account, TransactionType, Subject, CredentialType string
				} `json:"tx_json"`
			} `json:"transactions"`
			Marker json.RawMessage `json:"marker"`
		}
		if err := n.call(ctx, "account_tx", params, &page); err != nil {
			return nil, err
		}
		for _, t := range page.Transactions {
			if t.Tx.Account == account && t.Validated {
				all = append(all, transaction{t.Hash, t.Tx.TransactionType, t.Meta.TransactionResult, entry{t.Tx.Subject, t.Tx.CredentialType}, t.Ledger})
			}
		}
		if page.Marker == nil {
			return all, nil
		}
		params["marker"] = page.Marker
	}
}
