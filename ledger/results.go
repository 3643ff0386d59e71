package ledger

import "strings"

// action is what the lane does next with a transaction of which a node gave a provisional engine result. None of them
// takes a result for final: that is for a validated ledger alone.
type action int

const (
	// actAwait: the node has applied it to its open ledger or had it already. Wait for a validated ledger.
	actAwait action = iota + 1
	// actQueued: it waits at the node for a later ledger, and must not be sent twice. Wait, and send nothing new
	// until the next ledger.
	actQueued
	// actResend: it does not fit now and may later. Send the same blob again in the next ledger, while it can apply.
	actResend
	// actSlow: the ledger or its queue is full. As actResend, and send nothing new until the next ledger.
	actSlow
	// actReprice: it pays too little. Sign it again with the same sequence and a higher fee, if the ceiling allows; of
	// the two only one can apply. Else as actSlow.
	actReprice
	// actLookUp: its sequence is used up or its LastLedgerSequence is past, by itself or by another transaction. Look
	// on the ledger which; where it is absent for good, it is signed anew with another sequence.
	actLookUp
	// actRefused: the node refuses it for a reason that time does not mend, such as a malformed field or a key that does
	// not sign for the account. That is the provisional word of one node, and the node may keep it and try it on later
	// ledgers. So it fails only when its LastLedgerSequence is past and the ledger has been asked. It is not signed again.
	actRefused
	// actNetwork: its NetworkID is not the node's, or missing. Ask the node for its network id, and sign again with the same
	// sequence where that differs. Else as actRefused.
	actNetwork
)

