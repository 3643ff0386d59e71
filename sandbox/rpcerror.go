package sandbox

import "github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"

// obj is a JSON object that an answer is built of.
type obj = rjson.Obj

// errorCode is one of rippled's RPC error codes (ErrorCodes.h); its number and its two texts are part of an answer.
type errorCode int

const (
	errWrongNetwork         errorCode = 4
	errNoPermission         errorCode = 6
	errTooBusy              errorCode = 9
	errSlowDown             errorCode = 10
	errHighFee              errorCode = 11
	errNotEnabled           errorCode = 12
	errActNotFound          errorCode = 19
	errLgrNotFound          errorCode = 21
	errLgrNotValidated      errorCode = 22
	errMasterDisabled       errorCode = 23
	errTxnNotFound          errorCode = 29
	errInvalidHotWallet     errorCode = 30
	errInvalidParams        errorCode = 31
	errUnknownCommand       errorCode = 32
	errActMalformed         errorCode = 35
	errAlreadyMultisig      errorCode = 36
	errAlreadySingleSig     errorCode = 37
	errBadFeature           errorCode = 40
	errBadMarket            errorCode = 42
	errBadSecret            errorCode = 43
	errBadSeed              errorCode = 44
	errCommandMissing       errorCode = 47
	errDstActNotFound       errorCode = 50
	errDstAmtMalformed      errorCode = 51
	errDstIsrMalformed      errorCode = 53
	errLgrIdxsInvalid       errorCode = 57
	errLgrIdxMalformed      errorCode = 58
	errSigningMalformed     errorCode = 63
	errSrcActMalformed      errorCode = 65
	errSrcActMissing        errorCode = 66
	errSrcActNotFound       errorCode = 67
	errDelegateActNotFound  errorCode = 68
	errSrcCurMalformed      errorCode = 69
	errSrcIsrMalformed      errorCode = 70
	errStreamMalformed      errorCode = 71
	errInternal             errorCode = 73
	errNotImpl              errorCode = 74
	errNotSupported         errorCode = 75
	errExcessiveLgrRange    errorCode = 78
	errInvalidLgrRange      errorCode = 79
	errObjectNotFound       errorCode = 92
	errBadCredentials       errorCode = 95
	errTxSigned             errorCode = 96
	errDomainMalformed      errorCode = 97
	errEntryNotFound        errorCode = 98
	errUnexpectedLedgerType errorCode = 99
)

// errorInfo holds a code's token, its default text, and the HTTP status it has where a request asks for ripplerpc 3.0.
type errorInfo struct {
	token, message string
	status         int
}

var errorInfos = map[errorCode]errorInfo{
	errWrongNetwork:         {"wrongNetwork", "Wrong network.", 503},
	errNoPermission:         {"noPermission", "You don't have permission for this command.", 401},
	errTooBusy:              {"tooBusy", "The server is too busy to help you now.", 503},
	errSlowDown:             {"slowDown", "You are placing too much load on the server.", 429},
	errHighFee:              {"highFee", "Current transaction fee exceeds your limit.", 402},
	errNotEnabled:           {"notEnabled", "Not enabled in configuration.", 501},
	errActNotFound:          {"actNotFound", "Account not found.", 200},
	errLgrNotFound:          {"lgrNotFound", "Ledger not found.", 404},
	errLgrNotValidated:      {"lgrNotValidated", "Ledger not validated.", 202},
	errMasterDisabled:       {"masterDisabled", "Master key is disabled.", 403},
	errTxnNotFound:          {"txnNotFound", "Transaction not found.", 404},
	errInvalidHotWallet:     {"invalidHotWallet", "Invalid hotwallet.", 400},
	errInvalidParams:        {"invalidParams", "Invalid parameters.", 400},
	errUnknownCommand:       {"unknownCmd", "Unknown method.", 405},
	errActMalformed:         {"actMalformed", "Account malformed.", 200},
	errAlreadyMultisig:      {"alreadyMultisig", "Already multisigned.", 200},
	errAlreadySingleSig:     {"alreadySingleSig", "Already single-signed.", 200},
	errBadFeature:           {"badFeature", "Feature unknown or invalid.", 500},
	errBadMarket:            {"badMarket", "No such market.", 404},
	errBadSecret:            {"badSecret", "Secret does not match account.", 403},
	errBadSeed:              {"badSeed", "Disallowed seed.", 403},
	errCommandMissing:       {"commandMissing", "Missing command entry.", 400},
	errDstActNotFound:       {"dstActNotFound", "Destination account not found.", 404},
	errDstAmtMalformed:      {"dstAmtMalformed", "Destination amount/currency/issuer is malformed.", 400},
	errDstIsrMalformed:      {"dstIsrMalformed", "Destination issuer is malformed.", 400},
	errLgrIdxsInvalid:       {"lgrIdxsInvalid", "Ledger indexes invalid.", 400},
	errLgrIdxMalformed:      {"lgrIdxMalformed", "Ledger index malformed.", 400},
	errSigningMalformed:     {"signingMalformed", "Signing of transaction is malformed.", 400},
	errSrcActMalformed:      {"srcActMalformed", "Source account is malformed.", 400},
	errSrcActMissing:        {"srcActMissing", "Source account not provided.", 400},
	errSrcActNotFound:       {"srcActNotFound", "Source account not found.", 404},
	errSrcCurMalformed:      {"srcCurMalformed", "Source currency is malformed.", 400},
	errSrcIsrMalformed:      {"srcIsrMalformed", "Source issuer is malformed.", 400},
	errStreamMalformed:      {"malformedStream", "Stream malformed.", 400},
	errInternal:             {"internal", "Internal error.", 500},
	errNotImpl:              {"notImpl", "Not implemented.", 501},
	errDelegateActNotFound:  {"delegateActNotFound", "Delegate account not found.", 404},
	errNotSupported:         {"notSupported", "Operation not supported.", 501},
	errExcessiveLgrRange:    {"excessiveLgrRange", "Ledger range exceeds 1000.", 400},
	errInvalidLgrRange:      {"invalidLgrRange", "Ledger range is invalid.", 400},
	errObjectNotFound:       {"objectNotFound", "The requested object was not found.", 404},
	errBadCredentials:       {"badCredentials", "Credentials do not exist, are not accepted, or have expired.", 400},
	errTxSigned:             {"transactionSigned", "Transaction should not be signed.", 400},
	errDomainMalformed:      {"domainMalformed", "Domain is malformed.", 400},
	errEntryNotFound:        {"entryNotFound", "Entry not found.", 400},
	errUnexpectedLedgerType: {"unexpectedLedgerType", "Unexpected ledger type.", 400},
}

// inject puts an error into an answer, beside what is in it already.
func inject(o obj, code errorCode) obj { return injectText(o, code, errorInfos[code].message) }

// injectText is inject with a text of its own in place of the code's.
func injectText(o obj, code errorCode, text string) obj {
	o["error"] = errorInfos[code].token
	o["error_code"] = int(code)
	o["error_message"] = text
	return o
}

func rpcError(code errorCode) obj               { return inject(obj{}, code) }
func rpcErrorText(code errorCode, s string) obj { return injectText(obj{}, code, s) }

func missingField(name string) obj {
	return rpcErrorText(errInvalidParams, "Missing field '"+name+"'.")
}

func invalidField(name string) obj {
	return rpcErrorText(errInvalidParams, "Invalid field '"+name+"'.")
}

func expectedField(name, kind string) obj {
	return rpcErrorText(errInvalidParams, "Invalid field '"+name+"', not "+kind+".")
}

func hasError(o obj) bool { _, ok := o["error"]; return ok }
