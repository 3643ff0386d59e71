package sandbox

import (
	"context"
	"runtime/debug"
	"strings"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// The versions of the API that are answered. What asks for none gets the first.
const (
	apiInvalid = 0
	apiFirst   = 1
	apiLast    = 2
)

// invalidAPIVersion is what rippled calls a version that it does not answer.
const invalidAPIVersion = "invalid_API_version"

// apiVersion is the version that a request asks for, apiInvalid if it is none.
func apiVersion(params *rjson.Value) int {
	if !params.IsObject() || !params.Has("api_version") {
		return apiFirst
	}
	v := params.Get("api_version")
	if !v.IsInt() {
		return apiInvalid
	}
	if n := int(v.AsInt()); n >= apiFirst && n <= apiLast {
		return n
	}
	return apiInvalid
}

// call is one request on its way to an answer.
type call struct {
	ctx     context.Context
	srv     *Server
	node    *engine.Node
	params  *rjson.Value // an object; a WebSocket request's own, with its id and command
	version int
	conn    *wsConn // nil: the request came by HTTP
}

type method func(*call) obj

// firstVersionOnly are the requests that later versions of the API do not have.
var firstVersionOnly = map[string]bool{"ledger_header": true, "tx_history": true}

// methods are the requests that are answered. Others of rippled's, known to it or not, are "unknownCmd" here, as they are on a
// node that lacks them.
var methods = map[string]method{
	"account_channels":   emptyList{lists: []string{"channels"}, limit: 200, other: "destination_account", bare: true, badMarker: rpcError(errInvalidParams), owned: true}.answer,
	"account_currencies": emptyList{lists: []string{"send_currencies", "receive_currencies"}, ident: true}.answer,
	"account_info":       accountInfo,
	"account_lines":      emptyList{lists: []string{"lines"}, limit: 200, other: "peer", badMarker: rpcError(errInvalidParams), owned: true}.answer,
	"account_nfts":       emptyList{lists: []string{"account_nfts"}, limit: 100, parsesFirst: true, badMarker: invalidField("marker")}.answer,
	"account_objects":    accountObjects,
	"account_offers":     emptyList{lists: []string{"offers"}, limit: 200, badMarker: invalidField("marker"), owned: true}.answer,
	"account_tx":         accountTx,
	"book_offers":        bookOffers,
	"deposit_authorized": depositAuthorized,
	"feature":            feature,
	"fee":                fee,
	"gateway_balances":   gatewayBalances,
	"ledger":             ledger,
	"ledger_accept":      ledgerAccept,
	"ledger_closed":      ledgerClosed,
	"ledger_current":     ledgerCurrent,
	"ledger_data":        ledgerData,
	"ledger_entry":       ledgerEntry,
	"ledger_header":      ledgerHeader,
	"noripple_check":     noRippleCheck,
	"owner_info":         ownerInfo,
	"ping":               ping,
	"random":             random,
	"server_definitions": serverDefinitions,
	"server_info":        serverInfo,
	"server_state":       serverState,
	"sign":               sign,
	"sign_for":           signFor,
	"simulate":           simulate,
	"submit":             submit,
	"submit_multisigned": submitMultisigned,
	"subscribe":          subscribe,
	"transaction_entry":  transactionEntry,
	"tx":                 tx,
	"tx_history":         txHistory,
	"unsubscribe":        unsubscribe,
	"version":            version,
}

// do answers a request (RPCHandler.cpp). The result is an object; it has an "error" when the request failed. A value of a type
// that rippled cannot convert gives "internal", as rippled's exception does; so does a fault of our own, which is logged.
func (c *call) do() (result obj) {
	p := c.params
	if !p.Has("command") && !p.Has("method") {
		return rpcError(errCommandMissing)
	}
	if p.Has("command") && p.Has("method") && p.Get("command").AsString() != p.Get("method").AsString() {
		return rpcError(errUnknownCommand)
	}
	name := p.Get("command").AsString()
	if !p.Has("command") {
		name = p.Get("method").AsString()
	}
	m, ok := methods[name]
	if firstVersionOnly[name] && c.version > apiFirst {
		ok = false
	} else if !ok {
		m, ok = c.srv.weatherMethod(name)
	}
	if !ok {
		return rpcError(errUnknownCommand)
	}
	if c.srv.weather != nil && overloaded(c.ctx) {
		return rpcError(errSlowDown)
	}
	done := c.srv.counters.start(name)
	defer func() {
		if e := recover(); e != nil {
			if _, ok := e.(rjson.ConversionError); !ok {
				c.srv.log.Error("a request failed from a fault of the server", "method", name, "fault", e, "stack", string(debug.Stack()))
			}
			result = rpcError(errInternal)
			done(true)
			return
		}
		done(hasError(result))
	}()
	return m(c)
}

// status is an error on its way into an answer; nil is none.
type status struct {
	code errorCode
	text string // "": the code's own
}

func (s *status) inject(o obj) obj {
	if s.text == "" {
		return inject(o, s.code)
	}
	return injectText(o, s.code, s.text)
}

var errLedgerNotFound = &status{errLgrNotFound, "ledgerNotFound"}

// lookupLedger finds the ledger that a request names by hash, index or word, the open one if by none, and says in the answer
// which it is (RPCHelpers.cpp, lookupLedger).
func (c *call) lookupLedger(result obj) (*engine.Ledger, *status) {
	l, st := c.ledgerFromRequest()
	if st != nil {
		return nil, st
	}
	if l.Open {
		result["ledger_current_index"] = l.Seq
	} else {
		result["ledger_hash"] = l.Hash.String()
		result["ledger_index"] = l.Seq
	}
	result["validated"] = !l.Open
	return l, nil
}

// ledgerFromRequest reads which ledger is meant (RPCLedgerHelpers.cpp).
func (c *call) ledgerFromRequest() (*engine.Ledger, *status) {
	field, count := "", 0
	for _, f := range []string{"ledger_index", "ledger_hash", "ledger"} { // the last one, which is deprecated, decides the text
		if c.params.Has(f) {
			field = f
			count++
		}
	}
	v := c.params.Get(field)
	switch {
	case count > 1 && field == "ledger":
		return nil, &status{errInvalidParams, "Exactly one of 'ledger', 'ledger_hash', or 'ledger_index' can be specified."}
	case count > 1:
		return nil, &status{errInvalidParams, "Exactly one of 'ledger_hash' or 'ledger_index' can be specified."}
	case count == 0:
		return c.node.Current(), nil
	case field == "ledger_hash", field == "ledger" && len(stringOf(v)) == 64:
		h, ok := parsedHash(v)
		if !ok {
			return nil, &status{errInvalidParams, "Invalid field '" + field + "', not hex string."}
		}
		return c.ledgerByHash(h)
	case !v.IsString() && !v.IsUInt() && !v.IsInt():
		return nil, &status{errInvalidParams, "Invalid field '" + field + "', not string or number."}
	}
	switch word := v.AsString(); word {
	case "current", "":
		return c.node.Current(), nil
	case "validated", "closed":
		return c.node.Closed(), nil
	default:
		if seq, ok := rjson.ParseUint32(word); ok {
			return c.ledgerBySeq(seq)
		}
	}
	return nil, &status{errInvalidParams, "Invalid field '" + field + "', not string or number."}
}

func (c *call) ledgerByHash(h codec.Hash256) (*engine.Ledger, *status) {
	if l := c.node.LedgerByHash(h); l != nil {
		return l, nil
	}
	return nil, errLedgerNotFound
}

func (c *call) ledgerBySeq(seq uint32) (*engine.Ledger, *status) {
	if l := c.node.LedgerBySeq(seq); l != nil {
		return l, nil
	}
	if l := c.node.Current(); l.Seq == seq {
		return l, nil
	}
	return nil, errLedgerNotFound
}

// entryJSON is a ledger entry as rippled shows it: its fields and its key.
func entryJSON(key codec.Hash256, e *codec.Object) obj {
	o := e.JSON()
	o["index"] = key.String()
	return o
}

// entryTypes are the names by which requests filter ledger entries (ledger_entries.macro). The kind's own name is one too, in
// upper or lower case.
var entryTypes = map[string]codec.LedgerEntryType{
	"account":                              codec.LtAccountRoot,
	"amendments":                           codec.LtAmendments,
	"amm":                                  codec.LtAMM,
	"bridge":                               codec.LtBridge,
	"check":                                codec.LtCheck,
	"credential":                           codec.LtCredential,
	"delegate":                             codec.LtDelegate,
	"deposit_preauth":                      codec.LtDepositPreauth,
	"did":                                  codec.LtDID,
	"directory":                            codec.LtDirectoryNode,
	"escrow":                               codec.LtEscrow,
	"fee":                                  codec.LtFeeSettings,
	"hashes":                               codec.LtLedgerHashes,
	"loan":                                 codec.LtLoan,
	"loan_broker":                          codec.LtLoanBroker,
	"mpt_issuance":                         codec.LtMPTokenIssuance,
	"mptoken":                              codec.LtMPToken,
	"nft_offer":                            codec.LtNFTokenOffer,
	"nft_page":                             codec.LtNFTokenPage,
	"nunl":                                 codec.LtNegativeUNL,
	"offer":                                codec.LtOffer,
	"oracle":                               codec.LtOracle,
	"payment_channel":                      codec.LtPayChannel,
	"permissioned_domain":                  codec.LtPermissionedDomain,
	"signer_list":                          codec.LtSignerList,
	"state":                                codec.LtRippleState,
	"ticket":                               codec.LtTicket,
	"vault":                                codec.LtVault,
	"xchain_owned_claim_id":                codec.LtXChainOwnedClaimID,
	"xchain_owned_create_account_claim_id": codec.LtXChainOwnedCreateAccountClaimID,
}

var entryTypesByKind = func() map[string]codec.LedgerEntryType {
	m := make(map[string]codec.LedgerEntryType, len(entryTypes))
	for _, t := range entryTypes {
		m[strings.ToLower(t.String())] = t
	}
	return m
}()

// anyEntry stands for all types; no entry has it.
const anyEntry codec.LedgerEntryType = 0

// chooseEntryType reads the filter "type" of a request.
func (c *call) chooseEntryType() (codec.LedgerEntryType, *status) {
	if !c.params.Has("type") {
		return anyEntry, nil
	}
	t := c.params.Get("type")
	if !t.IsString() {
		return anyEntry, &status{errInvalidParams, "Invalid field 'type', not string."}
	}
	if lt, ok := entryTypes[t.AsString()]; ok {
		return lt, nil
	}
	if lt, ok := entryTypesByKind[strings.ToLower(t.AsString())]; ok {
		return lt, nil
	}
	return anyEntry, &status{errInvalidParams, "Invalid field 'type'."}
}

func entryType(e *codec.Object) codec.LedgerEntryType {
	return codec.LedgerEntryType(e.Uint(codec.SfLedgerEntryType))
}

// Most entries, and most transactions, of one answer. rippled has no such bounds for an administrator, which every caller is here;
// ours keep one request from taking all memory. Where they cut, the answer has a marker, as with any other limit.
const (
	maxPage   = 5_000
	maxTxPage = 2_000
)

// shown is a part of an answer, written down at once: as text it takes a tenth of what it takes as maps.
func shown(o obj) rjson.Raw { return rjson.Append(nil, o) }

// readLimit reads "limit" as xrpld does for an administrator: any positive integer (readLimitField).
func (c *call) readLimit(standard uint32) (uint32, obj) {
	l := c.params.Get("limit")
	if l.IsNull() {
		return standard, nil
	}
	if !l.IsUInt() && (!l.IsInt() || l.AsInt() < 0) {
		return 0, expectedField("limit", "unsigned integer")
	}
	n := l.AsUInt()
	if n == 0 {
		return 0, invalidField("limit")
	}
	return min(n, maxPage), nil
}
