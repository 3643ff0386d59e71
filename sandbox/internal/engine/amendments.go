package engine

import (
	"slices"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// Amendment is a protocol change. Its id is SHA-512Half of its name.
type Amendment struct {
	Name string
	ID   codec.Hash256
}

// enabledNames are the amendments of every ledger: those that xrpld 3.2.0
// supports (features.macro).
var enabledNames = []string{
	"AMM", "AMMClawback", "Clawback", "Credentials", "DID", "DeepFreeze", "DynamicNFT", "LendingProtocol", "MPTokensV1",
	"NFTokenMintOffer", "PermissionedDEX", "PermissionedDomains", "PriceOracle", "SingleAssetVault", "TokenEscrow",
	"XChainBridge", "XRPFees", "fixAMMClawbackRounding", "fixAMMOverflowOffer", "fixAMMv1_1", "fixAMMv1_2", "fixAMMv1_3",
	"fixCleanup3_1_3", "fixCleanup3_2_0", "fixDirectoryLimit", "fixDisallowIncomingV1", "fixEmptyDID",
	"fixEnforceNFTokenTrustline", "fixEnforceNFTokenTrustlineV2", "fixFillOrKill", "fixFrozenLPTokenTransfer",
	"fixIncludeKeyletFields", "fixInnerObjTemplate", "fixInnerObjTemplate2", "fixInvalidTxFlags",
	"fixMPTDeliveredAmount", "fixNFTokenPageLinks", "fixNFTokenReserve", "fixPayChanCancelAfter", "fixPreviousTxnID",
	"fixPriceOracleOrder", "fixReducedOffersV2", "fixRemoveNFTokenAutoTrustLine", "fixTokenEscrowV1",
	"fixUniversalNumber", "fixXChainRewardRounding",
}

// retiredNames are amendments whose rules always apply. xrpld has no code for
// the time before them, and no ledger lists them (features.macro).
var retiredNames = []string{
	"CheckCashMakesTrustLine", "Checks", "CryptoConditions", "CryptoConditionsSuite", "DeletableAccounts", "DepositAuth",
	"DepositPreauth", "DisallowIncoming", "EnforceInvariants", "Escrow", "ExpandedSignerList", "FeeEscalation", "Flow",
	"FlowCross", "FlowSortStrands", "HardenedValidations", "ImmediateOfferKilled", "MultiSign", "MultiSignReserve",
	"NegativeUNL", "NonFungibleTokensV1_1", "PayChan", "RequireFullyCanonicalSig", "SortedDirectories", "TickSize",
	"TicketBatch", "TrustSetAuth", "fix1201", "fix1368", "fix1373", "fix1512", "fix1513", "fix1515", "fix1523",
	"fix1528", "fix1543", "fix1571", "fix1578", "fix1623", "fix1781", "fixAmendmentMajorityCalc", "fixCheckThreading",
	"fixMasterKeyAsRegularKey", "fixNFTokenRemint", "fixNonFungibleTokensV1_2", "fixPayChanRecipientOwnerDir",
	"fixQualityUpperBound", "fixReducedOffersV1", "fixRmSmallIncreasedQOffers", "fixSTAmountCanonicalize",
	"fixTakerDryOfferRemoval", "fixTrustLinesToSelf",
}

var (
	enabledAmendments = amendmentsOf(enabledNames)
	retiredAmendments = amendmentsOf(retiredNames)
)

func amendmentsOf(names []string) []Amendment {
	list := make([]Amendment, len(names))
	for i, name := range names {
		list[i] = Amendment{Name: name, ID: codec.Sha512Half([]byte(name))}
	}
	slices.SortFunc(list, func(a, b Amendment) int { return compareHashes(a.ID, b.ID) })
	return list
}

// EnabledAmendments returns the amendments of the ledger in the order of their
// ids. The slice is shared and must not be changed.
func EnabledAmendments() []Amendment { return enabledAmendments }

// RetiredAmendments returns the retired amendments in the order of their ids.
// The slice is shared and must not be changed.
func RetiredAmendments() []Amendment { return retiredAmendments }
