package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// used says which ledgers the transactions of a run went into.
type used struct {
	closes int   // from the ledger after the run began to the last one with a transaction
	sizes  []int // transactions in each of these
}

func (u used) String() string {
	texts := make([]string, len(u.sizes))
	for i, n := range u.sizes {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, " ")
}

// ledgersUsed reads the ledgers after one.
func (n *node) ledgersUsed(ctx context.Context, after uint32) (used, error) {
	last, err := validatedIndex(ctx, n)
	if err != nil {
		return used{}, err
	}
	var sizes []int
	for i := after + 1; i <= last; i++ {
		raw, err := n.call(ctx, "ledger", map[string]any{"ledger_index": i, "transactions": true})
		if err != nil {
			return used{}, err
		}
		var r struct {
			Ledger struct {
				Transactions []string `json:"transactions"`
			} `json:"ledger"`
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			return used{}, fmt.Errorf("ledger %d: %w", i, err)
		}
		sizes = append(sizes, len(r.Ledger.Transactions))
	}
	for len(sizes) > 0 && sizes[len(sizes)-1] == 0 {
		sizes = sizes[:len(sizes)-1]
	}
	return used{len(sizes), slices.Clone(sizes)}, nil
}

func validatedIndex(ctx context.Context, n *node) (uint32, error) {
	raw, err := n.call(ctx, "ledger", map[string]any{"ledger_index": "validated"})
	if err != nil {
		return 0, err
	}
	var r struct {
		Index uint32 `json:"ledger_index"`
	}
	err = json.Unmarshal(raw, &r)
	return r.Index, err
}
