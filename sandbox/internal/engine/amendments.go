package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// Amendment is a protocol change that the ledger has on. Its id is SHA-512Half
// of its name.
type Amendment struct {
	Name string
	ID   codec.Hash256
}

// PermissionedDomains is the amendment that brings XLS-80's transactions. It
// came after the release whose answers this ledger is held to, so a ledger has
// it only where it is asked for.
const PermissionedDomains = "PermissionedDomains"

// LaterAmendments are the amendments that a ledger may have beside those that
// every ledger has, by name.
var LaterAmendments = []string{PermissionedDomains}

// amendmentNames are the amendments that every ledger has: those that a
// stand-alone rippled of the release whose answers this ledger is held to
// enables in its first ledger.
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

// rules are the amendments that a ledger has, by name. They are those of its
// first ledger: nothing votes here.
type rules struct {
	list []Amendment // in the order of their ids
	on   map[string]bool
}

// newRules takes the names of later amendments, each once.
func newRules(later []string) (*rules, error) {
	r := &rules{on: map[string]bool{}}
	add := func(name string) {
		r.on[name] = true
		r.list = append(r.list, Amendment{Name: name, ID: codec.Sha512Half([]byte(name))})
	}
	for _, n := range amendmentNames {
		add(n)
	}
	for _, n := range later {
		switch {
		case !slices.Contains(LaterAmendments, n):
			return nil, fmt.Errorf("there is no amendment %q to ask for; there is %s", n, strings.Join(LaterAmendments, ", "))
		case r.on[n]:
			return nil, fmt.Errorf("the amendment %s is asked for twice", n)
		}
		add(n)
	}
	slices.SortFunc(r.list, func(a, b Amendment) int { return compareHashes(a.ID, b.ID) })
	return r, nil
}

// release is the release of rippled whose definitions fit the amendments: one
// that lacks an amendment's code knows none of its fields.
func (r *rules) release() codec.Release {
	if r.on[PermissionedDomains] {
		return codec.Release240
	}
	return codec.Release230
}
