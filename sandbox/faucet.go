package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// Account is an account that the faucet funded.
type Account struct {
	Address string
	// Seed is the account's secret, where the faucet made the account; else empty. It prints as [redacted].
	Seed Seed
	// Hash is the funding transaction's.
	Hash string
}

// Seed is an account's secret. It prints as [redacted]; Reveal gives it.
type Seed struct{ secret string }

// Reveal gives the seed itself ("sEd…").
func (s Seed) Reveal() string { return s.secret }

// String is [redacted].
func (Seed) String() string { return "[redacted]" }

// Format writes [redacted] for every verb.
func (Seed) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) } // a formatter has nobody to tell

// LogValue is [redacted].
func (Seed) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Bounds of the faucet.
const (
	faucetDefault = 1_000 * 1_000_000     // drops, where a request does not say
	faucetMost    = 1_000_000 * 1_000_000 // drops a request may ask for
	faucetBody    = 4 << 10               // bytes of a request
	faucetTries   = 5                     // when others use the genesis account at the same time
	faucetLedgers = 20                    // ledgers in which the payment may still happen
	faucetWait    = 30 * time.Second

	// FaucetMaxCount is how many accounts one request of the faucet may ask for.
	FaucetMaxCount = 100
)

var (
	errFaucetAddress = errors.New("the destination must be a classic address")
	errFaucetCount   = fmt.Errorf("the count must be from 1 to %d", FaucetMaxCount)
	errFaucetAmount  = fmt.Errorf("the amount must be more than nothing and at most %d XRP", faucetMost/1_000_000)
)

// Fund pays drops of XRP from the genesis account to an address, or to a new account if destination is empty. It returns when the
// payment is validated; on a server that closes ledgers only when told to, when it is in the open ledger.
func (s *Server) Fund(ctx context.Context, destination string, drops int64) (Account, error) {
	if drops <= 0 || drops > maxDrops {
		return Account{}, errFaucetAmount
	}
	a := Account{Address: destination}
	if destination == "" {
		var err error
		if a, err = newAccount(); err != nil {
			return Account{}, err
		}
	} else if _, ok := codec.ParseAccountID(destination); !ok {
		return Account{}, errFaucetAddress
	}
	funded, err := s.fundAll(ctx, []Account{a}, drops)
	if err != nil {
		return Account{}, err
	}
	return funded[0], nil
}

// FundNew makes count new accounts, 1 to FaucetMaxCount, and pays drops of XRP to each. It returns as Fund does, for all of them
// at once.
func (s *Server) FundNew(ctx context.Context, count int, drops int64) ([]Account, error) {
	switch {
	case drops <= 0 || drops > maxDrops:
		return nil, errFaucetAmount
	case count < 1 || count > FaucetMaxCount:
		return nil, errFaucetCount
	}
	accounts := make([]Account, count)
	for i := range accounts {
		var err error
		if accounts[i], err = newAccount(); err != nil {
			return nil, err
		}
	}
	return s.fundAll(ctx, accounts, drops)
}

func newAccount() (Account, error) {
	seed := make(codec.Seed, 16)
	if _, err := rand.Read(seed); err != nil {
		return Account{}, fmt.Errorf("making a new account: %w", err)
	}
	pub, _ := codec.DeriveKeypair(seed, codec.Ed25519)
	return Account{Address: codec.AccountIDFromPublicKey(pub).String(), Seed: Seed{codec.EncodeSeed(seed, codec.Ed25519)}}, nil
}

