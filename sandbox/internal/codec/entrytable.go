package codec

// The ledger entry types of xrpld 3.2.0 (include/xrpl/protocol/detail/ledger_entries.macro).
const (
	LtNFTokenOffer                    LedgerEntryType = 0x37
	LtCheck                           LedgerEntryType = 0x43
	LtDID                             LedgerEntryType = 0x49
	LtNegativeUNL                     LedgerEntryType = 0x4e
	LtNFTokenPage                     LedgerEntryType = 0x50
	LtSignerList                      LedgerEntryType = 0x53
	LtTicket                          LedgerEntryType = 0x54
	LtAccountRoot                     LedgerEntryType = 0x61
	LtDirectoryNode                   LedgerEntryType = 0x64
	LtAmendments                      LedgerEntryType = 0x66
	LtLedgerHashes                    LedgerEntryType = 0x68
	LtBridge                          LedgerEntryType = 0x69
	LtOffer                           LedgerEntryType = 0x6f
	LtDepositPreauth                  LedgerEntryType = 0x70
	LtXChainOwnedClaimID              LedgerEntryType = 0x71
	LtRippleState                     LedgerEntryType = 0x72
	LtFeeSettings                     LedgerEntryType = 0x73
	LtXChainOwnedCreateAccountClaimID LedgerEntryType = 0x74
	LtEscrow                          LedgerEntryType = 0x75
	LtPayChannel                      LedgerEntryType = 0x78
	LtAMM                             LedgerEntryType = 0x79
	LtMPTokenIssuance                 LedgerEntryType = 0x7e
	LtMPToken                         LedgerEntryType = 0x7f
	LtOracle                          LedgerEntryType = 0x80
	LtCredential                      LedgerEntryType = 0x81
	LtPermissionedDomain              LedgerEntryType = 0x82
	LtDelegate                        LedgerEntryType = 0x83
	LtVault                           LedgerEntryType = 0x84
	LtLoanBroker                      LedgerEntryType = 0x88
	LtLoan                            LedgerEntryType = 0x89
)

