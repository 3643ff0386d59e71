package ledger

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// blindness is what a node does not show, though it answers.
type blindness struct {
	searched string   // its word to `tx`: searched_all true or false
	list     string   // account_tx: "hole" leaves out, "refused" is an error, "unvalidated" contradicts itself, "" shows all
	entry    bool     // transaction_entry finds nothing
	hidden   []string // the hashes that it does not show
}

// blind has a proxy answer as a node with a hole in its history. calls gets the methods that are asked.
func blind(t *testing.T, p *proxy, b blindness, calls map[string]int) {
	t.Helper()
	hides := func(data string) bool {
		for _, hash := range b.hidden {
			if strings.Contains(data, hash) {
				return true
			}
		}
		return false
	}
	var mu sync.Mutex
	lists := map[any]bool{}
	p.filter(func(data []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		var req map[string]any
		if err := json.Unmarshal(data, &req); err != nil {
			t.Error(err)
		}
		method := req["command"].(string)
		calls[method]++
		switch {
		case method == "tx" && hides(string(data)):
			p.answer(refuse(req, "txnNotFound", `"searched_all":`+b.searched))
		case method == "transaction_entry" && b.entry && hides(string(data)):
			p.answer(refuse(req, "transactionNotFound", ""))
		case method == "account_tx" && b.list == "refused":
			p.answer(refuse(req, "lgrIdxMalformed", ""))
		default:
			lists[req["id"]] = method == "account_tx"
			return data
		}
		return nil
	}, func(data []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		var a map[string]any
		if json.Unmarshal(data, &a) != nil || !lists[a["id"]] || b.list == "" {
			return data
		}
		result, ok := a["result"].(map[string]any)
		if !ok {
			return data
		}
		all, _ := result["transactions"].([]any)
		kept := []any{}
		for _, tx := range all {
			text, _ := json.Marshal(tx)
			if hides(string(text)) {
				if b.list == "hole" {
					continue
				}
				tx.(map[string]any)["validated"] = false
			}
			kept = append(kept, tx)
		}
		result["transactions"] = kept
		out, _ := json.Marshal(a)
		return out
	})
}

