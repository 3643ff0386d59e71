package engine

import (
	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// applyFlags change how a transaction is tried.
type applyFlags uint8

const (
	flagRetry    applyFlags = 1 << iota // a tec does not claim its fee yet: the transaction is tried again
	flagFailHard                        // a tec is not applied at all
	flagDryRun                          // nothing is applied; what would be is described in the view's simulation
)

const (
	tfFullyCanonicalSig = 0x80000000
	tfInnerBatchTxn     = 0x40000000
	tfUniversal         = tfFullyCanonicalSig | tfInnerBatchTxn

	lsfPasswordSpent                = 0x00010000
	lsfRequireDestTag               = 0x00020000
	lsfRequireAuth                  = 0x00040000
	lsfDisallowXRP                  = 0x00080000
	lsfDisableMaster                = 0x00100000
	lsfNoFreeze                     = 0x00200000
	lsfGlobalFreeze                 = 0x00400000
	lsfDefaultRipple                = 0x00800000
	lsfDepositAuth                  = 0x01000000
	lsfDisallowIncomingNFTokenOffer = 0x04000000
	lsfDisallowIncomingCheck        = 0x08000000
	lsfDisallowIncomingPayChan      = 0x10000000
	lsfDisallowIncomingTrustline    = 0x20000000
	lsfAllowTrustLineLocking        = 0x40000000
	lsfAllowTrustLineClawback       = 0x80000000
	lsfAccepted                     = 0x00010000
	lsfOneOwnerCount                = 0x00010000

	// metaEntriesCap bounds the entries that one transaction may change
	// (rippled's oversizeMetaDataCap).
	metaEntriesCap = 5200
)

// transactor is what a transaction type is to the engine. preflight sees the
// transaction alone, preclaim also the ledger, apply changes it.
type transactor struct {
	// flags returns those that the transaction may have besides the universal
	// ones; nil for none.
	flags func(tx *codec.Tx) uint32
	// preflight are the type's own checks of the transaction alone; nil for none.
	preflight func(tx *codec.Tx) TER
	preclaim  func(v *view, tx *codec.Tx, flags applyFlags) TER
	apply     func(c *applyContext) TER
	// consequences are what the queue must know; nil for none.
	consequences func(tx *codec.Tx) consequences
	baseFee      func(v *view, tx *codec.Tx) int64 // nil: the ledger's base fee, more for each signer
}

var transactors = map[codec.TxType]*transactor{
	codec.TtPayment:          &payment,
	codec.TtAccountSet:       &accountSet,
	codec.TtSetRegularKey:    &setRegularKey,
	codec.TtTicketCreate:     &ticketCreate,
	codec.TtSignerListSet:    &signerListSet,
	codec.TtAccountDelete:    &accountDelete,
	codec.TtCredentialCreate: &credentialCreate,
	codec.TtCredentialAccept: &credentialAccept,
	codec.TtCredentialDelete: &credentialDelete,

	codec.TtDepositPreauth:           &depositPreauth,
	codec.TtDIDSet:                   &didSet,
	codec.TtDIDDelete:                &didDelete,
	codec.TtPermissionedDomainSet:    &permissionedDomainSet,
	codec.TtPermissionedDomainDelete: &permissionedDomainDelete,
}

// unsupported is the answer for a type that this ledger does not carry out:
// temUNKNOWN for the types of the first ledgers, temDISABLED for those that an
// amendment brought.
func unsupported(t codec.TxType) TER {
	switch t {
	case codec.TtEscrowCreate, codec.TtEscrowFinish, codec.TtEscrowCancel, codec.TtOfferCreate, codec.TtOfferCancel,
		codec.TtPaymentChannelCreate, codec.TtPaymentChannelFund, codec.TtPaymentChannelClaim, codec.TtTrustSet:
		return TemUnknown
	}
	return TemDisabled
}

// Supported says whether this ledger answers a transaction of the type as xrpld
// 3.2.0 does: it carries it out, or the type is disabled there too.
func Supported(t codec.TxType) bool {
	return transactors[t] != nil || t == codec.TtBatch || t == codec.TtDelegateSet
}

// consequences are what a transaction may do to those behind it in the queue
// (rippled's TxConsequences).
type consequences struct {
	blocker   bool   // may invalidate all that follows of the account
	spend     int64  // drops, without the fee
	sequences uint32 // sequence numbers used
}

func consequencesOf(tx *codec.Tx) consequences {
	_, ticket := tx.SeqProxy()
	c := consequences{sequences: 1}
	if ticket {
		c.sequences = 0
	}
	if t := transactors[tx.Type]; t != nil && t.consequences != nil {
		own := t.consequences(tx)
		c.blocker, c.spend = own.blocker, own.spend
		if own.sequences != 0 {
			c.sequences = own.sequences
		}
	}
	return c
}

func txFlags(tx *codec.Tx) uint32 { return uint32(tx.Uint(codec.SfFlags)) }

// isLegalDrops tells amounts that can exist: up to all XRP there is.
func isLegalDrops(d int64) bool { return d >= -genesisDrops && d <= genesisDrops }

// preflight checks a transaction by itself, in the order that all types share:
// the shared checks, then the type's own (Transactor::invokePreflight). The
// signature is checked before, at the door.
func preflight(tx *codec.Tx, flags applyFlags) TER {
	t := transactors[tx.Type]
	if t == nil {
		return unsupported(tx.Type)
	}
	var own uint32
	if t.flags != nil {
		own = t.flags(tx)
	}
	if r := preflightShared(tx, own); r != TesSuccess {
		return r
	}
	if t.preflight != nil {
		if r := t.preflight(tx); r != TesSuccess {
			return r
		}
	}
	// A simulated transaction has no signature, but it must not name both kinds
	// of signers (preflight2).
	if flags&flagDryRun != 0 && tx.Has(codec.SfSigners) && len(tx.SigningPubKey()) > 0 {
		return TemInvalid
	}
	return TesSuccess
}

// preflightShared are Transactor::preflight1 and preflightUniversal.
func preflightShared(tx *codec.Tx, own uint32) TER {
	switch {
	case tx.Has(codec.SfDelegate): // PermissionDelegationV1_1 is not supported
		return TemDisabled
	case tx.Has(codec.SfNetworkID): // networks with an id up to 1024 must not be named
		return TelNetworkIDMakesTxNonCanonical
	case txFlags(tx)&^(tfUniversal|own) != 0:
		return TemInvalidFlag
	case tx.AccountID().IsZero():
		return TemBadSrcAccount
	case !tx.IsXRP(codec.SfFee) || tx.Drops(codec.SfFee) < 0 || !isLegalDrops(tx.Drops(codec.SfFee)):
		return TemBadFee
	}
	if k := tx.SigningPubKey(); len(k) > 0 && !isPublicKey(k) {
		return TemBadSignature
	}
	if _, ticket := tx.SeqProxy(); ticket && tx.Has(codec.SfAccountTxnID) {
		return TemInvalid
	}
	if txFlags(tx)&tfInnerBatchTxn != 0 { // Batch is not supported
		return TemInvalidFlag
	}
	if tx.HasIllegalAmount(genesisDrops) {
		return TemBadAmount
	}
	return TesSuccess
}

// defaultBaseFee is the cost of a transaction in drops: the base fee, once
// more for each signature of a multi-signed one.
func defaultBaseFee(v *view, tx *codec.Tx) int64 {
	return v.fees.Base * int64(1+len(tx.Array(codec.SfSigners)))
}

func baseFee(v *view, tx *codec.Tx) int64 {
	if t := transactors[tx.Type]; t != nil && t.baseFee != nil {
		return t.baseFee(v, tx)
	}
	return defaultBaseFee(v, tx)
}

// preclaim checks a transaction against a ledger, in rippled's order
// (applySteps.cpp, invoke_preclaim).
func preclaim(v *view, tx *codec.Tx, flags applyFlags) TER {
	t := transactors[tx.Type]
	if t == nil {
		return unsupported(tx.Type)
	}
	acct := v.read(AccountKey(tx.AccountID()))
	if acct == nil {
		return TerNoAccount
	}
	if r := checkSequence(v, tx, acct); r != TesSuccess {
		return r
	}
	if tx.Has(codec.SfAccountTxnID) && acct.Hash(codec.SfAccountTxnID) != tx.Hash(codec.SfAccountTxnID) {
		return TefWrongPrior
	}
	if tx.Has(codec.SfLastLedgerSequence) && uint64(v.seq) > tx.Uint(codec.SfLastLedgerSequence) {
		return TefMaxLedger
	}
	if v.txExists(tx.ID) {
		return TefAlready
	}
	if r := checkSigner(v, tx, acct, flags); r != TesSuccess {
		return r
	}
	if r := checkFee(v, tx, acct); r != TesSuccess {
		return r
	}
	if t.preclaim == nil {
		return TesSuccess
	}
	return t.preclaim(v, tx, flags)
}

func checkSequence(v *view, tx *codec.Tx, acct *codec.Object) TER {
	n, ticket := tx.SeqProxy()
	next := uint32(acct.Uint(codec.SfSequence))
	if !ticket {
		switch {
		case tx.Has(codec.SfTicketSequence):
			return TemSeqAndTicket
		case next < n:
			return TerPreSeq
		case next > n:
			return TefPastSeq
		}
		return TesSuccess
	}
	if next <= n {
		return TerPreTicket
	}
	if !v.has(TicketKey(tx.AccountID(), n)) {
		return TefNoTicket
	}
	return TesSuccess
}

func checkFee(v *view, tx *codec.Tx, acct *codec.Object) TER {
	paid := tx.Fee()
	if v.open && paid < baseFee(v, tx) {
		return TelInsufFeeP
	}
	if paid == 0 {
		return TesSuccess
	}
	if balance := acct.Drops(codec.SfBalance); balance < paid {
		if balance > 0 && !v.open {
			return TecInsuffFee
		}
		return TerInsufFeeB
	}
	return TesSuccess
}

// applyContext is what a transactor changes the ledger through.
type applyContext struct {
	*stateTable
	tx           *codec.Tx
	account      codec.AccountID
	priorBalance int64 // drops, before the fee
}

// apply is preflight, preclaim and the change itself. applied tells whether the
// ledger changed: with a fee claimed at least.
func apply(v *view, tx *codec.Tx, flags applyFlags) (r TER, applied bool) {
	if r := preflight(tx, flags); r != TesSuccess {
		return r, false
	}
	return applyPreflighted(v, tx, flags)
}

func applyPreflighted(v *view, tx *codec.Tx, flags applyFlags) (r TER, applied bool) {
	r = preclaim(v, tx, flags)
	if !likelyToClaimFee(r, flags) {
		return r, false
	}
	return doApply(v, tx, r, flags)
}

// likelyToClaimFee tells a preclaim's result with which a transaction goes on.
func likelyToClaimFee(r TER, flags applyFlags) bool {
	return r == TesSuccess || r.IsTec() && flags&flagRetry == 0
}

// doApply carries out Transactor::operator(): the fee and the sequence are
// taken first, then the type's own change is made; when that fails with a tec,
// all is undone but for fee and sequence, and, where the failure is an
// expiration, for the deletion of what has expired.
func doApply(v *view, tx *codec.Tx, preclaimed TER, flags applyFlags) (r TER, applied bool) {
	c := &applyContext{stateTable: newStateTable(v), tx: tx, account: tx.AccountID()}
	fee := tx.Fee()
	r = preclaimed
	if r == TesSuccess {
		r = c.run()
	}
	applied = r == TesSuccess
	if c.size() > metaEntriesCap {
		r = TecOversize
	}
	switch {
	case r.IsTec() && flags&flagFailHard != 0:
		return r, false
	case r == TecOversize || r == TecExpired || r.IsTec() && flags&flagRetry == 0:
		var expired []codec.Hash256
		if r == TecExpired {
			for _, key := range c.sortedKeys() {
				it := c.items[key]
				if it.act == actErase && codec.LedgerEntryType(it.cur.Uint(codec.SfLedgerEntryType)) == codec.LtCredential {
					expired = append(expired, key)
				}
			}
		}
		var reset TER
		if reset, fee = c.reset(fee); reset != TesSuccess {
			r = reset
		}
		for _, key := range expired {
			if o := c.peek(key); o != nil {
				c.deleteCredential(key, o)
			}
		}
		applied = r.IsTec()
	}
	if !applied {
		return r, false
	}
	// The one invariant that a transaction of these types can break
	// (InvariantCheck.cpp, TransactionFeeCheck), even by its fee alone.
	if fee >= genesisDrops {
		return TefInvariantFailed, false
	}
	if flags&flagDryRun != 0 {
		v.sim.meta = c.threadAndDescribe(tx, r, v.txCount())
		return r, false
	}
	if !v.open {
		v.drops -= uint64(fee)
	}
	c.write(tx, r)
	return r, true
}

func (c *applyContext) run() TER {
	key := AccountKey(c.account)
	acct := c.peek(key)
	if acct == nil {
		return TefInternal
	}
	c.priorBalance = acct.Drops(codec.SfBalance)
	if r := c.consumeSequence(acct); r != TesSuccess {
		return r
	}
	acct.SetDrops(codec.SfBalance, c.priorBalance-c.tx.Fee())
	if acct.Has(codec.SfAccountTxnID) {
		acct.SetHash(codec.SfAccountTxnID, c.tx.ID)
	}
	c.update(key)
	return transactors[c.tx.Type].apply(c)
}

// reset drops all changes and takes the fee, as far as the balance goes, and
// the sequence again.
func (c *applyContext) reset(fee int64) (TER, int64) {
	c.discard()
	key := AccountKey(c.account)
	acct := c.peek(key)
	if acct == nil {
		return TefInternal, 0
	}
	balance := acct.Drops(codec.SfBalance)
	fee = min(fee, balance)
	acct.SetDrops(codec.SfBalance, balance-fee)
	r := c.consumeSequence(acct)
	if r == TesSuccess {
		c.update(key)
	}
	return r, fee
}

func (c *applyContext) consumeSequence(acct *codec.Object) TER {
	n, ticket := c.tx.SeqProxy()
	if !ticket {
		acct.SetUint(codec.SfSequence, uint64(n)+1)
		return TesSuccess
	}
	return c.deleteTicket(acct, n)
}

func (c *applyContext) adjustOwnerCount(a codec.AccountID, acct *codec.Object, by int64) {
	n := int64(acct.Uint(codec.SfOwnerCount)) + by
	acct.SetUint(codec.SfOwnerCount, uint64(max(n, 0)))
	c.update(AccountKey(a))
}

func newAccountRoot(a codec.AccountID, sequence uint32) *codec.Object {
	o := newEntry(codec.LtAccountRoot)
	o.SetAccount(codec.SfAccount, a)
	o.SetUint(codec.SfSequence, uint64(sequence))
	o.SetDrops(codec.SfBalance, 0)
	o.SetUint(codec.SfOwnerCount, 0)
	o.SetHash(codec.SfPreviousTxnID, codec.Hash256{})
	o.SetUint(codec.SfPreviousTxnLgrSeq, 0)
	return o
}

func isPublicKey(k []byte) bool {
	_, ok := codec.PublicKeyType(k)
	return ok
}