// entryFormats holds the fields of each type besides the common ones.
var entryFormats = map[LedgerEntryType]*format{
	LtNFTokenOffer:                    entryFormat("NFTokenOffer", required(SfOwner), required(SfNFTokenID), required(SfAmount), required(SfOwnerNode), required(SfNFTokenOfferNode), optional(SfDestination), optional(SfExpiration), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq)),
	LtCheck:                           entryFormat("Check", required(SfAccount), required(SfDestination), required(SfSendMax), required(SfSequence), required(SfOwnerNode), required(SfDestinationNode), optional(SfExpiration), optional(SfInvoiceID), optional(SfSourceTag), optional(SfDestinationTag), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq)),
	LtDID:                             entryFormat("DID", required(SfAccount), optional(SfDIDDocument), optional(SfURI), optional(SfData), required(SfOwnerNode), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq)),
	LtNegativeUNL:                     entryFormat("NegativeUNL", optional(SfDisabledValidators), optional(SfValidatorToDisable), optional(SfValidatorToReEnable), optional(SfPreviousTxnID), optional(SfPreviousTxnLgrSeq)),
	LtNFTokenPage:                     entryFormat("NFTokenPage", optional(SfPreviousPageMin), optional(SfNextPageMin), required(SfNFTokens), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq)),
	LtSignerList:                      entryFormat("SignerList", optional(SfOwner), required(SfOwnerNode), required(SfSignerQuorum), required(SfSignerEntries), required(SfSignerListID), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq)),
	LtTicket:                          entryFormat("Ticket", required(SfAccount), required(SfOwnerNode), required(SfTicketSequence), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq)),
	LtAccountRoot:                     entryFormat("AccountRoot", required(SfAccount), required(SfSequence), required(SfBalance), required(SfOwnerCount), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq), optional(SfAccountTxnID), optional(SfRegularKey), optional(SfEmailHash), optional(SfWalletLocator), optional(SfWalletSize), optional(SfMessageKey), optional(SfTransferRate), optional(SfDomain), optional(SfTickSize), optional(SfTicketCount), optional(SfNFTokenMinter), defaulted(SfMintedNFTokens), defaulted(SfBurnedNFTokens), optional(SfFirstNFTokenSequence), optional(SfAMMID), optional(SfVaultID), optional(SfLoanBrokerID)),
	LtDirectoryNode:                   entryFormat("DirectoryNode", optional(SfOwner), optional(SfTakerPaysCurrency), optional(SfTakerPaysIssuer), optional(SfTakerPaysMPT), optional(SfTakerGetsCurrency), optional(SfTakerGetsIssuer), optional(SfTakerGetsMPT), optional(SfExchangeRate), required(SfIndexes), required(SfRootIndex), optional(SfIndexNext), optional(SfIndexPrevious), optional(SfNFTokenID), optional(SfPreviousTxnID), optional(SfPreviousTxnLgrSeq), optional(SfDomainID)),
	LtAmendments:                      entryFormat("Amendments", optional(SfAmendments), optional(SfMajorities), optional(SfPreviousTxnID), optional(SfPreviousTxnLgrSeq)),
	LtLedgerHashes:                    entryFormat("LedgerHashes", optional(SfFirstLedgerSequence), optional(SfLastLedgerSequence), required(SfHashes)),
	LtBridge:                          entryFormat("Bridge", required(SfAccount), required(SfSignatureReward), optional(SfMinAccountCreateAmount), required(SfXChainBridge), required(SfXChainClaimID), required(SfXChainAccountCreateCount), required(SfXChainAccountClaimCount), required(SfOwnerNode), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq)),
	LtOffer:                           entryFormat("Offer", required(SfAccount), required(SfSequence), required(SfTakerPays), required(SfTakerGets), required(SfBookDirectory), required(SfBookNode), required(SfOwnerNode), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq), optional(SfExpiration), optional(SfDomainID), optional(SfAdditionalBooks)),
	LtDepositPreauth:                  entryFormat("DepositPreauth", required(SfAccount), optional(SfAuthorize), required(SfOwnerNode), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq), optional(SfAuthorizeCredentials)),
	LtXChainOwnedClaimID:              entryFormat("XChainOwnedClaimID", required(SfAccount), required(SfXChainBridge), required(SfXChainClaimID), required(SfOtherChainSource), required(SfXChainClaimAttestations), required(SfSignatureReward), required(SfOwnerNode), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq)),
	LtRippleState:                     entryFormat("RippleState", required(SfBalance), required(SfLowLimit), required(SfHighLimit), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq), optional(SfLowNode), optional(SfLowQualityIn), optional(SfLowQualityOut), optional(SfHighNode), optional(SfHighQualityIn), optional(SfHighQualityOut)),
	LtFeeSettings:                     entryFormat("FeeSettings", optional(SfBaseFee), optional(SfReferenceFeeUnits), optional(SfReserveBase), optional(SfReserveIncrement), optional(SfBaseFeeDrops), optional(SfReserveBaseDrops), optional(SfReserveIncrementDrops), optional(SfPreviousTxnID), optional(SfPreviousTxnLgrSeq)),
	LtXChainOwnedCreateAccountClaimID: entryFormat("XChainOwnedCreateAccountClaimID", required(SfAccount), required(SfXChainBridge), required(SfXChainAccountCreateCount), required(SfXChainCreateAccountAttestations), required(SfOwnerNode), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq)),
	LtEscrow:                          entryFormat("Escrow", required(SfAccount), optional(SfSequence), required(SfDestination), required(SfAmount), optional(SfCondition), optional(SfCancelAfter), optional(SfFinishAfter), optional(SfSourceTag), optional(SfDestinationTag), required(SfOwnerNode), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq), optional(SfDestinationNode), optional(SfTransferRate), optional(SfIssuerNode)),
	LtPayChannel:                      entryFormat("PayChannel", required(SfAccount), required(SfDestination), optional(SfSequence), required(SfAmount), required(SfBalance), required(SfPublicKey), required(SfSettleDelay), optional(SfExpiration), optional(SfCancelAfter), optional(SfSourceTag), optional(SfDestinationTag), required(SfOwnerNode), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq), optional(SfDestinationNode)),
	LtAMM:                             entryFormat("AMM", required(SfAccount), defaulted(SfTradingFee), optional(SfVoteSlots), optional(SfAuctionSlot), required(SfLPTokenBalance), required(SfAsset), required(SfAsset2), required(SfOwnerNode), optional(SfPreviousTxnID), optional(SfPreviousTxnLgrSeq)),
	LtMPTokenIssuance:                 entryFormat("MPTokenIssuance", required(SfIssuer), required(SfSequence), defaulted(SfTransferFee), required(SfOwnerNode), defaulted(SfAssetScale), optional(SfMaximumAmount), required(SfOutstandingAmount), optional(SfLockedAmount), optional(SfMPTokenMetadata), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq), optional(SfDomainID), defaulted(SfMutableFlags), optional(SfReferenceHolding)),
	LtMPToken:                         entryFormat("MPToken", required(SfAccount), required(SfMPTokenIssuanceID), defaulted(SfMPTAmount), optional(SfLockedAmount), required(SfOwnerNode), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq)),
	LtOracle:                          entryFormat("Oracle", required(SfOwner), optional(SfOracleDocumentID), required(SfProvider), required(SfPriceDataSeries), required(SfAssetClass), required(SfLastUpdateTime), optional(SfURI), required(SfOwnerNode), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq)),
	LtCredential:                      entryFormat("Credential", required(SfSubject), required(SfIssuer), required(SfCredentialType), optional(SfExpiration), optional(SfURI), required(SfIssuerNode), optional(SfSubjectNode), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq)),
	LtPermissionedDomain:              entryFormat("PermissionedDomain", required(SfOwner), required(SfSequence), required(SfAcceptedCredentials), required(SfOwnerNode), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq)),
	LtDelegate:                        entryFormat("Delegate", required(SfAccount), required(SfAuthorize), required(SfPermissions), required(SfOwnerNode), optional(SfDestinationNode), required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq)),
	LtVault:                           entryFormat("Vault", required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq), required(SfSequence), required(SfOwnerNode), required(SfOwner), required(SfAccount), optional(SfData), required(SfAsset), defaulted(SfAssetsTotal), defaulted(SfAssetsAvailable), defaulted(SfAssetsMaximum), defaulted(SfLossUnrealized), required(SfShareMPTID), required(SfWithdrawalPolicy), defaulted(SfScale)),
	LtLoanBroker:                      entryFormat("LoanBroker", required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq), required(SfSequence), required(SfOwnerNode), required(SfVaultNode), required(SfVaultID), required(SfAccount), required(SfOwner), required(SfLoanSequence), defaulted(SfData), defaulted(SfManagementFeeRate), defaulted(SfOwnerCount), defaulted(SfDebtTotal), defaulted(SfDebtMaximum), defaulted(SfCoverAvailable), defaulted(SfCoverRateMinimum), defaulted(SfCoverRateLiquidation)),
	LtLoan:                            entryFormat("Loan", required(SfPreviousTxnID), required(SfPreviousTxnLgrSeq), required(SfOwnerNode), required(SfLoanBrokerNode), required(SfLoanBrokerID), required(SfLoanSequence), required(SfBorrower), defaulted(SfLoanOriginationFee), defaulted(SfLoanServiceFee), defaulted(SfLatePaymentFee), defaulted(SfClosePaymentFee), defaulted(SfOverpaymentFee), defaulted(SfInterestRate), defaulted(SfLateInterestRate), defaulted(SfCloseInterestRate), defaulted(SfOverpaymentInterestRate), required(SfStartDate), required(SfPaymentInterval), defaulted(SfGracePeriod), defaulted(SfPreviousPaymentDueDate), defaulted(SfNextPaymentDueDate), defaulted(SfPaymentRemaining), required(SfPeriodicPayment), defaulted(SfPrincipalOutstanding), defaulted(SfTotalValueOutstanding), defaulted(SfManagementFeeOutstanding), defaulted(SfLoanScale)),
}

