package engine

import (
	"bytes"
	"sort"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// Amendment is a protocol change that the ledger has on. Its id is SHA-512Half
// of its name.
type Amendment struct {
	Name string
	ID   codec.Hash256
}

// amendmentNames are the amendments that a stand-alone rippled of the release
// whose answers this ledger is held to enables in its first ledger.
var amendmentNames = []string{
	"AMM", "CheckCashMakesTrustLine", "Checks", "Clawback", "Credentials", "DID", "DeletableAccounts", "DepositAuth",
	"DepositPreauth", "DisallowIncoming", "ExpandedSignerList", "Flow", "FlowCross", "FlowSortStrands",
	"HardenedValidations", "ImmediateOfferKilled", "MultiSignReserve", "NFTokenMintOffer", "NegativeUNL",
	"NonFungibleTokensV1_1", "PriceOracle", "RequireFullyCanonicalSig", "TicketBatch", "XChainBridge", "XRPFees",
	"fix1513", "fix1515", "fix1543", "fix1571", "fix1578", "fix1623", "fix1781", "fixAMMOverflowOffer", "fixAMMv1_1",
	"fixAmendmentMajorityCalc", "fixCheckThreading", "fixDisallowIncomingV1", "fixEmptyDID", "fixEnforceNFTokenTrustline",
	"fixFillOrKill", "fixInnerObjTemplate", "fixInnerObjTemplate2", "fixMasterKeyAsRegularKey", "fixNFTokenPageLinks",
	"fixNFTokenRemint", "fixNFTokenReserve", "fixNonFungibleTokensV1_2", "fixPayChanRecipientOwnerDir",
	"fixPreviousTxnID", "fixQualityUpperBound", "fixReducedOffersV1", "fixReducedOffersV2",
	"fixRemoveNFTokenAutoTrustLine", "fixRmSmallIncreasedQOffers", "fixSTAmountCanonicalize", "fixTakerDryOfferRemoval",
	"fixTrustLinesToSelf", "fixUniversalNumber", "fixXChainRewardRounding",
}

// Amendments are the amendments in force, in the order of their ids.
var Amendments = func() []Amendment {
	all := make([]Amendment, len(amendmentNames))
	for i, n := range amendmentNames {
		all[i] = Amendment{Name: n, ID: codec.Sha512Half([]byte(n))}
	}
	sort.Slice(all, func(i, j int) bool { return bytes.Compare(all[i].ID[:], all[j].ID[:]) < 0 })
	return all
}()
