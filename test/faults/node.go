package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// node is the embedded ledger, asked past all bad weather: what this program asks it during the faults is what the weather
// leaves alone, and the rest is asked when it is clear.
type node struct{ *programs.Node }

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
	err := n.Call(ctx, "sandbox_weather", params, &f)
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
		programs.Sleep(ctx, 50*time.Millisecond)
	}
}

// transaction is one of the issuing account in a validated ledger.
type transaction struct {
	hash, kind, result string
	entry              programs.Entry
	ledger             uint32
}

// history reads all that an account has ever sent, in validated ledgers.
func (n *node) history(ctx context.Context, account string) ([]transaction, error) {
	var all []transaction
	params := map[string]any{"account": account, "ledger_index_min": -1, "ledger_index_max": -1, "forward": true, "limit": programs.PageLimit, "api_version": 2}
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
		if err := n.Call(ctx, "account_tx", params, &page); err != nil {
			return nil, err
		}
		for _, t := range page.Transactions {
			if t.Tx.Account == account && t.Validated {
				all = append(all, transaction{t.Hash, t.Tx.TransactionType, t.Meta.TransactionResult, programs.Entry{Subject: t.Tx.Subject, Type: t.Tx.CredentialType}, t.Ledger})
			}
		}
		if page.Marker == nil {
			return all, nil
		}
		params["marker"] = page.Marker
	}
}
