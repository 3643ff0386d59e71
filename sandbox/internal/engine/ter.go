package engine

// TER is a transaction engine result. Its sign and range tell the class:
// tel (local, -399…-300), tem (malformed, -299…-200), tef (failure, -199…-100),
// ter (retry, -99…-1), tes (0) and tec (fee claimed, 100…255). Codes and texts
// are rippled's (TER.h, TER.cpp).
type TER int

// The results that this engine can give.
const (
	TelLocalError                   TER = -399
	TelBadDomain                    TER = -398
	TelBadPathCount                 TER = -397
	TelBadPublicKey                 TER = -396
	TelInsufFeeP                    TER = -394
	TelNoDstPartial                 TER = -393
	TelCanNotQueue                  TER = -392
	TelCanNotQueueBalance           TER = -391
	TelCanNotQueueBlocks            TER = -390
	TelCanNotQueueBlocked           TER = -389
	TelCanNotQueueFee               TER = -388
	TelCanNotQueueFull              TER = -387
	TelNetworkIDMakesTxNonCanonical TER = -384
	TemMalformed                    TER = -299
	TemBadAmount                    TER = -298
	TemBadCurrency                  TER = -297
	TemBadFee                       TER = -295
	TemBadPath                      TER = -291
	TemBadPathLoop                  TER = -290
	TemBadRegKey                    TER = -289
	TemBadSendXRPLimit              TER = -288
	TemBadSendXRPMax                TER = -287
	TemBadSendXRPNoDirect           TER = -286
	TemBadSendXRPPartial            TER = -285
	TemBadSendXRPPaths              TER = -284
	TemBadSignature                 TER = -282
	TemBadSrcAccount                TER = -281
	TemBadTransferRate              TER = -280
	TemDstIsSrc                     TER = -279
	TemDstNeeded                    TER = -278
	TemInvalid                      TER = -277
	TemInvalidFlag                  TER = -276
	TemRedundant                    TER = -275
	TemRippleEmpty                  TER = -274
	TemDisabled                     TER = -273
	TemBadSigner                    TER = -272
	TemBadQuorum                    TER = -271
	TemBadWeight                    TER = -270
	TemBadTickSize                  TER = -269
	TemInvalidAccountID             TER = -268
	TemCannotPreauthSelf            TER = -267
	TemInvalidCount                 TER = -266
	TemUnknown                      TER = -264
	TemSeqAndTicket                 TER = -263
	TemEmptyDID                     TER = -254
	TemArrayEmpty                   TER = -253
	TemArrayTooLarge                TER = -252
	TefFailure                      TER = -199
	TefAlready                      TER = -198
	TefBadAuth                      TER = -196
	TefBadLedger                    TER = -195
	TefException                    TER = -193
	TefInternal                     TER = -192
	TefPastSeq                      TER = -190
	TefWrongPrior                   TER = -189
	TefMasterDisabled               TER = -188
	TefMaxLedger                    TER = -187
	TefBadSignature                 TER = -186
	TefBadQuorum                    TER = -185
	TefInvariantFailed              TER = -182
	TefNotMultiSigning              TER = -184
	TefTooBig                       TER = -181
	TefNoTicket                     TER = -180
	TerRetry                        TER = -99
	TerInsufFeeB                    TER = -97
	TerNoAccount                    TER = -96
	TerNoLine                       TER = -94
	TerOwners                       TER = -93
	TerPreSeq                       TER = -92
	TerQueued                       TER = -89
	TerPreTicket                    TER = -88
	TesSuccess                      TER = 0
	TecClaim                        TER = 100
	TecPathPartial                  TER = 101
	TecUnfundedPayment              TER = 104
	TecDirFull                      TER = 121
	TecNoDst                        TER = 124
	TecNoDstInsufXRP                TER = 125
	TecPathDry                      TER = 128
	TecNoAlternativeKey             TER = 130
	TecOwners                       TER = 132
	TecNoIssuer                     TER = 133
	TecInsuffFee                    TER = 136
	TecNoTarget                     TER = 138
	TecNoPermission                 TER = 139
	TecNoEntry                      TER = 140
	TecInsufficientReserve          TER = 141
	TecNeedMasterKey                TER = 142
	TecDstTagNeeded                 TER = 143
	TecInternal                     TER = 144
	TecOversize                     TER = 145
	TecExpired                      TER = 148
	TecDuplicate                    TER = 149
	TecHasObligations               TER = 151
	TecTooSoon                      TER = 152
	TecObjectNotFound               TER = 160
	TecEmptyDID                     TER = 187
	TecBadCredentials               TER = 193
)

