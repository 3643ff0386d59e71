package programs

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

const (
	// callTime bounds every question to the ledger, and startTime how long it takes to answer the first one.
	callTime, startTime = 40 * time.Second, 30 * time.Second
	// PageLimit is how many entries a page of a list has at most.
	PageLimit = 400
)

// Node is the embedded ledger, a process of its own, asked over JSON-RPC.
type Node struct {
	Process *Process
	Address string
	client  http.Client
}

// StartNode runs the embedded ledger on an address, with its log in a folder, and waits until it answers. A ledger that does
// not start is returned with the error, to be closed.
func StartNode(ctx context.Context, program, dir, address string, args ...string) (*Node, error) {
	n := &Node{Address: address}
	n.client.Transport = &http.Transport{MaxIdleConnsPerHost: 32}
	var err error
	if n.Process, err = Start("sandbox", program, dir, nil, append([]string{"--listen", address}, args...)...); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		var info json.RawMessage
		if err = n.Call(ctx, "server_info", nil, &info); err == nil {
			return n, nil
		}
		if ctx.Err() != nil || !n.Process.Alive() {
			return n, fmt.Errorf("the ledger does not start: %w %s", err, n.Process.Said())
		}
		Sleep(ctx, 20*time.Millisecond)
	}
}

// CloseIdle closes the connections to it that nothing uses.
func (n *Node) CloseIdle() { n.client.CloseIdleConnections() }

// post sends a body and decodes the answer.
func (n *Node) post(ctx context.Context, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.Address+path, bytes.NewReader(text))
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

// Call asks for a method. The answer's result is decoded into answer.
func (n *Node) Call(ctx context.Context, method string, params map[string]any, answer any) error {
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

// Wallet is an account that the faucet made. The seed is empty where the account was named.
type Wallet struct{ Address, Seed string }

// Fund pays XRP to an account, which makes it where it is not there, or to a new one where none is named.
func (n *Node) Fund(ctx context.Context, to string, xrp int) (Wallet, error) {
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
		return Wallet{}, fmt.Errorf("the faucet: %w", err)
	}
	return Wallet{r.Account.Address, r.Seed}, nil
}

// Entry is a credential of one issuer, as the ledger names it.
type Entry struct{ Subject, Type string } // Type is upper-case hex

// Credentials reads the whole list of what an account has issued, from one validated ledger, and how often each stands in it.
func (n *Node) Credentials(ctx context.Context, issuer string) (map[Entry]int, error) {
	all := map[Entry]int{}
	params := map[string]any{"account": issuer, "type": "credential", "ledger_index": "validated", "limit": PageLimit, "api_version": 2}
	for {
		var page struct {
			Ledger    uint32                                             `json:"ledger_index"`
			Validated bool                                               `json:"validated"`
			Objects   []struct{ Issuer, Subject, CredentialType string } `json:"account_objects"`
			Marker    json.RawMessage                                    `json:"marker"`
		}
		if err := n.Call(ctx, "account_objects", params, &page); err != nil {
			return nil, err
		}
		if !page.Validated || page.Ledger == 0 {
			return nil, errors.New("account_objects is of no validated ledger")
		}
		for _, o := range page.Objects {
			if o.Issuer == issuer {
				all[Entry{o.Subject, o.CredentialType}]++
			}
		}
		if page.Marker == nil {
			return all, nil
		}
		params["marker"], params["ledger_index"] = page.Marker, page.Ledger
	}
}