// entryCommon are the fields that every ledger entry may carry (src/libxrpl/protocol/LedgerFormats.cpp).
var entryCommon = []TemplateField{
	optional(SfLedgerIndex), required(SfLedgerEntryType), required(SfFlags),
}

// innerFormats holds the fields of an inner object, by the field that holds it. Objects without an entry here may carry any field
// (src/libxrpl/protocol/InnerObjectFormats.cpp).
var innerFormats = map[*Field][]TemplateField{
	SfSignerEntry:       {required(SfAccount), required(SfSignerWeight), optional(SfWalletLocator)},
	SfSigner:            {required(SfAccount), required(SfSigningPubKey), required(SfTxnSignature)},
	SfMajority:          {required(SfAmendment), required(SfCloseTime)},
	SfDisabledValidator: {required(SfPublicKey), required(SfFirstLedgerSequence)},
	SfNFToken:           {required(SfNFTokenID), optional(SfURI)},
	SfVoteEntry:         {required(SfAccount), defaulted(SfTradingFee), required(SfVoteWeight)},
	SfAuctionSlot:       {required(SfAccount), required(SfExpiration), defaulted(SfDiscountedFee), required(SfPrice), optional(SfAuthAccounts)},
	SfXChainClaimAttestationCollectionElement:         {required(SfAttestationSignerAccount), required(SfPublicKey), required(SfSignature), required(SfAmount), required(SfAccount), required(SfAttestationRewardAccount), required(SfWasLockingChainSend), required(SfXChainClaimID), optional(SfDestination)},
	SfXChainCreateAccountAttestationCollectionElement: {required(SfAttestationSignerAccount), required(SfPublicKey), required(SfSignature), required(SfAmount), required(SfAccount), required(SfAttestationRewardAccount), required(SfWasLockingChainSend), required(SfXChainAccountCreateCount), required(SfDestination), required(SfSignatureReward)},
	SfXChainClaimProofSig:                             {required(SfAttestationSignerAccount), required(SfPublicKey), required(SfAmount), required(SfAttestationRewardAccount), required(SfWasLockingChainSend), optional(SfDestination)},
	SfXChainCreateAccountProofSig:                     {required(SfAttestationSignerAccount), required(SfPublicKey), required(SfAmount), required(SfSignatureReward), required(SfAttestationRewardAccount), required(SfWasLockingChainSend), required(SfDestination)},
	SfAuthAccount:                                     {required(SfAccount)},
	SfPriceData:                                       {required(SfBaseAsset), required(SfQuoteAsset), optional(SfAssetPrice), defaulted(SfScale)},
	SfCredential:                                      {required(SfIssuer), required(SfCredentialType)},
	SfPermission:                                      {required(SfPermissionValue)},
	SfBatchSigner:                                     {required(SfAccount), optional(SfSigningPubKey), optional(SfTxnSignature), optional(SfSigners)},
	SfBook:                                            {required(SfBookDirectory), required(SfBookNode)},
	SfCounterpartySignature:                           {optional(SfSigningPubKey), optional(SfTxnSignature), optional(SfSigners)},
}
