package ledger

import "strings"

// action is what the lane does next with a transaction of which a node gave a provisional engine result. None of them
// takes a result for final: that is for a validated ledger alone, and for [actDiscard], which no ledger can overrule.
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
	// actRefused: it is refused for a reason that time does not mend, such as a key that no longer signs for the
	// account. Yet the node may keep it and try it on later ledgers, so that it fails only when its
	// LastLedgerSequence is past. It is not signed again.
	actRefused
	// actDiscard: it is malformed, and no ledger can ever take it. It fails at once; its sequence is free.
	actDiscard
)

// resultActions names the next action for the engine results that are not of their class's kind; see [actionFor].
var resultActions = map[string]action{
	"tesSUCCESS": actAwait,

	"terQUEUED": actQueued,

	"tefALREADY":    actAwait,
	"tefPAST_SEQ":   actLookUp,
	"tefMAX_LEDGER": actLookUp,
	"tefNO_TICKET":  actLookUp,

	"telINSUF_FEE_P":           actReprice,
	"telCAN_NOT_QUEUE_FEE":     actReprice,
	"telCAN_NOT_QUEUE":         actSlow,
	"telCAN_NOT_QUEUE_BALANCE": actSlow,
	"telCAN_NOT_QUEUE_BLOCKS":  actSlow,
	"telCAN_NOT_QUEUE_BLOCKED": actSlow,
	"telCAN_NOT_QUEUE_FULL":    actSlow,
	"telLOCAL_ERROR":           actResend,
	"telFAILED_PROCESSING":     actResend,
	"telENV_RPC_FAILED":        actResend,

	"telWRONG_NETWORK":                     actRefused,
	"telREQUIRES_NETWORK_ID":               actRefused,
	"telNETWORK_ID_MAKES_TX_NON_CANONICAL": actRefused,
	"telBAD_DOMAIN":                        actRefused,
	"telBAD_PATH_COUNT":                    actRefused,
	"telBAD_PUBLIC_KEY":                    actRefused,
	"telNO_DST_PARTIAL":                    actRefused,

	// An amendment that is off may come on before LastLedgerSequence is past.
	"temDISABLED": actRefused,
	"temUNKNOWN":  actRefused,
}

// actionFor returns the next action after a provisional engine result; 0 for one of no known class, which is treated
// as actResend and told to the log.
func actionFor(result string) action {
	if a, ok := resultActions[result]; ok {
		return a
	}
	switch class, _, _ := cutClass(result); class {
	case "tec": // applied to the open ledger; it may still succeed in the validated one
		return actAwait
	case "ter":
		return actResend
	case "tef":
		return actRefused
	case "tem":
		return actDiscard
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
