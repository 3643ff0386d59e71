package main

import (
	"context"
	"errors"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// node is the embedded ledger.
type node struct{ *programs.Node }

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
	if err := n.Call(ctx, "account_info", map[string]any{"account": account, "ledger_index": "validated"}, &info); err != nil {
		return holding{}, err
	}
	if !info.Validated || info.Data.Sequence == 0 {
		return holding{}, errors.New("account_info is of no validated ledger")
	}
	standing, err := n.Credentials(ctx, account)
	if err != nil {
		return holding{}, err
	}
	h := holding{sequence: info.Data.Sequence}
	for _, times := range standing {
		h.credentials += times
	}
	return h, nil
}
