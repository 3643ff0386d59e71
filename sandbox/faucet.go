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
)

var (
	errFaucetAddress = errors.New("the destination must be a classic address")
	errFaucetAmount  = fmt.Errorf("the amount must be more than nothing and at most %d XRP", faucetMost/1_000_000)
)

// Fund pays drops of XRP from the genesis account to an address, or to a new account if destination is empty. It returns when the
// payment is validated; on a server that closes ledgers only when told to, when it is in the open ledger.
func (s *Server) Fund(ctx context.Context, destination string, drops int64) (Account, error) {
	a := Account{Address: destination}
	if drops <= 0 || drops > maxDrops {
		return Account{}, errFaucetAmount
	}
	to, ok := codec.ParseAccountID(destination)
	if destination == "" {
		seed := make(codec.Seed, 16)
		if _, err := rand.Read(seed); err != nil {
			return Account{}, fmt.Errorf("making a new account: %w", err)
		}
		pub, _ := codec.DeriveKeypair(seed, codec.Ed25519)
		to = codec.AccountIDFromPublicKey(pub)
		a = Account{Address: to.String(), Seed: Seed{codec.EncodeSeed(seed, codec.Ed25519)}}
	} else if !ok {
		return Account{}, errFaucetAddress
	}
	next := s.hub.nextClose()
	t, err := s.payFromGenesis(ctx, to, drops)
	if err != nil {
		return Account{}, fmt.Errorf("funding %s: %w", a.Address, err)
	}
	a.Hash = t.ID.String()
	if !s.closesByItself() {
		return a, nil
	}
	for {
		if r, _ := s.node.Lookup(t.ID); r != nil {
			if !r.Result.IsTes() {
				return Account{}, fmt.Errorf("funding %s: %s: %s", a.Address, r.Result, r.Result.Message())
			}
			return a, nil
		}
		if s.node.Closed().Seq > uint32(t.Uint(codec.SfLastLedgerSequence)) {
			return Account{}, fmt.Errorf("funding %s: no ledger took the payment", a.Address)
		}
		select {
		case <-next:
			next = s.hub.nextClose()
		case <-ctx.Done():
			return Account{}, fmt.Errorf("funding %s: waiting for a validated ledger: %w", a.Address, ctx.Err())
		case <-s.ctx.Done():
			return Account{}, fmt.Errorf("funding %s: the server ends", a.Address)
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
		t, err := signObject(o, genesisPub, genesisPriv)
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
// if there is none; xrpAmount, how much of XRP, 1,000 if it does not say. Other fields, such as the clients' userAgent, are not
// looked at. The answer is as the public faucets give it.
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
	v := rjson.NewObject()
	if len(strings.TrimSpace(string(body))) > 0 {
		if v, err = rjson.Parse(body); err != nil || !v.IsObject() {
			fail(http.StatusBadRequest, "The body must be a JSON object.")
			return
		}
	}
	to := v.Get("destination")
	if !to.IsNull() && !to.IsString() {
		fail(http.StatusBadRequest, "The destination must be a classic address.")
		return
	}
	drops, ok := xrpAmount(v.Get("xrpAmount"))
	if !ok {
		fail(http.StatusBadRequest, fmt.Sprintf("The xrpAmount must be more than nothing and at most %d.", faucetMost/1_000_000))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), faucetWait)
	defer cancel()
	a, err := s.Fund(ctx, stringOf(to), drops)
	switch {
	case errors.Is(err, errFaucetAddress):
		fail(http.StatusBadRequest, "The destination must be a classic address.")
		return
	case err != nil:
		s.log.Warn("the faucet could not pay", "destination", stringOf(to), "cause", err)
		fail(http.StatusServiceUnavailable, "The account could not be funded now.")
		return
	}
	account := obj{"classicAddress": a.Address, "address": a.Address}
	id, _ := codec.ParseAccountID(a.Address)
	account["xAddress"] = codec.EncodeXAddress(id, true)
	xrp := float64(drops) / 1e6
	answer := obj{"account": account, "amount": xrp, "transactionHash": a.Hash}
	if root := s.node.Current().Entry(engine.AccountKey(id)); root != nil {
		answer["balance"] = float64(root.Drops(codec.SfBalance)) / 1e6
	}
	if secret := a.Seed.Reveal(); secret != "" {
		account["secret"] = secret
		answer["seed"] = secret
	}
	writeJSON(w, http.StatusOK, answer)
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