// fundAll submits a payment to each account and then waits for all of them.
func (s *Server) fundAll(ctx context.Context, accounts []Account, drops int64) ([]Account, error) {
	next := s.hub.nextClose()
	payments := make([]*codec.Tx, len(accounts))
	for i := range accounts {
		to, _ := codec.ParseAccountID(accounts[i].Address) // it was checked, or made here
		t, err := s.payFromGenesis(ctx, to, drops)
		if err != nil {
			return nil, fmt.Errorf("funding %s: %w", accounts[i].Address, err)
		}
		payments[i], accounts[i].Hash = t, t.ID.String()
	}
	if !s.closesByItself() {
		return accounts, nil
	}
	for i, t := range payments {
		var err error
		if next, err = s.awaitPayment(ctx, t, next); err != nil {
			return nil, fmt.Errorf("funding %s: %w", accounts[i].Address, err)
		}
	}
	return accounts, nil
}

// awaitPayment waits until a payment is in a closed ledger. next is closed with the next ledger; the one to go on with is returned.
func (s *Server) awaitPayment(ctx context.Context, t *codec.Tx, next <-chan struct{}) (<-chan struct{}, error) {
	for {
		if r, _ := s.node.Lookup(t.ID); r != nil {
			if !r.Result.IsTes() {
				return next, fmt.Errorf("%s: %s", r.Result, r.Result.Message())
			}
			return next, nil
		}
		if s.node.Closed().Seq > uint32(t.Uint(codec.SfLastLedgerSequence)) {
			return next, errors.New("no ledger took the payment")
		}
		select {
		case <-next:
			next = s.hub.nextClose()
		case <-ctx.Done():
			return next, fmt.Errorf("waiting for a validated ledger: %w", ctx.Err())
		case <-s.ctx.Done():
			return next, errors.New("the server ends")
		}
	}
}

var genesisPub, genesisPriv = func() ([]byte, codec.PrivateKey) {
	seed, kt, err := codec.SeedFromString(GenesisSeed)
	if err != nil {
		panic(err) // the seed is a constant
	}
	return codec.DeriveKeypair(seed, kt)
}()

// payFromGenesis submits a payment. Whoever else uses the genesis account may take the sequence first: then it is tried again.
func (s *Server) payFromGenesis(ctx context.Context, to codec.AccountID, drops int64) (*codec.Tx, error) {
	s.faucetMu.Lock()
	defer s.faucetMu.Unlock()
	var last engine.TER
	for range faucetTries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m := s.node.FeeMetrics()
		o := codec.NewObject()
		o.SetUint(codec.SfTransactionType, uint64(codec.TtPayment))
		o.SetAccount(codec.SfAccount, engine.GenesisAccount)
		o.SetAccount(codec.SfDestination, to)
		o.SetDrops(codec.SfAmount, drops)
		o.SetDrops(codec.SfFee, int64(min(openCost(m), math.MaxInt32)))
		o.SetUint(codec.SfSequence, uint64(s.node.NextSequence(engine.GenesisAccount)))
		o.SetUint(codec.SfLastLedgerSequence, uint64(m.CurrentSeq)+faucetLedgers)
		t, err := signObject(o, nil, genesisPub, genesisPriv)
		if err != nil {
			return nil, err
		}
		switch last = s.node.Submit(t, false).Result; {
		case last.IsTes(), last == engine.TerQueued:
			return t, nil
		case last == engine.TefPastSeq, last == engine.TerPreSeq, last == engine.TefMaxLedger:
			continue
		}
		break
	}
	return nil, fmt.Errorf("%s: %s", last, last.Message())
}

