package codec

// The transaction types of rippled 2.3.0 (include/xrpl/protocol/detail/transactions.macro).
const (
	TtPayment                           TxType = 0
	TtEscrowCreate                      TxType = 1
	TtEscrowFinish                      TxType = 2
	TtAccountSet                        TxType = 3
	TtEscrowCancel                      TxType = 4
	TtSetRegularKey                     TxType = 5
	TtOfferCreate                       TxType = 7
	TtOfferCancel                       TxType = 8
	TtTicketCreate                      TxType = 10
	TtSignerListSet                     TxType = 12
	TtPaymentChannelCreate              TxType = 13
	TtPaymentChannelFund                TxType = 14
	TtPaymentChannelClaim               TxType = 15
	TtCheckCreate                       TxType = 16
	TtCheckCash                         TxType = 17
	TtCheckCancel                       TxType = 18
	TtDepositPreauth                    TxType = 19
	TtTrustSet                          TxType = 20
	TtAccountDelete                     TxType = 21
	TtNFTokenMint                       TxType = 25
	TtNFTokenBurn                       TxType = 26
	TtNFTokenCreateOffer                TxType = 27
	TtNFTokenCancelOffer                TxType = 28
	TtNFTokenAcceptOffer                TxType = 29
	TtClawback                          TxType = 30
	TtAMMClawback                       TxType = 31
	TtAMMCreate                         TxType = 35
	TtAMMDeposit                        TxType = 36
	TtAMMWithdraw                       TxType = 37
	TtAMMVote                           TxType = 38
	TtAMMBid                            TxType = 39
	TtAMMDelete                         TxType = 40
	TtXChainCreateClaimID               TxType = 41
	TtXChainCommit                      TxType = 42
	TtXChainClaim                       TxType = 43
	TtXChainAccountCreateCommit         TxType = 44
	TtXChainAddClaimAttestation         TxType = 45
	TtXChainAddAccountCreateAttestation TxType = 46
	TtXChainModifyBridge                TxType = 47
	TtXChainCreateBridge                TxType = 48
	TtDIDSet                            TxType = 49
	TtDIDDelete                         TxType = 50
	TtOracleSet                         TxType = 51
	TtOracleDelete                      TxType = 52
	TtLedgerStateFix                    TxType = 53
	TtMPTokenIssuanceCreate             TxType = 54
	TtMPTokenIssuanceDestroy            TxType = 55
	TtMPTokenIssuanceSet                TxType = 56
	TtMPTokenAuthorize                  TxType = 57
	TtCredentialCreate                  TxType = 58
	TtCredentialAccept                  TxType = 59
	TtCredentialDelete                  TxType = 60
	TtNFTokenModify                     TxType = 61 // 2.4.0
	TtPermissionedDomainSet             TxType = 62 // 2.4.0
	TtPermissionedDomainDelete          TxType = 63 // 2.4.0
	TtEnableAmendment                   TxType = 100
	TtSetFee                            TxType = 101
	TtUNLModify                         TxType = 102
)