// resultActions names the next action for every engine result that the codec knows; a test compares the two lists.
var resultActions = map[string]action{
	// Applied to the open ledger.
	"tesSUCCESS": actAwait,

	// Applied to the open ledger, for its fee alone. It may still succeed in the validated one, or not be there.
	"tecAMM_ACCOUNT":                        actAwait,
	"tecAMM_BALANCE":                        actAwait,
	"tecAMM_EMPTY":                          actAwait,
	"tecAMM_FAILED":                         actAwait,
	"tecAMM_INVALID_TOKENS":                 actAwait,
	"tecAMM_NOT_EMPTY":                      actAwait,
	"tecARRAY_EMPTY":                        actAwait,
	"tecARRAY_TOO_LARGE":                    actAwait,
	"tecBAD_CREDENTIALS":                    actAwait,
	"tecCANT_ACCEPT_OWN_NFTOKEN_OFFER":      actAwait,
	"tecCLAIM":                              actAwait,
	"tecCRYPTOCONDITION_ERROR":              actAwait,
	"tecDIR_FULL":                           actAwait,
	"tecDST_TAG_NEEDED":                     actAwait,
	"tecDUPLICATE":                          actAwait,
	"tecEMPTY_DID":                          actAwait,
	"tecEXPIRED":                            actAwait,
	"tecFAILED_PROCESSING":                  actAwait,
	"tecFROZEN":                             actAwait,
	"tecHAS_OBLIGATIONS":                    actAwait,
	"tecINCOMPLETE":                         actAwait,
	"tecINSUFFICIENT_FUNDS":                 actAwait,
	"tecINSUFFICIENT_PAYMENT":               actAwait,
	"tecINSUFFICIENT_RESERVE":               actAwait,
	"tecINSUFF_FEE":                         actAwait,
	"tecINSUF_RESERVE_LINE":                 actAwait,
	"tecINSUF_RESERVE_OFFER":                actAwait,
	"tecINTERNAL":                           actAwait,
	"tecINVALID_UPDATE_TIME":                actAwait,
	"tecINVARIANT_FAILED":                   actAwait,
	"tecKILLED":                             actAwait,
	"tecLIMIT_EXCEEDED":                     actAwait,
	"tecLOCKED":                             actAwait,
	"tecMAX_SEQUENCE_REACHED":               actAwait,
	"tecNEED_MASTER_KEY":                    actAwait,
	"tecNFTOKEN_BUY_SELL_MISMATCH":          actAwait,
	"tecNFTOKEN_OFFER_TYPE_MISMATCH":        actAwait,
	"tecNO_ALTERNATIVE_KEY":                 actAwait,
	"tecNO_AUTH":                            actAwait,
	"tecNO_DST":                             actAwait,
	"tecNO_DST_INSUF_XRP":                   actAwait,
	"tecNO_ENTRY":                           actAwait,
	"tecNO_ISSUER":                          actAwait,
	"tecNO_LINE":                            actAwait,
	"tecNO_LINE_INSUF_RESERVE":              actAwait,
	"tecNO_LINE_REDUNDANT":                  actAwait,
	"tecNO_PERMISSION":                      actAwait,
	"tecNO_REGULAR_KEY":                     actAwait,
	"tecNO_SUITABLE_NFTOKEN_PAGE":           actAwait,
	"tecNO_TARGET":                          actAwait,
	"tecOBJECT_NOT_FOUND":                   actAwait,
	"tecOVERSIZE":                           actAwait,
	"tecOWNERS":                             actAwait,
	"tecPATH_DRY":                           actAwait,
	"tecPATH_PARTIAL":                       actAwait,
	"tecPRECISION_LOSS":                     actAwait,
	"tecPSEUDO_ACCOUNT":                     actAwait,
	"tecTOKEN_PAIR_NOT_FOUND":               actAwait,
	"tecTOO_SOON":                           actAwait,
	"tecUNFUNDED":                           actAwait,
	"tecUNFUNDED_ADD":                       actAwait,
	"tecUNFUNDED_AMM":                       actAwait,
	"tecUNFUNDED_OFFER":                     actAwait,
	"tecUNFUNDED_PAYMENT":                   actAwait,
	"tecWRONG_ASSET":                        actAwait,
	"tecXCHAIN_ACCOUNT_CREATE_PAST":         actAwait,
	"tecXCHAIN_ACCOUNT_CREATE_TOO_MANY":     actAwait,
	"tecXCHAIN_BAD_CLAIM_ID":                actAwait,
	"tecXCHAIN_BAD_PUBLIC_KEY_ACCOUNT_PAIR": actAwait,
	"tecXCHAIN_BAD_TRANSFER_ISSUE":          actAwait,
	"tecXCHAIN_CLAIM_NO_QUORUM":             actAwait,
	"tecXCHAIN_CREATE_ACCOUNT_DISABLED":     actAwait,
	"tecXCHAIN_CREATE_ACCOUNT_NONXRP_ISSUE": actAwait,
	"tecXCHAIN_INSUFF_CREATE_AMOUNT":        actAwait,
	"tecXCHAIN_NO_CLAIM_ID":                 actAwait,
	"tecXCHAIN_NO_SIGNERS_LIST":             actAwait,
	"tecXCHAIN_PAYMENT_FAILED":              actAwait,
	"tecXCHAIN_PROOF_UNKNOWN_KEY":           actAwait,
	"tecXCHAIN_REWARD_MISMATCH":             actAwait,
	"tecXCHAIN_SELF_COMMIT":                 actAwait,
	"tecXCHAIN_SENDING_ACCOUNT_MISMATCH":    actAwait,
	"tecXCHAIN_WRONG_CHAIN":                 actAwait,

	// Not now: what is missing may come about before its LastLedgerSequence is past.
	"terADDRESS_COLLISION":      actResend,
	"terFUNDS_SPENT":            actResend,
	"terINSUF_FEE_B":            actResend,
	"terLAST":                   actResend,
	"terLOCKED":                 actResend,
	"terNO_ACCOUNT":             actResend,
	"terNO_AMM":                 actResend,
	"terNO_AUTH":                actResend,
	"terNO_DELEGATE_PERMISSION": actResend,
	"terNO_LINE":                actResend,
	"terNO_RIPPLE":              actResend,
	"terOWNERS":                 actResend,
	"terPRE_SEQ":                actResend,
	"terPRE_TICKET":             actResend,
	"terQUEUED":                 actQueued,
	"terRETRY":                  actResend,

	// It cannot succeed as the ledger stands, by itself or because another took its place.
	"tefALREADY":                     actAwait,
	"tefBAD_ADD_AUTH":                actRefused,
	"tefBAD_AUTH":                    actRefused,
	"tefBAD_AUTH_MASTER":             actRefused,
	"tefBAD_LEDGER":                  actRefused,
	"tefBAD_QUORUM":                  actRefused,
	"tefBAD_SIGNATURE":               actRefused,
	"tefCREATED":                     actRefused,
	"tefEXCEPTION":                   actRefused,
	"tefFAILURE":                     actRefused,
	"tefINTERNAL":                    actRefused,
	"tefINVALID_LEDGER_FIX_TYPE":     actRefused,
	"tefINVARIANT_FAILED":            actRefused,
	"tefMASTER_DISABLED":             actRefused,
	"tefMAX_LEDGER":                  actLookUp,
	"tefNFTOKEN_IS_NOT_TRANSFERABLE": actRefused,
	"tefNOT_MULTI_SIGNING":           actRefused,
	"tefNO_AUTH_REQUIRED":            actRefused,
	"tefNO_TICKET":                   actLookUp,
	"tefPAST_SEQ":                    actLookUp,
	"tefTOO_BIG":                     actRefused,
	"tefWRONG_PRIOR":                 actRefused,

	// This node does not take it, for reasons of its own.
	"telBAD_DOMAIN":                        actRefused,
	"telBAD_PATH_COUNT":                    actRefused,
	"telBAD_PUBLIC_KEY":                    actRefused,
	"telCAN_NOT_QUEUE":                     actSlow,
	"telCAN_NOT_QUEUE_BALANCE":             actSlow,
	"telCAN_NOT_QUEUE_BLOCKED":             actSlow,
	"telCAN_NOT_QUEUE_BLOCKS":              actSlow,
	"telCAN_NOT_QUEUE_FEE":                 actReprice,
	"telCAN_NOT_QUEUE_FULL":                actSlow,
	"telENV_RPC_FAILED":                    actResend,
	"telFAILED_PROCESSING":                 actResend,
	"telINSUF_FEE_P":                       actReprice,
	"telLOCAL_ERROR":                       actResend,
	"telNETWORK_ID_MAKES_TX_NON_CANONICAL": actNetwork,
	"telNO_DST_PARTIAL":                    actRefused,
	"telREQUIRES_NETWORK_ID":               actNetwork,
	"telWRONG_NETWORK":                     actNetwork,

	// Malformed, by what this node says.
	"temARRAY_EMPTY":              actRefused,
	"temARRAY_TOO_LARGE":          actRefused,
	"temBAD_AMM_TOKENS":           actRefused,
	"temBAD_AMOUNT":               actRefused,
	"temBAD_CURRENCY":             actRefused,
	"temBAD_EXPIRATION":           actRefused,
	"temBAD_FEE":                  actRefused,
	"temBAD_ISSUER":               actRefused,
	"temBAD_LIMIT":                actRefused,
	"temBAD_MPT":                  actRefused,
	"temBAD_NFTOKEN_TRANSFER_FEE": actRefused,
	"temBAD_OFFER":                actRefused,
	"temBAD_PATH":                 actRefused,
	"temBAD_PATH_LOOP":            actRefused,
	"temBAD_QUORUM":               actRefused,
	"temBAD_REGKEY":               actRefused,
	"temBAD_SEND_XRP_LIMIT":       actRefused,
	"temBAD_SEND_XRP_MAX":         actRefused,
	"temBAD_SEND_XRP_NO_DIRECT":   actRefused,
	"temBAD_SEND_XRP_PARTIAL":     actRefused,
	"temBAD_SEND_XRP_PATHS":       actRefused,
	"temBAD_SEQUENCE":             actRefused,
	"temBAD_SIGNATURE":            actRefused,
	"temBAD_SIGNER":               actRefused,
	"temBAD_SRC_ACCOUNT":          actRefused,
	"temBAD_TICK_SIZE":            actRefused,
	"temBAD_TRANSFER_FEE":         actRefused,
	"temBAD_TRANSFER_RATE":        actRefused,
	"temBAD_WEIGHT":               actRefused,
	"temCANNOT_PREAUTH_SELF":      actRefused,
	"temDISABLED":                 actRefused,
	"temDST_IS_SRC":               actRefused,
	"temDST_NEEDED":               actRefused,
	"temEMPTY_DID":                actRefused,
	"temINVALID":                  actRefused,
	"temINVALID_ACCOUNT_ID":       actRefused,
	"temINVALID_COUNT":            actRefused,
	"temINVALID_FLAG":             actRefused,
	"temINVALID_INNER_BATCH":      actRefused,
	"temMALFORMED":                actRefused,
	"temREDUNDANT":                actRefused,
	"temRIPPLE_EMPTY":             actRefused,
	"temSEQ_AND_TICKET":           actRefused,
	"temUNCERTAIN":                actRefused,
	"temUNKNOWN":                  actRefused,
	"temXCHAIN_BAD_PROOF":         actRefused,
	"temXCHAIN_BRIDGE_BAD_ISSUES": actRefused,
	"temXCHAIN_BRIDGE_BAD_MIN_ACCOUNT_CREATE_AMOUNT": actRefused,
	"temXCHAIN_BRIDGE_BAD_REWARD_AMOUNT":             actRefused,
	"temXCHAIN_BRIDGE_NONDOOR_OWNER":                 actRefused,
	"temXCHAIN_EQUAL_DOOR_ACCOUNTS":                  actRefused,
}

