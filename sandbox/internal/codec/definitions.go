package codec

import "maps"

// What `server_definitions` tells beside the fields and templates that this package works with.

// SerializedTypes are the types of the release's SField.h by their names in JSON (ServerInfo.cpp), those included that no field here
// has. The map is not to be changed.
func (known Release) SerializedTypes() map[string]int { return serializedTypes[known] }

var serializedTypes = func() (of [Latest + 1]map[string]int) {
	for r := range of {
		of[r] = maps.Clone(commonTypes)
	}
	maps.Copy(of[Release230], map[string]int{"UInt192": 21, "UInt384": 22, "UInt512": 23})
	maps.Copy(of[Release240], map[string]int{"Number": 9, "Hash192": 21, "Hash384": 22, "Hash512": 23})
	return of
}()

var commonTypes = map[string]int{
	"Done": -1, "Unknown": -2, "NotPresent": 0, "UInt16": 1, "UInt32": 2, "UInt64": 3, "Hash128": 4, "Hash256": 5, "Amount": 6,
	"Blob": 7, "AccountID": 8, "STObject": 14, "STArray": 15, "UInt8": 16, "Hash160": 17, "PathSet": 18, "Vector256": 19,
	"UInt96": 20, "Issue": 24, "XChainBridge": 25, "Currency": 26,
	"Transaction": 10001, "LedgerEntry": 10002, "Validation": 10003, "Metadata": 10004,
}

// resultRanges are the codes that metadata cannot hold: those of each range from its first on, in the order of TER.h.
var resultRanges = map[int][]string{
	-399: {
		"telLOCAL_ERROR", "telBAD_DOMAIN", "telBAD_PATH_COUNT", "telBAD_PUBLIC_KEY", "telFAILED_PROCESSING", "telINSUF_FEE_P",
		"telNO_DST_PARTIAL", "telCAN_NOT_QUEUE", "telCAN_NOT_QUEUE_BALANCE", "telCAN_NOT_QUEUE_BLOCKS", "telCAN_NOT_QUEUE_BLOCKED",
		"telCAN_NOT_QUEUE_FEE", "telCAN_NOT_QUEUE_FULL", "telWRONG_NETWORK", "telREQUIRES_NETWORK_ID",
		"telNETWORK_ID_MAKES_TX_NON_CANONICAL", "telENV_RPC_FAILED",
	},
	-299: {
		"temMALFORMED", "temBAD_AMOUNT", "temBAD_CURRENCY", "temBAD_EXPIRATION", "temBAD_FEE", "temBAD_ISSUER", "temBAD_LIMIT",
		"temBAD_OFFER", "temBAD_PATH", "temBAD_PATH_LOOP", "temBAD_REGKEY", "temBAD_SEND_XRP_LIMIT", "temBAD_SEND_XRP_MAX",
		"temBAD_SEND_XRP_NO_DIRECT", "temBAD_SEND_XRP_PARTIAL", "temBAD_SEND_XRP_PATHS", "temBAD_SEQUENCE", "temBAD_SIGNATURE",
		"temBAD_SRC_ACCOUNT", "temBAD_TRANSFER_RATE", "temDST_IS_SRC", "temDST_NEEDED", "temINVALID", "temINVALID_FLAG", "temREDUNDANT",
		"temRIPPLE_EMPTY", "temDISABLED", "temBAD_SIGNER", "temBAD_QUORUM", "temBAD_WEIGHT", "temBAD_TICK_SIZE", "temINVALID_ACCOUNT_ID",
		"temCANNOT_PREAUTH_SELF", "temINVALID_COUNT", "temUNCERTAIN", "temUNKNOWN", "temSEQ_AND_TICKET", "temBAD_NFTOKEN_TRANSFER_FEE",
		"temBAD_AMM_TOKENS", "temXCHAIN_EQUAL_DOOR_ACCOUNTS", "temXCHAIN_BAD_PROOF", "temXCHAIN_BRIDGE_BAD_ISSUES",
		"temXCHAIN_BRIDGE_NONDOOR_OWNER", "temXCHAIN_BRIDGE_BAD_MIN_ACCOUNT_CREATE_AMOUNT", "temXCHAIN_BRIDGE_BAD_REWARD_AMOUNT",
		"temEMPTY_DID", "temARRAY_EMPTY", "temARRAY_TOO_LARGE", "temBAD_TRANSFER_FEE",
	},
	-199: {
		"tefFAILURE", "tefALREADY", "tefBAD_ADD_AUTH", "tefBAD_AUTH", "tefBAD_LEDGER", "tefCREATED", "tefEXCEPTION", "tefINTERNAL",
		"tefNO_AUTH_REQUIRED", "tefPAST_SEQ", "tefWRONG_PRIOR", "tefMASTER_DISABLED", "tefMAX_LEDGER", "tefBAD_SIGNATURE",
		"tefBAD_QUORUM", "tefNOT_MULTI_SIGNING", "tefBAD_AUTH_MASTER", "tefINVARIANT_FAILED", "tefTOO_BIG", "tefNO_TICKET",
		"tefNFTOKEN_IS_NOT_TRANSFERABLE", "tefINVALID_LEDGER_FIX_TYPE",
	},
	-99: {
		"terRETRY", "terFUNDS_SPENT", "terINSUF_FEE_B", "terNO_ACCOUNT", "terNO_AUTH", "terNO_LINE", "terOWNERS", "terPRE_SEQ",
		"terLAST", "terNO_RIPPLE", "terQUEUED", "terPRE_TICKET", "terNO_AMM",
	},
}

// laterResults came with multi-purpose tokens.
var laterResults = []string{"tecLOCKED", "temBAD_TRANSFER_FEE"}

// ResultCodes are the codes of all the release's results by their tokens (TER.h). The map is the caller's.
func (known Release) ResultCodes() map[string]int {
	codes := map[string]int{}
	for first, names := range resultRanges {
		for i, name := range names {
			codes[name] = first + i
		}
	}
	for code, name := range resultNames {
		if name != "" {
			codes[name] = code
		}
	}
	if known < Release240 {
		for _, name := range laterResults {
			delete(codes, name)
		}
	}
	return codes
}

// TxTypes are the transaction types that the release knows by their names. The map is the caller's.
func (known Release) TxTypes() map[string]TxType {
	types := make(map[string]TxType, len(txFormats))
	for t, f := range txFormats {
		if f.since <= known {
			types[f.name] = t
		}
	}
	return types
}

// LedgerEntryTypes are the kinds of ledger entries that the release knows by their names. The map is the caller's.
func (known Release) LedgerEntryTypes() map[string]LedgerEntryType {
	types := make(map[string]LedgerEntryType, len(entryFormats))
	for t, f := range entryFormats {
		if f.since <= known {
			types[f.name] = t
		}
	}
	return types
}