// TestDecide has a transaction decided by what a node shows, however much of its history is missing.
func TestDecide(t *testing.T) {
	t.Parallel()
	const typ = model.CredentialType("Gold")
	makes, removes := model.CredentialCreate{Subject: testAlice, Type: typ}, model.CredentialDelete{Subject: testAlice, Type: typ}
	accept, other := model.CredentialAccept{Issuer: testIssuer, Type: typ}, noop{}
	nothing := blindness{searched: "true", list: "hole", entry: true}
	with := func(change func(*blindness)) blindness { b := nothing; change(&b); return b }
	for _, tt := range []struct {
		name   string
		before []model.Transaction // validated before the signing
		tx     model.Transaction
		sent   model.Transaction   // what uses its sequence; nil for nothing
		after  []model.Transaction // validated behind it
		blind  blindness
		want   string // found, proved, absent, lost (another used it, or no effect), undecided
	}{
		{"never sent, and no history", nil, makes, nil, nil, blindness{searched: "false", list: "refused", entry: true}, "absent"},
		{"in a ledger, and all is shown", nil, makes, makes, nil, blindness{searched: "true"}, "found"},
		{"shown by the list alone", nil, makes, makes, nil, blindness{searched: "true", entry: true}, "found"},
		{"a hole, and the ledger has it", nil, makes, makes, nil, with(func(b *blindness) { b.entry = false }), "found"},
		{"contradictions, and the ledger has it", nil, makes, makes, nil, blindness{searched: "true", list: "unvalidated"}, "found"},
		{"the entry names it", nil, makes, makes, nil, nothing, "proved"},
		{"the entry names it, and no history", nil, makes, makes, nil, blindness{searched: "false", list: "refused", entry: true}, "proved"},
		{"accepted since", nil, makes, makes, []model.Transaction{accept}, nothing, "proved"},
		{"accepted since, with a gap in between", nil, makes, makes, []model.Transaction{other, accept}, nothing, "proved"},
		{"accepted since, and the ledger has it", nil, makes, makes, []model.Transaction{accept}, with(func(b *blindness) { b.entry = false }), "found"},
		{"removed since", nil, makes, makes, []model.Transaction{removes}, nothing, "undecided"},
		{"removed since, and the ledger has it", nil, makes, makes, []model.Transaction{removes}, with(func(b *blindness) { b.entry = false }), "found"},
		{"the credential existed", []model.Transaction{makes}, makes, makes, nil, nothing, "lost"},
		{"the credential existed, and the ledger has it", []model.Transaction{makes}, makes, makes, nil, with(func(b *blindness) { b.entry = false }), "found"},
		{"the credential existed, accepted since", []model.Transaction{makes}, makes, makes, []model.Transaction{accept}, nothing, "lost"},
		{"another took the sequence", nil, makes, other, nil, blindness{searched: "true"}, "lost"},
		{"another took the sequence, unseen", nil, makes, other, nil, nothing, "undecided"},
		{"removed", []model.Transaction{makes}, removes, removes, nil, nothing, "proved"},
		{"removed, and the ledger has it", []model.Transaction{makes}, removes, removes, nil, with(func(b *blindness) { b.entry = false }), "found"},
		{"tickets made", nil, ticketCreate{2}, ticketCreate{2}, nil, nothing, "proved"},
		{"tickets made, and the ledger has it", nil, ticketCreate{2}, ticketCreate{2}, nil, with(func(b *blindness) { b.entry = false }), "found"},
		{"tickets not made", nil, ticketCreate{2}, nil, nil, nothing, "absent"},
		{"tickets not made, as another took the sequence", nil, ticketCreate{2}, other, nil, blindness{searched: "true"}, "lost"},
		{"removed and made again", []model.Transaction{makes}, removes, removes, []model.Transaction{makes}, nothing, "undecided"},
		{"not removed, as another took the sequence", []model.Transaction{makes}, removes, other, nil, nothing, "lost"},
		{"not removed, and accepted since", []model.Transaction{makes}, removes, other, []model.Transaction{accept}, nothing, "lost"},
	} {
		for _, ticket := range []bool{false, true} {
			name := tt.name + ", by sequence"
			if ticket {
				name = tt.name + ", by ticket"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newDecideWorld(t, ticket)
				for _, tx := range tt.before {
					w.validate(tx)
				}
				c := w.signs(tt.tx)
				if tt.sent != nil {
					w.use(c, tt.sent)
				}
				for _, tx := range tt.after {
					w.validate(tx)
				}
				for range 10 {
					acceptLedger(t, w)
				}
				tt.blind.hidden = append(tt.blind.hidden, w.used)
				if tt.sent == nil {
					tt.blind.hidden = c.hashes
				}
				calls := map[string]int{}
				blind(t, w.proxy, tt.blind, calls)
				d := decider{w.client, testIssuer, testLog(t)}
				if _, err := d.investigate(t.Context(), []*lookUpCase{c}); err != nil || c.failed != nil {
					t.Fatal(err, c.failed)
				}
				if got := answerOf(c); got != tt.want {
					t.Errorf("%s (%s), want %s; asked %v", got, c.evidence, tt.want, calls)
				}
				if tt.sent == nil && calls["tx"]+calls["account_tx"] > 0 {
					t.Errorf("history was asked for: %v", calls)
				}
				if c.proved != nil {
					checkProved(t, c)
				}
			})
		}
	}
}

// answerOf names what a case has come to.
func answerOf(c *lookUpCase) string {
	switch {
	case c.found != nil:
		return "found"
	case c.proved != nil:
		return "proved"
	case c.absent && c.used:
		return "lost"
	case c.absent:
		return "absent"
	case c.undecided():
		return "undecided"
	}
	return "open"
}

// checkProved holds a reconstructed result against the blob.
func checkProved(t *testing.T, c *lookUpCase) {
	t.Helper()
	v := c.proved
	var body struct {
		Hash   string         `json:"hash"`
		Ledger uint32         `json:"ledger_index"`
		Tx     map[string]any `json:"tx_json"`
		Why    string         `json:"evidence"`
	}
	if err := json.Unmarshal(v.Body, &body); err != nil {
		t.Fatal(err)
	}
	if !v.Succeeded() || v.Hash != c.hashes[0] || body.Hash != v.Hash || v.LedgerIndex <= c.first || v.LedgerIndex > c.last || body.Ledger != v.LedgerIndex ||
		body.Why == "" || body.Tx["TransactionType"] != c.tx.TransactionType() || body.Tx["Account"] != string(testIssuer) || body.Tx["Fee"] != "10" {
		t.Errorf("%+v: %s", v, v.Body)
	}
}