// actionFor returns the next action after a provisional engine result. For one that is newer than the table it is that of
// its class; 0 for one of no known class, which is treated as actResend and told to the log.
func actionFor(result string) action {
	if a, ok := resultActions[result]; ok {
		return a
	}
	switch class, _, _ := cutClass(result); class {
	case "tec": // applied to the open ledger; it may still succeed in the validated one
		return actAwait
	case "ter":
		return actResend
	case "tef", "tem":
		return actRefused
	}
	return 0
}

// cutClass splits an engine result into its class and the rest.
func cutClass(result string) (class, rest string, ok bool) {
	if len(result) < 4 || strings.ToLower(result[:3]) != result[:3] {
		return "", result, false
	}
	return result[:3], result[3:], true
}

// refusals say what a final result means, and what to change, for the results that credential transactions end in.
var refusals = map[string]string{
	"tecDUPLICATE":            "the subject has a credential of this type from this issuer already, accepted or not, expired or not: revoke it first, or leave it",
	"tecNO_TARGET":            "the subject's account is not on the ledger yet: it comes into being when it first receives XRP",
	"tecNO_ISSUER":            "the issuer's account is not on the ledger",
	"tecNO_ENTRY":             "no such credential stands on the ledger",
	"tecNO_PERMISSION":        "only the issuer or the subject can delete a credential before it has expired",
	"tecEXPIRED":              "the expiration passed before the ledger closed",
	"tecINSUFFICIENT_RESERVE": "the account cannot carry one more entry: it needs more XRP for its owner reserve",
	"tecDIR_FULL":             "the account's directory is full: entries must be deleted first",
}

// refusalText returns the caller's words for a final result that is not success.
func refusalText(result string) string {
	if s, ok := refusals[result]; ok {
		return s
	}
	return "the ledger refused the transaction with " + result
}