var terTexts = map[TER][2]string{
	TelLocalError:                   {"telLOCAL_ERROR", "Local failure."},
	TelBadDomain:                    {"telBAD_DOMAIN", "Domain too long."},
	TelBadPathCount:                 {"telBAD_PATH_COUNT", "Malformed: Too many paths."},
	TelBadPublicKey:                 {"telBAD_PUBLIC_KEY", "Public key is not valid."},
	TelInsufFeeP:                    {"telINSUF_FEE_P", "Fee insufficient."},
	TelNoDstPartial:                 {"telNO_DST_PARTIAL", "Partial payment to create account not allowed."},
	TelCanNotQueue:                  {"telCAN_NOT_QUEUE", "Can not queue at this time."},
	TelCanNotQueueBalance:           {"telCAN_NOT_QUEUE_BALANCE", "Can not queue at this time: insufficient balance to pay all queued fees."},
	TelCanNotQueueBlocks:            {"telCAN_NOT_QUEUE_BLOCKS", "Can not queue at this time: would block later queued transaction(s)."},
	TelCanNotQueueBlocked:           {"telCAN_NOT_QUEUE_BLOCKED", "Can not queue at this time: blocking transaction in queue."},
	TelCanNotQueueFee:               {"telCAN_NOT_QUEUE_FEE", "Can not queue at this time: fee insufficient to replace queued transaction."},
	TelCanNotQueueFull:              {"telCAN_NOT_QUEUE_FULL", "Can not queue at this time: queue is full."},
	TelNetworkIDMakesTxNonCanonical: {"telNETWORK_ID_MAKES_TX_NON_CANONICAL", "Transactions submitted to this node/network must NOT include a NetworkID field."},
	TemMalformed:                    {"temMALFORMED", "Malformed transaction."},
	TemBadAmount:                    {"temBAD_AMOUNT", "Malformed: Bad amount."},
	TemBadCurrency:                  {"temBAD_CURRENCY", "Malformed: Bad currency."},
	TemBadFee:                       {"temBAD_FEE", "Invalid fee, negative or not XRP."},
	TemBadPath:                      {"temBAD_PATH", "Malformed: Bad path."},
	TemBadPathLoop:                  {"temBAD_PATH_LOOP", "Malformed: Loop in path."},
	TemBadRegKey:                    {"temBAD_REGKEY", "Malformed: Regular key cannot be same as master key."},
	TemBadSendXRPLimit:              {"temBAD_SEND_XRP_LIMIT", "Malformed: Limit quality is not allowed for XRP to XRP."},
	TemBadSendXRPMax:                {"temBAD_SEND_XRP_MAX", "Malformed: Send max is not allowed for XRP to XRP."},
	TemBadSendXRPNoDirect:           {"temBAD_SEND_XRP_NO_DIRECT", "Malformed: No Ripple direct is not allowed for XRP to XRP."},
	TemBadSendXRPPartial:            {"temBAD_SEND_XRP_PARTIAL", "Malformed: Partial payment is not allowed for XRP to XRP."},
	TemBadSendXRPPaths:              {"temBAD_SEND_XRP_PATHS", "Malformed: Paths are not allowed for XRP to XRP."},
	TemBadSignature:                 {"temBAD_SIGNATURE", "Malformed: Bad signature."},
	TemBadSrcAccount:                {"temBAD_SRC_ACCOUNT", "Malformed: Bad source account."},
	TemBadTransferRate:              {"temBAD_TRANSFER_RATE", "Malformed: Transfer rate must be >= 1.0 and <= 2.0"},
	TemDstIsSrc:                     {"temDST_IS_SRC", "Destination may not be source."},
	TemDstNeeded:                    {"temDST_NEEDED", "Destination not specified."},
	TemInvalid:                      {"temINVALID", "The transaction is ill-formed."},
	TemInvalidFlag:                  {"temINVALID_FLAG", "The transaction has an invalid flag."},
	TemRedundant:                    {"temREDUNDANT", "The transaction is redundant."},
	TemRippleEmpty:                  {"temRIPPLE_EMPTY", "PathSet with no paths."},
	TemDisabled:                     {"temDISABLED", "The transaction requires logic that is currently disabled."},
	TemBadSigner:                    {"temBAD_SIGNER", "Malformed: No signer may duplicate account or other signers."},
	TemBadQuorum:                    {"temBAD_QUORUM", "Malformed: Quorum is unreachable."},
	TemBadWeight:                    {"temBAD_WEIGHT", "Malformed: Weight must be a positive value."},
	TemBadTickSize:                  {"temBAD_TICK_SIZE", "Malformed: Tick size out of range."},
	TemInvalidAccountID:             {"temINVALID_ACCOUNT_ID", "Malformed: A field contains an invalid account ID."},
	TemInvalidCount:                 {"temINVALID_COUNT", "Malformed: Count field outside valid range."},
	TemUnknown:                      {"temUNKNOWN", "The transaction requires logic that is not implemented yet."},
	TemSeqAndTicket:                 {"temSEQ_AND_TICKET", "Transaction contains a TicketSequence and a non-zero Sequence."},
	TefFailure:                      {"tefFAILURE", "Failed to apply."},
	TefAlready:                      {"tefALREADY", "The exact transaction was already in this ledger."},
	TefBadAuth:                      {"tefBAD_AUTH", "Transaction's public key is not authorized."},
	TefBadLedger:                    {"tefBAD_LEDGER", "Ledger in unexpected state."},
	TefException:                    {"tefEXCEPTION", "Unexpected program state."},
	TefInternal:                     {"tefINTERNAL", "Internal error."},
	TefPastSeq:                      {"tefPAST_SEQ", "This sequence number has already passed."},
	TefWrongPrior:                   {"tefWRONG_PRIOR", "This previous transaction does not match."},
	TefMasterDisabled:               {"tefMASTER_DISABLED", "Master key is disabled."},
	TefMaxLedger:                    {"tefMAX_LEDGER", "Ledger sequence too high."},
	TefBadSignature:                 {"tefBAD_SIGNATURE", "A signature is provided for a non-signer."},
	TefBadQuorum:                    {"tefBAD_QUORUM", "Signatures provided do not meet the quorum."},
	TefNotMultiSigning:              {"tefNOT_MULTI_SIGNING", "Account has no appropriate list of multi-signers."},
	TefInvariantFailed:              {"tefINVARIANT_FAILED", "Fee claim violated invariants for the transaction."},
	TefTooBig:                       {"tefTOO_BIG", "Transaction affects too many items."},
	TefNoTicket:                     {"tefNO_TICKET", "Ticket is not in ledger."},
	TerRetry:                        {"terRETRY", "Retry transaction."},
	TerInsufFeeB:                    {"terINSUF_FEE_B", "Account balance can't pay fee."},
	TerNoAccount:                    {"terNO_ACCOUNT", "The source account does not exist."},
	TerNoLine:                       {"terNO_LINE", "No such line."},
	TerOwners:                       {"terOWNERS", "Non-zero owner count."},
	TerPreSeq:                       {"terPRE_SEQ", "Missing/inapplicable prior transaction."},
	TerQueued:                       {"terQUEUED", "Held until escalated fee drops."},
	TerPreTicket:                    {"terPRE_TICKET", "Ticket is not yet in ledger."},
	TesSuccess:                      {"tesSUCCESS", "The transaction was applied. Only final in a validated ledger."},
	TecClaim:                        {"tecCLAIM", "Fee claimed. Sequence used. No action."},
	TecPathPartial:                  {"tecPATH_PARTIAL", "Path could not send full amount."},
	TecUnfundedPayment:              {"tecUNFUNDED_PAYMENT", "Insufficient XRP balance to send."},
	TecDirFull:                      {"tecDIR_FULL", "Can not add entry to full directory."},
	TecNoDst:                        {"tecNO_DST", "Destination does not exist. Send XRP to create it."},
	TecNoDstInsufXRP:                {"tecNO_DST_INSUF_XRP", "Destination does not exist. Too little XRP sent to create it."},
	TecPathDry:                      {"tecPATH_DRY", "Path could not send partial amount."},
	TecNoAlternativeKey:             {"tecNO_ALTERNATIVE_KEY", "The operation would remove the ability to sign transactions with the account."},
	TecOwners:                       {"tecOWNERS", "Non-zero owner count."},
	TecNoIssuer:                     {"tecNO_ISSUER", "Issuer account does not exist."},
	TecInsuffFee:                    {"tecINSUFF_FEE", "Insufficient balance to pay fee."},
	TecNoTarget:                     {"tecNO_TARGET", "Target account does not exist."},
	TecNoPermission:                 {"tecNO_PERMISSION", "No permission to perform requested operation."},
	TecNoEntry:                      {"tecNO_ENTRY", "No matching entry found."},
	TecInsufficientReserve:          {"tecINSUFFICIENT_RESERVE", "Insufficient reserve to complete requested operation."},
	TecNeedMasterKey:                {"tecNEED_MASTER_KEY", "The operation requires the use of the Master Key."},
	TecDstTagNeeded:                 {"tecDST_TAG_NEEDED", "A destination tag is required."},
	TecInternal:                     {"tecINTERNAL", "An internal error has occurred during processing."},
	TecOversize:                     {"tecOVERSIZE", "Object exceeded serialization limits."},
	TecExpired:                      {"tecEXPIRED", "Expiration time is passed."},
	TecDuplicate:                    {"tecDUPLICATE", "Ledger object already exists."},
	TecHasObligations:               {"tecHAS_OBLIGATIONS", "The account cannot be deleted since it has obligations."},
	TecTooSoon:                      {"tecTOO_SOON", "It is too early to attempt the requested operation. Please wait."},
	TecObjectNotFound:               {"tecOBJECT_NOT_FOUND", "A requested object could not be located."},
	TemCannotPreauthSelf:            {"temCANNOT_PREAUTH_SELF", "Malformed: An account may not preauthorize itself."},
	TemEmptyDID:                     {"temEMPTY_DID", "Malformed: No DID data provided."},
	TemArrayEmpty:                   {"temARRAY_EMPTY", "Malformed: Array is empty."},
	TemArrayTooLarge:                {"temARRAY_TOO_LARGE", "Malformed: Array is too large."},
	TecEmptyDID:                     {"tecEMPTY_DID", "The DID object did not have a URI or DIDDocument field."},
	TecBadCredentials:               {"tecBAD_CREDENTIALS", "Bad credentials."},
}

// String gives the code's token, such as "tecNO_ENTRY".
func (t TER) String() string {
	if e, ok := terTexts[t]; ok {
		return e[0]
	}
	return "-"
}

// Message gives rippled's sentence for the code (engine_result_message).
func (t TER) Message() string {
	if e, ok := terTexts[t]; ok {
		return e[1]
	}
	return "-"
}

// IsTel tells a local error: not applied, not relayed, may work elsewhere.
func (t TER) IsTel() bool { return t >= -399 && t < -299 }

// IsTem tells a malformed transaction: it can never succeed.
func (t TER) IsTem() bool { return t >= -299 && t < -199 }

// IsTef tells a failure that depends on the ledger's state: it claims no fee.
func (t TER) IsTef() bool { return t >= -199 && t < -99 }

// IsTer tells a transaction that may succeed later.
func (t TER) IsTer() bool { return t >= -99 && t < 0 }

// IsTes tells success.
func (t TER) IsTes() bool { return t == TesSuccess }

// IsTec tells a transaction that only claims its fee.
func (t TER) IsTec() bool { return t >= TecClaim }
