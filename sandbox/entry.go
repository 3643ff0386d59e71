package sandbox

import (
	"bytes"
	"encoding/binary"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// entryFault is a malformed selector of `ledger_entry`: the token of the error and its text.
type entryFault struct{ token, text string }

func (f *entryFault) answer() obj {
	return obj{"error": f.token, "error_code": int(errInvalidParams), "error_message": f.text}
}

// The tokens that several selectors share.
const (
	malformedRequest     = "malformedRequest"
	malformedAddress     = "malformedAddress"
	malformedOwner       = "malformedOwner"
	malformedCredentials = "malformedAuthorizedCredentials"
)

func wrongField(token, field, kind string) *entryFault {
	return &entryFault{token, "Invalid field '" + field + "', not " + kind + "."}
}

// selector reads the key of an entry from the value of a request's member (LedgerEntry.cpp).
type selector struct {
	kind  codec.LedgerEntryType
	parse func(c *call, field string, v *rjson.Value) (codec.Hash256, *entryFault)
}

// selectors are the members of `ledger_entry` that select an entry. A request has exactly one. Kinds that this ledger does not
// hold are read as well, for their faults and their keys.
var selectors = map[string]selector{
	"account":                              {codec.LtAccountRoot, accountSelector(engine.AccountKey)},
	"account_root":                         {codec.LtAccountRoot, accountSelector(engine.AccountKey)},
	"amendments":                           {codec.LtAmendments, fixedSelector(engine.AmendmentsKey())},
	"amm":                                  {codec.LtAMM, ammSelector},
	"bridge":                               {codec.LtBridge, bridgeSelector},
	"check":                                {codec.LtCheck, hexSelector},
	"credential":                           {codec.LtCredential, credentialSelector},
	"delegate":                             {codec.LtDelegate, delegateSelector},
	"deposit_preauth":                      {codec.LtDepositPreauth, depositPreauthSelector},
	"did":                                  {codec.LtDID, accountSelector(engine.DIDKey)},
	"directory":                            {codec.LtDirectoryNode, directorySelector},
	"escrow":                               {codec.LtEscrow, sequenceSelector('u', "owner", malformedOwner, "seq", "malformedSeq")},
	"fee":                                  {codec.LtFeeSettings, fixedSelector(engine.FeeKey())},
	"hashes":                               {codec.LtLedgerHashes, hashesSelector},
	"index":                                {anyEntry, hexSelector},
	"loan":                                 {codec.LtLoan, loanSelector},
	"loan_broker":                          {codec.LtLoanBroker, hexOr(sequenceSelector('l', "owner", malformedOwner, "seq", "malformedSeq"))},
	"mpt_issuance":                         {codec.LtMPTokenIssuance, issuanceSelector},
	"mptoken":                              {codec.LtMPToken, mptokenSelector},
	"nft_offer":                            {codec.LtNFTokenOffer, hexSelector},
	"nft_page":                             {codec.LtNFTokenPage, hexSelector},
	"nunl":                                 {codec.LtNegativeUNL, fixedSelector(engine.NegativeUNLKey())},
	"offer":                                {codec.LtOffer, sequenceSelector('o', "account", malformedAddress, "seq", malformedRequest)},
	"oracle":                               {codec.LtOracle, sequenceSelector('R', "account", "malformedAccount", "oracle_document_id", "malformedDocumentID")},
	"payment_channel":                      {codec.LtPayChannel, hexSelector},
	"permissioned_domain":                  {codec.LtPermissionedDomain, domainSelector},
	"ripple_state":                         {codec.LtRippleState, lineSelector},
	"signer_list":                          {codec.LtSignerList, hexSelector},
	"state":                                {codec.LtRippleState, lineSelector},
	"ticket":                               {codec.LtTicket, sequenceSelector('T', "account", malformedAddress, "ticket_seq", malformedRequest)},
	"vault":                                {codec.LtVault, sequenceSelector('V', "owner", malformedOwner, "seq", malformedRequest)},
	"xchain_owned_claim_id":                {codec.LtXChainOwnedClaimID, claimSelector('Q', "malformedXChainOwnedClaimID")},
	"xchain_owned_create_account_claim_id": {codec.LtXChainOwnedCreateAccountClaimID, claimSelector('K', "malformedXChainOwnedCreateAccountClaimID")},
}

// ledgerEntry is `ledger_entry` (LedgerEntry.cpp).
func ledgerEntry(c *call) (result obj) {
	field, count := "", 0
	for name := range selectors {
		if c.params.Has(name) {
			field = name
			count++
		}
	}
	if count > 1 {
		return rpcErrorText(errInvalidParams, "Too many fields provided.")
	}
	result = obj{}
	l, st := c.lookupLedger(result)
	if st != nil {
		return st.inject(result)
	}
	if count == 0 {
		if c.version > 1 {
			return rpcErrorText(errInvalidParams, "No ledger_entry params provided.")
		}
		result["error"] = "unknownOption"
		return result
	}
	// Since version 2 a value that cannot be converted is a fault of the request; before it, of the server.
	if c.version > 1 {
		defer func() {
			if e := recover(); e != nil {
				if _, ok := e.(rjson.ConversionError); !ok {
					panic(e)
				}
				result = rpcError(errInvalidParams)
			}
		}()
	}
	s := selectors[field]
	key, fault := s.parse(c, field, c.params.Get(field))
	if fault != nil {
		return fault.answer()
	}
	return c.entryAnswer(result, l, key, s.kind)
}

func (c *call) entryAnswer(result obj, l *engine.Ledger, key codec.Hash256, kind codec.LedgerEntryType) obj {
	result["index"] = key.String()
	if key.IsZero() {
		return inject(result, errEntryNotFound)
	}
	e, binary := l.Entry(key), c.params.Get("binary").AsBool()
	switch {
	case e == nil:
		return inject(result, errEntryNotFound)
	case kind != anyEntry && kind != entryType(e):
		return inject(result, errUnexpectedLedgerType)
	case binary:
		result["node_binary"] = upperHex(e.Append(nil))
	default:
		result["node"] = entryJSON(key, e)
	}
	return result
}

// parsedHash reads a key as hex digits.
func parsedHash(v *rjson.Value) (codec.Hash256, bool) { return codec.ParseHash256(stringOf(v)) }

func keyOr(field string, v *rjson.Value, kind string) (codec.Hash256, *entryFault) {
	if key, ok := parsedHash(v); ok {
		return key, nil
	}
	return codec.Hash256{}, wrongField(malformedRequest, field, kind)
}

const hexOrObject = "hex string or object"

func hexSelector(_ *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
	return keyOr(field, v, "hex string")
}

// hexOr is a selector that takes the key as hex digits, and says so in its fault.
func hexOr(parse func(*call, string, *rjson.Value) (codec.Hash256, *entryFault)) func(*call, string, *rjson.Value) (codec.Hash256, *entryFault) {
	return func(c *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
		if !v.IsObject() {
			return hexSelector(c, field, v)
		}
		return parse(c, field, v)
	}
}

func accountSelector(key func(codec.AccountID) codec.Hash256) func(*call, string, *rjson.Value) (codec.Hash256, *entryFault) {
	return func(_ *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
		id, ok := parsedAccount(v)
		if !ok {
			return codec.Hash256{}, wrongField(malformedAddress, field, "AccountID")
		}
		return key(id), nil
	}
}

// fixedSelector selects an entry of which a ledger holds one: by `true`, or by its key.
func fixedSelector(key codec.Hash256) func(*call, string, *rjson.Value) (codec.Hash256, *entryFault) {
	return func(c *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
		switch {
		case !v.IsBool():
			return hexSelector(c, field, v)
		case !v.AsBool():
			return codec.Hash256{}, wrongField("invalidParams", field, "true")
		}
		return key, nil
	}
}

func hashesSelector(c *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
	if v.IsInt() || v.IsUInt() {
		return engine.SkipKeyFor(v.AsUInt()), nil
	}
	return fixedSelector(engine.SkipKey())(c, field, v)
}

// parsedAccount reads an address other than ACCOUNT_ZERO.
func parsedAccount(v *rjson.Value) (codec.AccountID, bool) {
	id, ok := codec.ParseAccountID(stringOf(v))
	return id, ok && !id.IsZero()
}

// required is a member's value; a fault where it is missing or null.
func required(v *rjson.Value, field, token string) (*rjson.Value, *entryFault) {
	if !v.IsObject() || !v.Has(field) || v.Get(field).IsNull() {
		return nil, &entryFault{token, "Missing field '" + field + "'."}
	}
	return v.Get(field), nil
}

func requiredAccount(v *rjson.Value, field, token string) (codec.AccountID, *entryFault) {
	m, fault := required(v, field, malformedRequest)
	if fault != nil {
		return codec.AccountID{}, fault
	}
	id, ok := parsedAccount(m)
	if !ok {
		return id, wrongField(token, field, "AccountID")
	}
	return id, nil
}

// requiredUint32 reads a number, or the text of one.
func requiredUint32(v *rjson.Value, field, token string) (uint32, *entryFault) {
	m, fault := required(v, field, malformedRequest)
	if fault != nil {
		return 0, fault
	}
	switch {
	case m.IsUInt(), m.IsInt() && m.AsInt() >= 0:
		return m.AsUInt(), nil
	case m.IsString():
		if n, ok := rjson.ParseUint32(m.AsString()); ok {
			return n, nil
		}
	}
	return 0, wrongField(token, field, "number")
}

func requiredHash192(v *rjson.Value, field, token string) ([]byte, *entryFault) {
	m, fault := required(v, field, malformedRequest)
	if fault != nil {
		return nil, fault
	}
	id, ok := parsedHash192(m)
	if !ok {
		return nil, wrongField(token, field, "Hash192")
	}
	return id, nil
}

func parsedHash192(v *rjson.Value) ([]byte, bool) {
	s := stringOf(v)
	if !isHash192(s) {
		return nil, false
	}
	id := make([]byte, 24)
	if s != "0" {
		b, _ := unhex(s) // it is 48 digits
		copy(id, b)
	}
	return id, true
}

// requiredBlob reads 1 to most bytes as hex digits.
func requiredBlob(v *rjson.Value, field, token string, most int) ([]byte, *entryFault) {
	m, fault := required(v, field, malformedRequest)
	if fault != nil {
		return nil, fault
	}
	b, ok := unhex(stringOf(m))
	if !ok || len(b) == 0 || len(b) > most {
		return nil, wrongField(token, field, "hex string")
	}
	return b, nil
}

func number32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// sequenceSelector selects an entry by an account and a number, or by its key.
func sequenceSelector(space byte, account, badAccount, number, badNumber string) func(*call, string, *rjson.Value) (codec.Hash256, *entryFault) {
	return func(_ *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
		if !v.IsObject() {
			return keyOr(field, v, hexOrObject)
		}
		id, fault := requiredAccount(v, account, badAccount)
		if fault != nil {
			return codec.Hash256{}, fault
		}
		n, fault := requiredUint32(v, number, badNumber)
		if fault != nil {
			return codec.Hash256{}, fault
		}
		return engine.Key(space, id[:], number32(n)), nil
	}
}

// maxCredentialType is the most bytes of a credential's type (XLS-70, section 2.2).
const maxCredentialType = 64

func credentialSelector(_ *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
	if !v.IsObject() {
		return keyOr(field, v, hexOrObject)
	}
	subject, fault := requiredAccount(v, "subject", malformedRequest)
	if fault != nil {
		return codec.Hash256{}, fault
	}
	issuer, fault := requiredAccount(v, "issuer", malformedRequest)
	if fault != nil {
		return codec.Hash256{}, fault
	}
	kind, fault := requiredBlob(v, "credential_type", malformedRequest, maxCredentialType)
	if fault != nil {
		return codec.Hash256{}, fault
	}
	return engine.CredentialKey(subject, issuer, kind), nil
}

func delegateSelector(_ *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
	if !v.IsObject() {
		return keyOr(field, v, hexOrObject)
	}
	account, fault := requiredAccount(v, "account", malformedAddress)
	if fault != nil {
		return codec.Hash256{}, fault
	}
	authorized, fault := requiredAccount(v, "authorize", malformedAddress)
	if fault != nil {
		return codec.Hash256{}, fault
	}
	return engine.Key('E', account[:], authorized[:]), nil
}

// maxAuthorized is the most credentials that one preauthorization names.
const maxAuthorized = 8

func depositPreauthSelector(_ *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
	if !v.IsObject() {
		return keyOr(field, v, hexOrObject)
	}
	if v.Has("authorized") == v.Has("authorized_credentials") {
		return codec.Hash256{}, &entryFault{malformedRequest, "Must have exactly one of `authorized` and `authorized_credentials`."}
	}
	owner, fault := requiredAccount(v, "owner", malformedOwner)
	if fault != nil {
		return codec.Hash256{}, fault
	}
	if v.Has("authorized") {
		id, ok := parsedAccount(v.Get("authorized"))
		if !ok {
			return codec.Hash256{}, wrongField("malformedAuthorized", "authorized", "AccountID")
		}
		return engine.DepositPreauthKey(owner, id), nil
	}
	kinds, fault := authorizedKinds(v.Get("authorized_credentials"))
	if fault != nil {
		return codec.Hash256{}, fault
	}
	sorted, unique := engine.SortCredentialKinds(kinds)
	if !unique {
		return codec.Hash256{}, wrongField(malformedCredentials, "authorized_credentials", "array")
	}
	return engine.DepositPreauthCredentialsKey(owner, sorted), nil
}

func authorizedKinds(v *rjson.Value) ([]engine.CredentialKind, *entryFault) {
	const field = "authorized_credentials"
	switch {
	case !v.IsArray():
		return nil, wrongField(malformedCredentials, field, "array")
	case v.Len() > maxAuthorized:
		return nil, &entryFault{malformedCredentials, "Invalid field '" + field + "', array too long."}
	case v.Len() == 0:
		return nil, &entryFault{malformedCredentials, "Invalid field '" + field + "', array empty."}
	}
	kinds := make([]engine.CredentialKind, 0, maxAuthorized)
	for _, e := range v.Elements() {
		if !e.IsObject() {
			return nil, wrongField(malformedCredentials, field, "array of objects")
		}
		for _, f := range []string{"issuer", "credential_type"} {
			if _, fault := required(e, f, malformedCredentials); fault != nil {
				return nil, fault
			}
		}
		issuer, fault := requiredAccount(e, "issuer", malformedCredentials)
		if fault != nil {
			return nil, fault
		}
		kind, fault := requiredBlob(e, "credential_type", malformedCredentials, maxCredentialType)
		if fault != nil {
			return nil, fault
		}
		kinds = append(kinds, engine.CredentialKind{Issuer: issuer, Type: kind})
	}
	return kinds, nil
}

func directorySelector(_ *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
	if !v.IsObject() {
		return keyOr(field, v, hexOrObject)
	}
	if v.Has("sub_index") && (!v.Get("sub_index").ConvertibleToUInt() || v.Get("sub_index").IsBool()) {
		return codec.Hash256{}, wrongField(malformedRequest, "sub_index", "number")
	}
	if v.Has("owner") == v.Has("dir_root") {
		return codec.Hash256{}, &entryFault{malformedRequest, "Must have exactly one of `owner` and `dir_root` fields."}
	}
	page := uint64(v.Get("sub_index").AsUInt())
	if v.Has("dir_root") {
		root, ok := parsedHash(v.Get("dir_root"))
		if !ok {
			return codec.Hash256{}, wrongField("malformedDirRoot", "dir_root", "hash")
		}
		return engine.PageKey(root, page), nil
	}
	id, ok := parsedAccount(v.Get("owner"))
	if !ok {
		return codec.Hash256{}, wrongField(malformedAddress, "owner", "AccountID")
	}
	return engine.PageKey(engine.OwnerDirKey(id), page), nil
}

// domainSelector selects a domain by its owner and the sequence or ticket of the transaction that made it.
func domainSelector(c *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
	return sequenceSelector('m', "account", malformedAddress, "seq", malformedRequest)(c, field, v)
}

func lineSelector(_ *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
	if !v.IsObject() {
		return keyOr(field, v, hexOrObject)
	}
	for _, f := range []string{"currency", "accounts"} {
		if _, fault := required(v, f, malformedRequest); fault != nil {
			return codec.Hash256{}, fault
		}
	}
	ends := v.Get("accounts")
	if !ends.IsArray() || ends.Len() != 2 {
		return codec.Hash256{}, wrongField(malformedRequest, "accounts", "length-2 array of Accounts")
	}
	low, ok1 := parsedAccount(ends.At(0))
	high, ok2 := parsedAccount(ends.At(1))
	switch {
	case !ok1 || !ok2:
		return codec.Hash256{}, wrongField(malformedAddress, "accounts", "array of Accounts")
	case low == high:
		return codec.Hash256{}, &entryFault{malformedRequest, "Cannot have a trustline to self."}
	}
	text := stringOf(v.Get("currency"))
	currency, ok := parseCurrency(text)
	if text == "" || !ok {
		return codec.Hash256{}, wrongField("malformedCurrency", "currency", "Currency")
	}
	if bytes.Compare(low[:], high[:]) > 0 {
		low, high = high, low
	}
	return engine.Key('r', low[:], high[:], currency[:]), nil
}

func loanSelector(c *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
	if !v.IsObject() {
		return hexSelector(c, field, v)
	}
	m, fault := required(v, "loan_broker_id", malformedRequest)
	if fault != nil {
		return codec.Hash256{}, fault
	}
	broker, ok := parsedHash(m)
	if !ok {
		return codec.Hash256{}, wrongField("malformedBroker", "loan_broker_id", "Hash256")
	}
	n, fault := requiredUint32(v, "loan_seq", "malformedSeq")
	if fault != nil {
		return codec.Hash256{}, fault
	}
	return engine.Key('L', broker[:], number32(n)), nil
}

func issuanceSelector(_ *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
	id, ok := parsedHash192(v)
	if !ok {
		return codec.Hash256{}, wrongField("malformedMPTokenIssuance", field, "Hash192")
	}
	return engine.Key('~', id), nil
}

func mptokenSelector(_ *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
	if !v.IsObject() {
		return keyOr(field, v, hexOrObject)
	}
	id, fault := requiredHash192(v, "mpt_issuance_id", "malformedMPTIssuanceID")
	if fault != nil {
		return codec.Hash256{}, fault
	}
	holder, fault := requiredAccount(v, "account", "malformedAccount")
	if fault != nil {
		return codec.Hash256{}, fault
	}
	issuance := engine.Key('~', id)
	return engine.Key('t', issuance[:], holder[:]), nil
}

// asset is an issue, or an issuance of multi-purpose tokens.
type asset struct {
	issue    issue
	issuance []byte // nil: an issue
}

// key is an asset as it is hashed.
func (a asset) key() []byte {
	if a.issuance != nil {
		return a.issuance
	}
	return append(a.issue.issuer[:], a.issue.currency[:]...)
}

// less is the order of Asset.h: issuances come before issues, issues are ordered by currency, then by issuer.
func (a asset) less(b asset) bool {
	switch {
	case a.issuance != nil && b.issuance != nil:
		return bytes.Compare(a.issuance, b.issuance) < 0
	case a.issuance != nil || b.issuance != nil:
		return a.issuance != nil
	}
	if n := bytes.Compare(a.issue.currency[:], b.issue.currency[:]); n != 0 {
		return n < 0
	}
	return bytes.Compare(a.issue.issuer[:], b.issue.issuer[:]) < 0
}

func requiredAsset(v *rjson.Value, field string) (asset, *entryFault) {
	m, fault := required(v, field, malformedRequest)
	if fault != nil {
		return asset{}, fault
	}
	bad := wrongField(malformedRequest, field, "Asset")
	if m.IsObject() && !m.Has("currency") && m.Has("mpt_issuance_id") {
		id, ok := parsedHash192(m.Get("mpt_issuance_id"))
		if !ok || m.Has("issuer") {
			return asset{}, bad
		}
		return asset{issuance: id}, nil
	}
	is, ok := parseIssue(m)
	if !ok {
		return asset{}, bad
	}
	return asset{issue: is}, nil
}

func ammSelector(_ *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
	if !v.IsObject() {
		return keyOr(field, v, hexOrObject)
	}
	for _, f := range []string{"asset", "asset2"} {
		if _, fault := required(v, f, malformedRequest); fault != nil {
			return codec.Hash256{}, fault
		}
	}
	low, fault := requiredAsset(v, "asset")
	if fault != nil {
		return codec.Hash256{}, fault
	}
	high, fault := requiredAsset(v, "asset2")
	if fault != nil {
		return codec.Hash256{}, fault
	}
	if high.less(low) {
		low, high = high, low
	}
	return engine.Key('A', low.key(), high.key()), nil
}

// bridgeParts are the four parts that tell a bridge from others.
type bridgeParts struct {
	lockingDoor, issuingDoor   codec.AccountID
	lockingIssue, issuingIssue issue
}

func requiredBridge(v *rjson.Value) (b bridgeParts, fault *entryFault) {
	for _, f := range []string{"LockingChainDoor", "LockingChainIssue", "IssuingChainDoor", "IssuingChainIssue"} {
		if _, fault = required(v, f, malformedRequest); fault != nil {
			return b, fault
		}
	}
	if b.lockingDoor, fault = requiredAccount(v, "LockingChainDoor", "malformedLockingChainDoor"); fault != nil {
		return b, fault
	}
	if b.issuingDoor, fault = requiredAccount(v, "IssuingChainDoor", "malformedIssuingChainDoor"); fault != nil {
		return b, fault
	}
	var ok bool
	if b.lockingIssue, ok = parseIssue(v.Get("LockingChainIssue")); !ok {
		return b, wrongField("malformedIssue", "LockingChainIssue", "Issue")
	}
	if b.issuingIssue, ok = parseIssue(v.Get("IssuingChainIssue")); !ok {
		return b, wrongField("malformedIssue", "IssuingChainIssue", "Issue")
	}
	return b, nil
}

// bridgeSelector reads a bridge and, from the request itself, the door whose entry is meant. The value as hex digits is looked
// for in the request as a whole, and so is always a fault.
func bridgeSelector(c *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
	if v.IsString() {
		return codec.Hash256{}, wrongField(malformedRequest, field, hexOrObject)
	}
	b, fault := requiredBridge(v)
	if fault != nil {
		return codec.Hash256{}, fault
	}
	door, fault := requiredAccount(c.params, "bridge_account", "malformedBridgeAccount")
	if fault != nil {
		return codec.Hash256{}, fault
	}
	switch door {
	case b.lockingDoor:
		return engine.Key('H', door[:], b.lockingIssue.currency[:]), nil
	case b.issuingDoor:
		return engine.Key('H', door[:], b.issuingIssue.currency[:]), nil
	}
	return codec.Hash256{}, &entryFault{malformedRequest, ""}
}

// claimSelector selects a claim by its bridge and its number, or by its key.
func claimSelector(space byte, badNumber string) func(*call, string, *rjson.Value) (codec.Hash256, *entryFault) {
	return func(_ *call, field string, v *rjson.Value) (codec.Hash256, *entryFault) {
		if !v.IsObject() {
			return keyOr(field, v, hexOrObject)
		}
		b, fault := requiredBridge(v)
		if fault != nil {
			return codec.Hash256{}, fault
		}
		n, fault := requiredUint32(v, field, badNumber)
		if fault != nil {
			return codec.Hash256{}, fault
		}
		return engine.Key(space, b.lockingDoor[:], b.lockingIssue.currency[:], b.lockingIssue.issuer[:],
			b.issuingDoor[:], b.issuingIssue.currency[:], b.issuingIssue.issuer[:], binary.BigEndian.AppendUint64(nil, uint64(n))), nil
	}
}
