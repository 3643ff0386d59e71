package codec

import "maps"

// What `server_definitions` tells beside the fields and templates that this package works with.

// SerializedTypes returns the numbers of all serialized types by their JSON names (SField.h, ServerDefinitions.cpp), including types
// without a field. The map must not be changed.
func SerializedTypes() map[string]int { return serializedTypes }

var serializedTypes = map[string]int{
	"Unknown": -2, "Done": -1, "NotPresent": 0, "UInt16": 1, "UInt32": 2, "UInt64": 3, "Hash128": 4, "Hash256": 5, "Amount": 6,
	"Blob": 7, "AccountID": 8, "Number": 9, "Int32": 10, "Int64": 11, "STObject": 14, "STArray": 15, "UInt8": 16, "Hash160": 17,
	"PathSet": 18, "Vector256": 19, "UInt96": 20, "Hash192": 21, "Hash384": 22, "Hash512": 23, "Issue": 24, "XChainBridge": 25,
	"Currency": 26, "Transaction": 10001, "LedgerEntry": 10002, "Validation": 10003, "Metadata": 10004,
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
		"temEMPTY_DID", "temARRAY_EMPTY", "temARRAY_TOO_LARGE", "temBAD_TRANSFER_FEE", "temINVALID_INNER_BATCH", "temBAD_MPT",
	},
	-199: {
		"tefFAILURE", "tefALREADY", "tefBAD_ADD_AUTH", "tefBAD_AUTH", "tefBAD_LEDGER", "tefCREATED", "tefEXCEPTION", "tefINTERNAL",
		"tefNO_AUTH_REQUIRED", "tefPAST_SEQ", "tefWRONG_PRIOR", "tefMASTER_DISABLED", "tefMAX_LEDGER", "tefBAD_SIGNATURE",
		"tefBAD_QUORUM", "tefNOT_MULTI_SIGNING", "tefBAD_AUTH_MASTER", "tefINVARIANT_FAILED", "tefTOO_BIG", "tefNO_TICKET",
		"tefNFTOKEN_IS_NOT_TRANSFERABLE", "tefINVALID_LEDGER_FIX_TYPE",
	},
	-99: {
		"terRETRY", "terFUNDS_SPENT", "terINSUF_FEE_B", "terNO_ACCOUNT", "terNO_AUTH", "terNO_LINE", "terOWNERS", "terPRE_SEQ",
		"terLAST", "terNO_RIPPLE", "terQUEUED", "terPRE_TICKET", "terNO_AMM", "terADDRESS_COLLISION", "terNO_DELEGATE_PERMISSION",
		"terLOCKED",
	},
}

// ResultCodes returns the codes of all results by their names (TER.h). The map is the caller's.
func ResultCodes() map[string]int {
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
	return codes
}

// TxTypes returns all transaction types by their names. The map is the caller's.
func TxTypes() map[string]TxType { return maps.Clone(txTypesByName) }

// LedgerEntryTypes returns all ledger entry types by their names. The map is the caller's.
func LedgerEntryTypes() map[string]LedgerEntryType { return maps.Clone(entryTypesByName) }

// CommonTxFields returns the template of the fields common to all transactions. The slice must not be changed.
func CommonTxFields() []TemplateField { return txCommon }

// CommonEntryFields returns the template of the fields common to all ledger entries. The slice must not be changed.
func CommonEntryFields() []TemplateField { return entryCommon }

// OwnFields returns the template of the fields that transactions of the type carry besides the common ones.
func (t TxType) OwnFields() []TemplateField { return txFormats[t].own() }

// OwnFields returns the template of the fields that entries of the type carry besides the common ones.
func (t LedgerEntryType) OwnFields() []TemplateField { return entryFormats[t].own() }

func (f *format) own() []TemplateField {
	if f == nil {
		return nil
	}
	return f.unique
}