// txFormats holds what each type may carry beside the common fields.
var txFormats = map[TxType]*format{
	TtPayment:                           txFormat("Payment", required(SfDestination), required(SfAmount).withMPT(), optional(SfSendMax).withMPT(), defaulted(SfPaths), optional(SfInvoiceID), optional(SfDestinationTag), optional(SfDeliverMin).withMPT(), optional(SfCredentialIDs)),
	TtEscrowCreate:                      txFormat("EscrowCreate", required(SfDestination), required(SfAmount), optional(SfCondition), optional(SfCancelAfter), optional(SfFinishAfter), optional(SfDestinationTag)),
	TtEscrowFinish:                      txFormat("EscrowFinish", required(SfOwner), required(SfOfferSequence), optional(SfFulfillment), optional(SfCondition), optional(SfCredentialIDs)),
	TtAccountSet:                        txFormat("AccountSet", optional(SfEmailHash), optional(SfWalletLocator), optional(SfWalletSize), optional(SfMessageKey), optional(SfDomain), optional(SfTransferRate), optional(SfSetFlag), optional(SfClearFlag), optional(SfTickSize), optional(SfNFTokenMinter)),
	TtEscrowCancel:                      txFormat("EscrowCancel", required(SfOwner), required(SfOfferSequence)),
	TtSetRegularKey:                     txFormat("SetRegularKey", optional(SfRegularKey)),
	TtOfferCreate:                       txFormat("OfferCreate", required(SfTakerPays), required(SfTakerGets), optional(SfExpiration), optional(SfOfferSequence)),
	TtOfferCancel:                       txFormat("OfferCancel", required(SfOfferSequence)),
	TtTicketCreate:                      txFormat("TicketCreate", required(SfTicketCount)),
	TtSignerListSet:                     txFormat("SignerListSet", required(SfSignerQuorum), optional(SfSignerEntries)),
	TtPaymentChannelCreate:              txFormat("PaymentChannelCreate", required(SfDestination), required(SfAmount), required(SfSettleDelay), required(SfPublicKey), optional(SfCancelAfter), optional(SfDestinationTag)),
	TtPaymentChannelFund:                txFormat("PaymentChannelFund", required(SfChannel), required(SfAmount), optional(SfExpiration)),
	TtPaymentChannelClaim:               txFormat("PaymentChannelClaim", required(SfChannel), optional(SfAmount), optional(SfBalance), optional(SfSignature), optional(SfPublicKey), optional(SfCredentialIDs)),
	TtCheckCreate:                       txFormat("CheckCreate", required(SfDestination), required(SfSendMax), optional(SfExpiration), optional(SfDestinationTag), optional(SfInvoiceID)),
	TtCheckCash:                         txFormat("CheckCash", required(SfCheckID), optional(SfAmount), optional(SfDeliverMin)),
	TtCheckCancel:                       txFormat("CheckCancel", required(SfCheckID)),
	TtDepositPreauth:                    txFormat("DepositPreauth", optional(SfAuthorize), optional(SfUnauthorize), optional(SfAuthorizeCredentials), optional(SfUnauthorizeCredentials)),
	TtTrustSet:                          txFormat("TrustSet", optional(SfLimitAmount), optional(SfQualityIn), optional(SfQualityOut)),
	TtAccountDelete:                     txFormat("AccountDelete", required(SfDestination), optional(SfDestinationTag), optional(SfCredentialIDs)),
	TtNFTokenMint:                       txFormat("NFTokenMint", required(SfNFTokenTaxon), optional(SfTransferFee), optional(SfIssuer), optional(SfURI), optional(SfAmount), optional(SfDestination), optional(SfExpiration)),
	TtNFTokenBurn:                       txFormat("NFTokenBurn", required(SfNFTokenID), optional(SfOwner)),
	TtNFTokenCreateOffer:                txFormat("NFTokenCreateOffer", required(SfNFTokenID), required(SfAmount), optional(SfDestination), optional(SfOwner), optional(SfExpiration)),
	TtNFTokenCancelOffer:                txFormat("NFTokenCancelOffer", required(SfNFTokenOffers)),
	TtNFTokenAcceptOffer:                txFormat("NFTokenAcceptOffer", optional(SfNFTokenBuyOffer), optional(SfNFTokenSellOffer), optional(SfNFTokenBrokerFee)),
	TtClawback:                          txFormat("Clawback", required(SfAmount).withMPT(), optional(SfHolder)),
	TtAMMClawback:                       txFormat("AMMClawback", required(SfHolder), required(SfAsset), required(SfAsset2), optional(SfAmount)).from(Release240),
	TtAMMCreate:                         txFormat("AMMCreate", required(SfAmount), required(SfAmount2), required(SfTradingFee)),
	TtAMMDeposit:                        txFormat("AMMDeposit", required(SfAsset), required(SfAsset2), optional(SfAmount), optional(SfAmount2), optional(SfEPrice), optional(SfLPTokenOut), optional(SfTradingFee)),
	TtAMMWithdraw:                       txFormat("AMMWithdraw", required(SfAsset), required(SfAsset2), optional(SfAmount), optional(SfAmount2), optional(SfEPrice), optional(SfLPTokenIn)),
	TtAMMVote:                           txFormat("AMMVote", required(SfAsset), required(SfAsset2), required(SfTradingFee)),
	TtAMMBid:                            txFormat("AMMBid", required(SfAsset), required(SfAsset2), optional(SfBidMin), optional(SfBidMax), optional(SfAuthAccounts)),
	TtAMMDelete:                         txFormat("AMMDelete", required(SfAsset), required(SfAsset2)),
	TtXChainCreateClaimID:               txFormat("XChainCreateClaimID", required(SfXChainBridge), required(SfSignatureReward), required(SfOtherChainSource)),
	TtXChainCommit:                      txFormat("XChainCommit", required(SfXChainBridge), required(SfXChainClaimID), required(SfAmount), optional(SfOtherChainDestination)),
	TtXChainClaim:                       txFormat("XChainClaim", required(SfXChainBridge), required(SfXChainClaimID), required(SfDestination), optional(SfDestinationTag), required(SfAmount)),
	TtXChainAccountCreateCommit:         txFormat("XChainAccountCreateCommit", required(SfXChainBridge), required(SfDestination), required(SfAmount), required(SfSignatureReward)),
	TtXChainAddClaimAttestation:         txFormat("XChainAddClaimAttestation", required(SfXChainBridge), required(SfAttestationSignerAccount), required(SfPublicKey), required(SfSignature), required(SfOtherChainSource), required(SfAmount), required(SfAttestationRewardAccount), required(SfWasLockingChainSend), required(SfXChainClaimID), optional(SfDestination)),
	TtXChainAddAccountCreateAttestation: txFormat("XChainAddAccountCreateAttestation", required(SfXChainBridge), required(SfAttestationSignerAccount), required(SfPublicKey), required(SfSignature), required(SfOtherChainSource), required(SfAmount), required(SfAttestationRewardAccount), required(SfWasLockingChainSend), required(SfXChainAccountCreateCount), required(SfDestination), required(SfSignatureReward)),
	TtXChainModifyBridge:                txFormat("XChainModifyBridge", required(SfXChainBridge), optional(SfSignatureReward), optional(SfMinAccountCreateAmount)),
	TtXChainCreateBridge:                txFormat("XChainCreateBridge", required(SfXChainBridge), required(SfSignatureReward), optional(SfMinAccountCreateAmount)),
	TtDIDSet:                            txFormat("DIDSet", optional(SfDIDDocument), optional(SfURI), optional(SfData)),
	TtDIDDelete:                         txFormat("DIDDelete"),
	TtOracleSet:                         txFormat("OracleSet", required(SfOracleDocumentID), optional(SfProvider), optional(SfURI), optional(SfAssetClass), required(SfLastUpdateTime), required(SfPriceDataSeries)),
	TtOracleDelete:                      txFormat("OracleDelete", required(SfOracleDocumentID)),
	TtLedgerStateFix:                    txFormat("LedgerStateFix", required(SfLedgerFixType), optional(SfOwner)),
	TtMPTokenIssuanceCreate:             txFormat("MPTokenIssuanceCreate", optional(SfAssetScale), optional(SfTransferFee), optional(SfMaximumAmount), optional(SfMPTokenMetadata)).from(Release240),
	TtMPTokenIssuanceDestroy:            txFormat("MPTokenIssuanceDestroy", required(SfMPTokenIssuanceID)).from(Release240),
	TtMPTokenIssuanceSet:                txFormat("MPTokenIssuanceSet", required(SfMPTokenIssuanceID), optional(SfHolder)).from(Release240),
	TtMPTokenAuthorize:                  txFormat("MPTokenAuthorize", required(SfMPTokenIssuanceID), optional(SfHolder)).from(Release240),
	TtCredentialCreate:                  txFormat("CredentialCreate", required(SfSubject), required(SfCredentialType), optional(SfExpiration), optional(SfURI)),
	TtCredentialAccept:                  txFormat("CredentialAccept", required(SfIssuer), required(SfCredentialType)),
	TtCredentialDelete:                  txFormat("CredentialDelete", optional(SfSubject), optional(SfIssuer), required(SfCredentialType)),
	TtNFTokenModify:                     txFormat("NFTokenModify", required(SfNFTokenID), optional(SfOwner), optional(SfURI)).from(Release240),
	TtPermissionedDomainSet:             txFormat("PermissionedDomainSet", optional(SfDomainID), required(SfAcceptedCredentials)).from(Release240),
	TtPermissionedDomainDelete:          txFormat("PermissionedDomainDelete", required(SfDomainID)).from(Release240),
	TtEnableAmendment:                   txFormat("EnableAmendment", required(SfLedgerSequence), required(SfAmendment)),
	TtSetFee:                            txFormat("SetFee", optional(SfLedgerSequence), optional(SfBaseFee), optional(SfReferenceFeeUnits), optional(SfReserveBase), optional(SfReserveIncrement), optional(SfBaseFeeDrops), optional(SfReserveBaseDrops), optional(SfReserveIncrementDrops)),
	TtUNLModify:                         txFormat("UNLModify", required(SfUNLModifyDisabling), required(SfLedgerSequence), required(SfUNLModifyValidator)),
}

// txCommon are the fields every transaction may carry (src/libxrpl/protocol/TxFormats.cpp).
var txCommon = []TemplateField{
	required(SfTransactionType), optional(SfFlags), optional(SfSourceTag), required(SfAccount), required(SfSequence), optional(SfPreviousTxnID), optional(SfLastLedgerSequence), optional(SfAccountTxnID), required(SfFee), optional(SfOperationLimit), optional(SfMemos), required(SfSigningPubKey), optional(SfTicketSequence), optional(SfTxnSignature), optional(SfSigners), optional(SfNetworkID),
}