// decideWorld is an embedded ledger, behind a proxy, with the accounts of the recordings.
type decideWorld struct {
	t      *testing.T
	node   *sandbox.Server
	proxy  *proxy
	direct *Client // which the proxy does not see
	client *Client
	ticket uint32
	used   string // the hash of the transaction that used the case's sequence
}

func newDecideWorld(t *testing.T, ticket bool) *decideWorld {
	t.Helper()
	w := &decideWorld{t: t, node: startSandbox(t, sandbox.Config{})}
	fund(t, w.node, 1000, testIssuer, testAlice)
	w.proxy = newProxy(t, w.node.WebSocketURL())
	w.direct, w.client = newClient(t, w.node.URL(), nil), newClient(t, w.proxy.ws(), nil)
	if ticket {
		w.ticket = w.sequence(testIssuer) + 1
		w.validate(ticketCreate{1})
	}
	return w
}

func acceptLedger(t *testing.T, w *decideWorld) { t.Helper(); accept(t, w.node) }

func (w *decideWorld) sequence(a model.Address) uint32 {
	w.t.Helper()
	info, err := w.direct.AccountInfo(w.t.Context(), a)
	if err != nil {
		w.t.Fatal(err)
	}
	return info.Sequence
}

// validate signs and submits a transaction of whoever sends such a one, and closes its ledger.
func (w *decideWorld) validate(tx model.Transaction) string {
	w.t.Helper()
	account, name := testIssuer, "issuer"
	if _, is := tx.(model.CredentialAccept); is {
		account, name = testAlice, "alice"
	}
	return w.submit(tx, name, Terms{Account: account, Sequence: w.sequence(account), Fee: 10, LastLedgerSequence: 1000})
}

func (w *decideWorld) submit(tx model.Transaction, name string, terms Terms) string {
	w.t.Helper()
	seed, _ := vectorSeed(w.t, name, "ed25519")
	signed, err := seed.Sign(tx, terms)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := w.direct.Submit(context.Background(), signed)
	if err != nil || strings.HasPrefix(s.EngineResult, "tem") || strings.HasPrefix(s.EngineResult, "tef") {
		w.t.Fatal(s, err)
	}
	accept(w.t, w.node)
	return signed.Hash
}

// signs signs a transaction as a lane would, and asks what became of it.
func (w *decideWorld) signs(tx model.Transaction) *lookUpCase {
	w.t.Helper()
	last, err := w.direct.Ledger(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	_, own := tx.(ticketCreate)
	op := &operation{tx: tx, own: own}
	terms := Terms{Account: testIssuer, Fee: 10, LastLedgerSequence: last.Index + 8, Ticket: w.ticket}
	if w.ticket == 0 {
		terms.Sequence = w.sequence(testIssuer)
	}
	op.slot = slotOf(terms.Sequence, terms.Ticket)
	seed, _ := vectorSeed(w.t, "issuer", "ed25519")
	signed, err := seed.Sign(tx, terms)
	if err != nil {
		w.t.Fatal(err)
	}
	op.attempts = []*attempt{{Signed: signed, first: last.Index, giveUp: func() {}}}
	return caseOf(op)
}

// use has a transaction use the sequence or ticket of a case: the case's own, or another.
func (w *decideWorld) use(c *lookUpCase, tx model.Transaction) {
	w.t.Helper()
	terms := Terms{Account: testIssuer, Fee: 10, LastLedgerSequence: c.last}
	if terms.Sequence = c.slot.n; c.slot.ticket {
		terms.Sequence, terms.Ticket = 0, c.slot.n
	}
	w.used = w.submit(tx, "issuer", terms)
	if ours := w.used == c.hashes[0]; ours != (tx == c.tx) {
		w.t.Fatal("the case's transaction is not the one that was sent")
	}
}
