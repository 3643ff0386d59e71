package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/xrplissuer/credential-issuer/model"
)

// ServerInfo is what a node says of itself.
type ServerInfo struct {
	// NetworkID is 0 on the main network, and wherever the node names none.
	NetworkID uint32
	// State is rippled's server_state; "full", "validating" and "proposing" follow the network.
	State           string
	BuildVersion    string
	CompleteLedgers string // such as "2-17", "32570-91000000,91000007-91000123" or "empty"
	// Validated is the last validated ledger, without its close time. Its Index is 0 where the node has none yet.
	Validated model.Ledger

	nodeState nodeState
}

// ServerInfo asks what node this is.
func (c *Client) ServerInfo(ctx context.Context) (ServerInfo, error) {
	var s ServerInfo
	err := c.call(ctx, "server_info", nil, func(raw json.RawMessage) error { return decodeServerInfo(raw, &s) })
	return s, err
}

func decodeServerInfo(raw json.RawMessage, s *ServerInfo) error {
	var a struct {
		Info *struct {
			NetworkID       json.RawMessage `json:"network_id"`
			State           string          `json:"server_state"`
			Blocked         bool            `json:"amendment_blocked"`
			Warnings        []nodeWarning   `json:"warnings"`
			BuildVersion    string          `json:"build_version"`
			CompleteLedgers string          `json:"complete_ledgers"`
			Validated       *struct {
				Seq         json.RawMessage `json:"seq"`
				Hash        string          `json:"hash"`
				BaseFee     json.RawMessage `json:"base_fee_xrp"`
				ReserveBase json.RawMessage `json:"reserve_base_xrp"`
				ReserveInc  json.RawMessage `json:"reserve_inc_xrp"`
			} `json:"validated_ledger"`
		} `json:"info"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	if a.Info == nil || a.Info.CompleteLedgers == "" {
		return errors.New("info is missing")
	}
	*s = ServerInfo{State: a.Info.State, BuildVersion: a.Info.BuildVersion, CompleteLedgers: a.Info.CompleteLedgers,
		nodeState: newNodeState(a.Info.State, a.Info.Blocked, a.Info.Warnings)}
	if len(a.Info.NetworkID) > 0 {
		if err := number(a.Info.NetworkID, "network_id", &s.NetworkID); err != nil {
			return err
		}
	}
	v := a.Info.Validated
	if v == nil {
		return nil
	}
	s.Validated.Hash = v.Hash
	return errors.Join(
		number(v.Seq, "seq", &s.Validated.Index),
		hash256(v.Hash, "hash"),
		xrpToDrops(v.BaseFee, "base_fee_xrp", &s.Validated.BaseFee),
		xrpToDrops(v.ReserveBase, "reserve_base_xrp", &s.Validated.ReserveBase),
		xrpToDrops(v.ReserveInc, "reserve_inc_xrp", &s.Validated.ReserveIncrement),
	)
}

// errNoValidated is a node that has no validated ledger (yet).
var errNoValidated = errors.New("the node has no validated ledger: it does not follow its network")

// asker is a request with its answer decoded: [Client.call], or a link's.
type asker func(ctx context.Context, method string, params map[string]any, decode func(json.RawMessage) error) error

// askOnce asks by one call, as what is asked for at intervals is: it comes again by itself.
func askOnce(call func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error)) asker {
	return func(ctx context.Context, method string, params map[string]any, decode func(json.RawMessage) error) error {
		body, err := encodeParams(params)
		if err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		raw, err := call(ctx, method, body)
		if err != nil {
			return err
		}
		if err := decode(raw); err != nil {
			return &AnswerError{Method: method, Reason: "unusable", Cause: err}
		}
		return nil
	}
}

// validatedLedger asks for the last validated ledger with what things cost in it, and whether the node is in sync.
// `server_state` has all of it, in whole numbers; a server without that method is asked for the ledger and for
// `server_info`. What the node says of itself is kept in h.
func validatedLedger(ctx context.Context, ask asker, h *health) (model.Ledger, error) {
	var l model.Ledger
	var s nodeState
	noLedger := error(nil)
	err := ask(ctx, "server_state", nil, func(raw json.RawMessage) error {
		err := decodeServerState(raw, &l, &s)
		if errors.Is(err, errNoValidated) { // what the node says of itself explains it
			noLedger, err = &AnswerError{Method: "server_state", Reason: "unusable", Cause: err}, nil
		}
		return err
	})
	var node *NodeError
	if !errors.As(err, &node) || !node.withheld() {
		if err == nil {
			err = cmp.Or(h.report(s, "server_state"), noLedger)
		}
		return l, err
	}
	var info ServerInfo
	if err := ask(ctx, "server_info", nil, func(raw json.RawMessage) error { return decodeServerInfo(raw, &info) }); err != nil {
		return model.Ledger{}, err
	}
	if err := h.report(info.nodeState, "server_info"); err != nil {
		return model.Ledger{}, err
	}
	if err := ask(ctx, "ledger", map[string]any{"ledger_index": validatedIndex}, func(raw json.RawMessage) error { return decodeLedger(raw, &l) }); err != nil {
		return model.Ledger{}, err
	}
	l.BaseFee, l.ReserveBase, l.ReserveIncrement = info.Validated.BaseFee, info.Validated.ReserveBase, info.Validated.ReserveIncrement
	return l, nil
}

func decodeLedger(raw json.RawMessage, l *model.Ledger) error {
	var a struct {
		Index     json.RawMessage `json:"ledger_index"`
		Hash      string          `json:"ledger_hash"`
		Validated bool            `json:"validated"`
		Ledger    struct {
			CloseTime json.RawMessage `json:"close_time"`
		} `json:"ledger"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	if !a.Validated {
		return errors.New("it is not from a validated ledger")
	}
	*l = model.Ledger{Hash: a.Hash}
	err := errors.Join(
		number(a.Index, "ledger_index", &l.Index),
		hash256(a.Hash, "ledger_hash"),
		number(a.Ledger.CloseTime, "close_time", &l.CloseTime),
	)
	if err == nil && l.Index == 0 {
		return errNoValidated
	}
	return err
}

func decodeServerState(raw json.RawMessage, l *model.Ledger, s *nodeState) error {
	var a struct {
		State *struct {
			State     string        `json:"server_state"`
			Blocked   bool          `json:"amendment_blocked"`
			Warnings  []nodeWarning `json:"warnings"`
			Validated *struct {
				Seq         json.RawMessage `json:"seq"`
				Hash        string          `json:"hash"`
				CloseTime   json.RawMessage `json:"close_time"`
				BaseFee     json.RawMessage `json:"base_fee"`
				ReserveBase json.RawMessage `json:"reserve_base"`
				ReserveInc  json.RawMessage `json:"reserve_inc"`
			} `json:"validated_ledger"`
		} `json:"state"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	if a.State == nil {
		return errors.New("state is missing")
	}
	*s = newNodeState(a.State.State, a.State.Blocked, a.State.Warnings)
	v := a.State.Validated
	if v == nil {
		return errNoValidated
	}
	*l = model.Ledger{Hash: v.Hash}
	err := errors.Join(
		number(v.Seq, "seq", &l.Index),
		hash256(v.Hash, "hash"),
		number(v.CloseTime, "close_time", &l.CloseTime),
		wholeDrops(v.BaseFee, "base_fee", &l.BaseFee),
		wholeDrops(v.ReserveBase, "reserve_base", &l.ReserveBase),
		wholeDrops(v.ReserveInc, "reserve_inc", &l.ReserveIncrement),
	)
	if err == nil && l.Index == 0 {
		return errNoValidated
	}
	return err
}

// Ledger returns the last validated ledger, as the node has it no earlier than when it is asked for. Where the node does
// not answer, is not in sync, is amendment blocked or shows a ledger past [Config.MaxLedgerAge], the error is a
// [model.Error] with [model.CodeLedgerUnavailable].
func (c *Client) Ledger(ctx context.Context) (model.Ledger, error) {
	l, err := c.askLedger(ctx)
	if err != nil {
		return model.Ledger{}, unavailable("reading the validated ledger", err)
	}
	return l, nil
}

// Fee is what it costs at the moment to get into the open ledger, and how full that is.
type Fee struct {
	// Base is the reference cost, and OpenLedger what gets a transaction into the open ledger at once, in drops.
	Base, OpenLedger int64
	// Expected is the soft limit: how many transactions fit into a ledger before its cost rises. Current is how many
	// are in the open one, and Queued how many wait for a later one.
	Expected, Current, Queued uint32
}

// Fee asks for the present cost.
func (c *Client) Fee(ctx context.Context) (Fee, error) {
	var f Fee
	err := c.call(ctx, "fee", nil, func(raw json.RawMessage) error { return decodeFee(raw, &f) })
	return f, err
}

func decodeFee(raw json.RawMessage, f *Fee) error {
	var a struct {
		Drops struct {
			Base       string `json:"base_fee"`
			OpenLedger string `json:"open_ledger_fee"`
		} `json:"drops"`
		Expected string `json:"expected_ledger_size"`
		Current  string `json:"current_ledger_size"`
		Queued   string `json:"current_queue_size"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	return errors.Join(
		drops(a.Drops.Base, "base_fee", &f.Base),
		drops(a.Drops.OpenLedger, "open_ledger_fee", &f.OpenLedger),
		count(a.Expected, "expected_ledger_size", &f.Expected),
		count(a.Current, "current_ledger_size", &f.Current),
		count(a.Queued, "current_queue_size", &f.Queued),
	)
}

// Which ledger a question is about.
const (
	validatedIndex = "validated"
	currentIndex   = "current"
)

// AccountInfo is an account's root entry.
type AccountInfo struct {
	model.Account
	Flags uint32
	// RegularKey is the address of a second key that signs for the account; empty where none is set.
	RegularKey model.Address
	// LedgerIndex is the ledger that this was read from.
	LedgerIndex uint32
}

// MasterDisabled says whether the account's own key does not sign for it any more (lsfDisableMaster).
func (a AccountInfo) MasterDisabled() bool { return a.Flags&0x0010_0000 != 0 }

// AccountInfo reads an account from the last validated ledger. Where there is none, the error is a [NodeError] with
// code actNotFound.
func (c *Client) AccountInfo(ctx context.Context, account model.Address) (AccountInfo, error) {
	return c.accountInfo(ctx, account, validatedIndex)
}

func (c *Client) accountInfo(ctx context.Context, account model.Address, ledger string) (AccountInfo, error) {
	var info AccountInfo
	err := c.call(ctx, "account_info", map[string]any{"account": account, "ledger_index": ledger},
		func(raw json.RawMessage) error { return decodeAccountInfo(raw, account, ledger, &info) })
	if err == nil && ledger == validatedIndex {
		if err = c.reached(ctx, info.LedgerIndex); err == nil {
			c.hub.saw(info.LedgerIndex)
		}
	}
	return info, err
}

func decodeAccountInfo(raw json.RawMessage, account model.Address, ledger string, info *AccountInfo) error {
	var a struct {
		Data                      json.RawMessage
		Validated                 bool
		LedgerIndex, CurrentIndex json.RawMessage
	}
	err := scanObject(raw, member{"account_data", &a.Data}, member{"validated", &a.Validated},
		member{"ledger_index", &a.LedgerIndex}, member{"ledger_current_index", &a.CurrentIndex})
	if err != nil {
		return err
	}
	if isNull(a.Data) {
		return errors.New("account_data is missing")
	}
	var data struct {
		Account                     model.Address
		Balance, RegularKey         string
		Flags, OwnerCount, Sequence json.RawMessage
	}
	err = scanObject(a.Data, member{"Account", &data.Account}, member{"Balance", &data.Balance}, member{"RegularKey", &data.RegularKey},
		member{"Flags", &data.Flags}, member{"OwnerCount", &data.OwnerCount}, member{"Sequence", &data.Sequence})
	if err != nil {
		return err
	}
	if data.Account != account {
		return fmt.Errorf("it is about another account, %q", excerpt([]byte(data.Account)))
	}
	*info = AccountInfo{Account: model.Account{Address: account}}
	err = errors.Join(
		drops(data.Balance, "Balance", &info.Balance),
		number(data.Flags, "Flags", &info.Flags),
		number(data.OwnerCount, "OwnerCount", &info.OwnerCount),
		number(data.Sequence, "Sequence", &info.Sequence),
	)
	if err == nil && info.Sequence == 0 {
		err = errors.New("the account has Sequence 0")
	}
	if data.RegularKey != "" {
		key, keyErr := model.ParseAddress(data.RegularKey)
		if keyErr != nil {
			err = errors.Join(err, fmt.Errorf("RegularKey %w", keyErr))
		}
		info.RegularKey = key
	}
	if ledger == validatedIndex {
		if !a.Validated {
			err = errors.Join(err, errors.New("it is not from a validated ledger"))
		}
		return errors.Join(err, number(a.LedgerIndex, "ledger_index", &info.LedgerIndex))
	}
	if len(a.CurrentIndex) == 0 { // a server without an open ledger of its own answers from its last closed one
		return errors.Join(err, number(a.LedgerIndex, "ledger_index", &info.LedgerIndex))
	}
	return errors.Join(err, number(a.CurrentIndex, "ledger_current_index", &info.LedgerIndex))
}

// Account returns an account as it stands in the last validated ledger. Where there is none, the error is a
// [model.Error] with [model.CodeAccountNotFound]; where no node answers, with [model.CodeLedgerUnavailable].
func (c *Client) Account(ctx context.Context, account model.Address) (model.Account, error) {
	err := c.checkCurrent(ctx)
	var info AccountInfo
	if err == nil {
		info, err = c.AccountInfo(ctx, account)
	}
	if err != nil {
		return model.Account{}, c.accountError("reading an account", account, err)
	}
	return info.Account, nil
}

func (c *Client) accountError(doing string, account model.Address, err error) error {
	var node *NodeError
	if errors.As(err, &node) && node.Code == "actNotFound" {
		return &model.Error{Code: model.CodeAccountNotFound,
			Message: fmt.Sprintf("the account %s is not on the ledger yet: it comes into being when it first receives XRP", account), Cause: err}
	}
	return unavailable(doing, err)
}

// TxStatus is what a node knows of a transaction.
type TxStatus struct {
	// Tx is set when the transaction stands in a validated ledger.
	Tx *Transaction
	// Absent says that it stands in none of the ledgers asked about: the node has searched all of them.
	Absent bool
}

// Tx looks for a transaction by its hash in the ledgers from first to last. The zero TxStatus says that this node
// cannot tell: it does not hold all of them, or holds the transaction as a candidate for a coming one.
func (c *Client) Tx(ctx context.Context, hash string, first, last uint32) (TxStatus, error) {
	absent := true
	for first < last && last-first > txRange {
		status, err := c.txIn(ctx, hash, first, first+txRange)
		if err != nil || status.Tx != nil {
			return status, err
		}
		absent = absent && status.Absent
		first += txRange + 1
	}
	status, err := c.txIn(ctx, hash, first, last)
	status.Absent = status.Absent && absent
	return status, err
}

// txRange is by how much the last ledger that `tx` is asked about may be past the first (rippled: excessiveLgrRange).
const txRange = 1000

func (c *Client) txIn(ctx context.Context, hash string, first, last uint32) (TxStatus, error) {
	var status TxStatus
	err := c.call(ctx, "tx", map[string]any{"transaction": hash, "min_ledger": first, "max_ledger": last},
		func(raw json.RawMessage) error { return decodeTx(raw, hash, &status) })
	var node *NodeError
	if errors.As(err, &node) && node.Code == "txnNotFound" {
		return TxStatus{Absent: node.SearchedAll != nil && *node.SearchedAll}, nil
	}
	return status, err
}

func decodeTx(raw json.RawMessage, hash string, status *TxStatus) error {
	var a txAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	if a.Hash != hash {
		return fmt.Errorf("it is about another transaction, %q", excerpt([]byte(a.Hash)))
	}
	*status = TxStatus{}
	if a.Validated {
		status.Tx = a.transaction()
	}
	return nil
}

// accountTxPage is how many transactions one page of `account_tx` has; what public nodes grant at most.
const accountTxPage = 200

// AccountTx yields the transactions that concern account in the validated ledgers from first to last, oldest first. It
// is an error when the node does not hold all these ledgers, or lists one that is not validated: then what it has proves
// nothing.
func (c *Client) AccountTx(ctx context.Context, account model.Address, first, last uint32, yield func(*Transaction)) error {
	if last > math.MaxInt32 {
		return fmt.Errorf("account_tx takes no ledger %d", last)
	}
	params := map[string]any{"account": account, "ledger_index_min": first, "ledger_index_max": last, "forward": true, "limit": accountTxPage}
	guard := markerGuard{}
	size := 0 // of all pages, in bytes
	for {
		var page accountTxAnswer
		var pageSize int
		err := c.callAt(ctx, first, "account_tx", params, func(raw json.RawMessage) error {
			page, pageSize = accountTxAnswer{}, len(raw)
			return decodeAccountTx(raw, account, first, last, &page)
		})
		if err != nil {
			return err
		}
		if size += pageSize; size > maxHistoryBytes {
			return &AnswerError{Method: "account_tx", Reason: fmt.Sprintf("it has more than %d MiB for ledgers %d to %d", maxHistoryBytes>>20, first, last), Cause: errTooLong}
		}
		for i := range page.Transactions {
			yield(page.Transactions[i].transaction())
		}
		if isNull(page.Marker) {
			return nil
		}
		if err := guard.check(page.Marker); err != nil {
			return &AnswerError{Method: "account_tx", Reason: "unusable", Cause: err}
		}
		params["marker"] = page.Marker
	}
}

// heldRange says which validated ledgers the node searches for an account's transactions.
func (c *Client) heldRange(ctx context.Context, account model.Address) (first, last uint32, err error) {
	params := map[string]any{"account": account, "ledger_index_min": -1, "ledger_index_max": -1, "limit": 1}
	err = c.call(ctx, "account_tx", params, func(raw json.RawMessage) error {
		var page accountTxAnswer
		if err := json.Unmarshal(raw, &page); err != nil {
			return err
		}
		return errors.Join(number(page.First, "ledger_index_min", &first), number(page.Last, "ledger_index_max", &last))
	})
	return first, last, err
}

type accountTxAnswer struct {
	Account      model.Address   `json:"account"`
	First        json.RawMessage `json:"ledger_index_min"`
	Last         json.RawMessage `json:"ledger_index_max"`
	Marker       json.RawMessage `json:"marker"`
	Transactions []txAnswer      `json:"transactions"`
}

func decodeAccountTx(raw json.RawMessage, account model.Address, first, last uint32, page *accountTxAnswer) error {
	if err := json.Unmarshal(raw, page); err != nil {
		return err
	}
	if page.Account != account {
		return fmt.Errorf("it is about another account, %q", excerpt([]byte(page.Account)))
	}
	if page.Transactions == nil {
		return errors.New("transactions is missing")
	}
	var from, to uint32
	if err := errors.Join(number(page.First, "ledger_index_min", &from), number(page.Last, "ledger_index_max", &to)); err != nil {
		return err
	}
	if from > first || to < last {
		return &heldError{from, to, first, last}
	}
	for i := range page.Transactions {
		// It is in the ledgers that the node says to hold. Passed over, it would count as absent.
		if !page.Transactions[i].Validated {
			return errors.New("it lists a transaction that is not validated")
		}
	}
	return nil
}

// Submission is a node's provisional answer to a submitted transaction. Nothing in it is final.
type Submission struct {
	EngineResult        string
	EngineResultMessage string
	// OpenLedgerCost is what the next transaction has to pay to get into the open ledger, in drops; 0 where the
	// server does not say.
	OpenLedgerCost int64
}

const methodSubmit = "submit"

// Submit hands a signed transaction to the node once. Its outcome is decided by a validated ledger alone; where the
// error is a [ConnectionError] that was sent, the node may have it all the same.
func (c *Client) Submit(ctx context.Context, signed Signed) (Submission, error) {
	raw, err := c.callOnce(ctx, methodSubmit, submitParams(signed.Blob))
	if err != nil {
		return Submission{}, err
	}
	return decodeSubmit(raw, signed.Hash)
}

func submitParams(blob string) json.RawMessage {
	b := make([]byte, 0, len(blob)+40)
	b = append(b, `{"api_version":2,"tx_blob":"`...)
	b = append(b, blob...)
	return append(b, `"}`...)
}

func decodeSubmit(raw json.RawMessage, hash string) (Submission, error) {
	fail := func(err error) (Submission, error) {
		return Submission{}, &AnswerError{Method: "submit", Reason: "unusable", Cause: err}
	}
	var a struct {
		EngineResult, Message, OpenCost, Hash string
		TxJSON                                json.RawMessage
	}
	err := scanObject(raw, member{"engine_result", &a.EngineResult}, member{"engine_result_message", &a.Message},
		member{"open_ledger_cost", &a.OpenCost}, member{"hash", &a.Hash}, member{"tx_json", &a.TxJSON})
	if err == nil && a.Hash == "" && !isNull(a.TxJSON) {
		err = scanObject(a.TxJSON, member{"hash", &a.Hash})
	}
	if err != nil {
		return fail(err)
	}
	if a.Hash != hash {
		return fail(fmt.Errorf("it is about another transaction, %q", excerpt([]byte(a.Hash))))
	}
	if a.EngineResult == "" || len(a.EngineResult) > maxEngineResult {
		return fail(errors.New("engine_result is missing, or none"))
	}
	s := Submission{EngineResult: a.EngineResult, EngineResultMessage: excerpt([]byte(a.Message))}
	if a.OpenCost != "" {
		if err := drops(a.OpenCost, "open_ledger_cost", &s.OpenLedgerCost); err != nil {
			return fail(err)
		}
	}
	return s, nil
}

// Feature says whether an amendment is enabled, by its name. known is false where the node does not tell, as many
// public ones do not.
func (c *Client) Feature(ctx context.Context, name string) (enabled, known bool, err error) {
	err = c.call(ctx, "feature", map[string]any{"feature": name}, func(raw json.RawMessage) error {
		var features map[string]json.RawMessage
		if err := json.Unmarshal(raw, &features); err != nil {
			return err
		}
		for id, raw := range features {
			var f struct {
				Name    string `json:"name"`
				Enabled *bool  `json:"enabled"`
			}
			if hash256(id, "") == nil && json.Unmarshal(raw, &f) == nil && f.Name == name && f.Enabled != nil {
				enabled, known = *f.Enabled, true
				return nil
			}
		}
		return fmt.Errorf("it does not tell of %s", name)
	})
	var node *NodeError
	switch {
	case errors.As(err, &node) && node.Code == "badFeature": // a node too old to know of it
		return false, true, nil
	case errors.As(err, &node) && node.withheld():
		return false, false, nil
	}
	return enabled, known, err
}