// serveFaucet answers POST /accounts. The body, which may be missing, is an object: destination, the address to fund, a new one
// if there is none; xrpAmount, how much of XRP, 1,000 by default; count, how many new accounts to fund in one ledger. Other fields,
// such as the clients' userAgent, are ignored. The answer is that of the public faucets; with a count it is a list of those.
func (s *Server) serveFaucet(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, text string) { writeJSON(w, status, obj{"error": text}) }
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST, OPTIONS")
		fail(http.StatusMethodNotAllowed, "The faucet takes POST.")
		return
	}
	body, forget, err := s.readBody(r.Context(), r.Body, faucetBody)
	if err != nil {
		return // it did not arrive
	}
	defer forget()
	if len(body) > faucetBody {
		fail(http.StatusRequestEntityTooLarge, "The body is too long.")
		return
	}
	q, fault := readFaucet(body)
	if fault != "" {
		fail(http.StatusBadRequest, fault)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), faucetWait)
	defer cancel()
	var accounts []Account
	if q.count > 0 {
		accounts, err = s.FundNew(ctx, q.count, q.drops)
	} else {
		var a Account
		a, err = s.Fund(ctx, q.destination, q.drops)
		accounts = []Account{a}
	}
	switch {
	case errors.Is(err, errFaucetAddress):
		fail(http.StatusBadRequest, faultDestination)
		return
	case err != nil:
		s.log.Warn("the faucet could not pay", "destination", q.destination, "cause", err)
		fail(http.StatusServiceUnavailable, "The account could not be funded now.")
		return
	}
	list := make([]any, len(accounts))
	for i, a := range accounts {
		list[i] = s.fundedJSON(a, q.drops)
	}
	if q.count > 0 {
		writeJSON(w, http.StatusOK, obj{"accounts": list})
		return
	}
	writeJSON(w, http.StatusOK, list[0].(obj))
}

const faultDestination = "The destination must be a classic address."

// faucetRequest is a request of the faucet. count is 0 where it has none.
type faucetRequest struct {
	destination string
	drops       int64
	count       int
}

func readFaucet(body []byte) (q faucetRequest, fault string) {
	v := rjson.NewObject()
	if len(strings.TrimSpace(string(body))) > 0 {
		var err error
		if v, err = rjson.Parse(body); err != nil || !v.IsObject() {
			return q, "The body must be a JSON object."
		}
	}
	to, count, ok := v.Get("destination"), v.Get("count"), false
	if !to.IsNull() && !to.IsString() {
		return q, faultDestination
	}
	q.destination = stringOf(to)
	if q.drops, ok = xrpAmount(v.Get("xrpAmount")); !ok {
		return q, fmt.Sprintf("The xrpAmount must be more than nothing and at most %d.", faucetMost/1_000_000)
	}
	if count.IsNull() {
		return q, ""
	}
	if !count.IsInt() || count.AsInt() < 1 || count.AsInt() > FaucetMaxCount {
		return q, fmt.Sprintf("The count must be a number from 1 to %d.", FaucetMaxCount)
	}
	if q.count = int(count.AsInt()); q.destination != "" {
		return q, "A request with a count must not have a destination."
	}
	return q, ""
}

func (s *Server) fundedJSON(a Account, drops int64) obj {
	id, _ := codec.ParseAccountID(a.Address)
	account := obj{"classicAddress": a.Address, "address": a.Address, "xAddress": codec.EncodeXAddress(id, true)}
	answer := obj{"account": account, "amount": float64(drops) / 1e6, "transactionHash": a.Hash}
	if root := s.node.Current().Entry(engine.AccountKey(id)); root != nil {
		answer["balance"] = float64(root.Drops(codec.SfBalance)) / 1e6
	}
	if secret := a.Seed.Reveal(); secret != "" {
		account["secret"] = secret
		answer["seed"] = secret
	}
	return answer
}

// xrpAmount reads an amount of XRP, as a number or its decimal text.
func xrpAmount(v *rjson.Value) (drops int64, ok bool) {
	if v.IsNull() {
		return faucetDefault, true
	}
	if !v.IsNumeric() && !v.IsString() || v.IsBool() {
		return 0, false
	}
	whole, frac, _ := strings.Cut(v.AsString(), ".")
	if len(frac) > 6 || len(whole) > 10 {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+frac+strings.Repeat("0", 6-len(frac)), 10, 63)
	if err != nil || n == 0 || n > faucetMost {
		return 0, false
	}
	return int64(n), true
}

func writeJSON(w http.ResponseWriter, status int, o obj) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(rjson.Append(nil, o), '\n')) // the client has gone; there is nobody to tell
}
