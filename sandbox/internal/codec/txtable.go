package codec

// The transaction types of xrpld 3.2.0 (include/xrpl/protocol/detail/transactions.macro).
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
	TtNFTokenModify                     TxType = 61
	TtPermissionedDomainSet             TxType = 62
	TtPermissionedDomainDelete          TxType = 63
	TtDelegateSet                       TxType = 64
	TtVaultCreate                       TxType = 65
	TtVaultSet                          TxType = 66
	TtVaultDelete                       TxType = 67
	TtVaultDeposit                      TxType = 68
	TtVaultWithdraw                     TxType = 69
	TtVaultClawback                     TxType = 70
	TtBatch                             TxType = 71
	TtLoanBrokerSet                     TxType = 74
	TtLoanBrokerDelete                  TxType = 75
	TtLoanBrokerCoverDeposit            TxType = 76
	TtLoanBrokerCoverWithdraw           TxType = 77
	TtLoanBrokerCoverClawback           TxType = 78
	TtLoanSet                           TxType = 80
	TtLoanDelete                        TxType = 81
	TtLoanManage                        TxType = 82
	TtLoanPay                           TxType = 84
	TtEnableAmendment                   TxType = 100
	TtSetFee                            TxType = 101
	TtUNLModify                         TxType = 102
)

// txFormats holds the fields of each type besides the common ones.
var txFormats = map[TxType]*format{
	TtPayment:                           txFormat("Payment", required(SfDestination), required(SfAmount), optional(SfSendMax), defaulted(SfPaths), optional(SfInvoiceID), optional(SfDestinationTag), optional(SfDeliverMin), optional(SfCredentialIDs), optional(SfDomainID)),
	TtEscrowCreate:                      txFormat("EscrowCreate", required(SfDestination), required(SfAmount), optional(SfCondition), optional(SfCancelAfter), optional(SfFinishAfter), optional(SfDestinationTag)),
	TtEscrowFinish:                      txFormat("EscrowFinish", required(SfOwner), required(SfOfferSequence), optional(SfFulfillment), optional(SfCondition), optional(SfCredentialIDs)),
	TtAccountSet:                        txFormat("AccountSet", optional(SfEmailHash), optional(SfWalletLocator), optional(SfWalletSize), optional(SfMessageKey), optional(SfDomain), optional(SfTransferRate), optional(SfSetFlag), optional(SfClearFlag), optional(SfTickSize), optional(SfNFTokenMinter)),
	TtEscrowCancel:                      txFormat("EscrowCancel", required(SfOwner), required(SfOfferSequence)),
	TtSetRegularKey:                     txFormat("SetRegularKey", optional(SfRegularKey)),
	TtOfferCreate:                       txFormat("OfferCreate", required(SfTakerPays), required(SfTakerGets), optional(SfExpiration), optional(SfOfferSequence), optional(SfDomainID)),
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
	TtClawback:                          txFormat("Clawback", required(SfAmount), optional(SfHolder)),
	TtAMMClawback:                       txFormat("AMMClawback", required(SfHolder), required(SfAsset), required(SfAsset2), optional(SfAmount)),
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
	TtLedgerStateFix:                    txFormat("LedgerStateFix", required(SfLedgerFixType), optional(SfOwner), optional(SfBookDirectory)),
	TtMPTokenIssuanceCreate:             txFormat("MPTokenIssuanceCreate", optional(SfAssetScale), optional(SfTransferFee), optional(SfMaximumAmount), optional(SfMPTokenMetadata), optional(SfDomainID), optional(SfMutableFlags)),
	TtMPTokenIssuanceDestroy:            txFormat("MPTokenIssuanceDestroy", required(SfMPTokenIssuanceID)),
	TtMPTokenIssuanceSet:                txFormat("MPTokenIssuanceSet", required(SfMPTokenIssuanceID), optional(SfHolder), optional(SfDomainID), optional(SfMPTokenMetadata), optional(SfTransferFee), optional(SfMutableFlags)),
	TtMPTokenAuthorize:                  txFormat("MPTokenAuthorize", required(SfMPTokenIssuanceID), optional(SfHolder)),
	TtCredentialCreate:                  txFormat("CredentialCreate", required(SfSubject), required(SfCredentialType), optional(SfExpiration), optional(SfURI)),
	TtCredentialAccept:                  txFormat("CredentialAccept", required(SfIssuer), required(SfCredentialType)),
	TtCredentialDelete:                  txFormat("CredentialDelete", optional(SfSubject), optional(SfIssuer), required(SfCredentialType)),
	TtNFTokenModify:                     txFormat("NFTokenModify", required(SfNFTokenID), optional(SfOwner), optional(SfURI)),
	TtPermissionedDomainSet:             txFormat("PermissionedDomainSet", optional(SfDomainID), required(SfAcceptedCredentials)),
	TtPermissionedDomainDelete:          txFormat("PermissionedDomainDelete", required(SfDomainID)),
	TtDelegateSet:                       txFormat("DelegateSet", required(SfAuthorize), required(SfPermissions)),
	TtVaultCreate:                       txFormat("VaultCreate", required(SfAsset), optional(SfAssetsMaximum), optional(SfMPTokenMetadata), optional(SfDomainID), optional(SfWithdrawalPolicy), optional(SfData), optional(SfScale)),
	TtVaultSet:                          txFormat("VaultSet", required(SfVaultID), optional(SfAssetsMaximum), optional(SfDomainID), optional(SfData)),
	TtVaultDelete:                       txFormat("VaultDelete", required(SfVaultID)),
	TtVaultDeposit:                      txFormat("VaultDeposit", required(SfVaultID), required(SfAmount)),
	TtVaultWithdraw:                     txFormat("VaultWithdraw", required(SfVaultID), required(SfAmount), optional(SfDestination), optional(SfDestinationTag)),
	TtVaultClawback:                     txFormat("VaultClawback", required(SfVaultID), required(SfHolder), optional(SfAmount)),
	TtBatch:                             txFormat("Batch", required(SfRawTransactions), optional(SfBatchSigners)),
	TtLoanBrokerSet:                     txFormat("LoanBrokerSet", required(SfVaultID), optional(SfLoanBrokerID), optional(SfData), optional(SfManagementFeeRate), optional(SfDebtMaximum), optional(SfCoverRateMinimum), optional(SfCoverRateLiquidation)),
	TtLoanBrokerDelete:                  txFormat("LoanBrokerDelete", required(SfLoanBrokerID)),
	TtLoanBrokerCoverDeposit:            txFormat("LoanBrokerCoverDeposit", required(SfLoanBrokerID), required(SfAmount)),
	TtLoanBrokerCoverWithdraw:           txFormat("LoanBrokerCoverWithdraw", required(SfLoanBrokerID), required(SfAmount), optional(SfDestination), optional(SfDestinationTag)),
	TtLoanBrokerCoverClawback:           txFormat("LoanBrokerCoverClawback", optional(SfLoanBrokerID), optional(SfAmount)),
	TtLoanSet:                           txFormat("LoanSet", required(SfLoanBrokerID), optional(SfData), optional(SfCounterparty), optional(SfCounterpartySignature), optional(SfLoanOriginationFee), optional(SfLoanServiceFee), optional(SfLatePaymentFee), optional(SfClosePaymentFee), optional(SfOverpaymentFee), optional(SfInterestRate), optional(SfLateInterestRate), optional(SfCloseInterestRate), optional(SfOverpaymentInterestRate), required(SfPrincipalRequested), optional(SfPaymentTotal), optional(SfPaymentInterval), optional(SfGracePeriod)),
	TtLoanDelete:                        txFormat("LoanDelete", required(SfLoanID)),
	TtLoanManage:                        txFormat("LoanManage", required(SfLoanID)),
	TtLoanPay:                           txFormat("LoanPay", required(SfLoanID), required(SfAmount)),
	TtEnableAmendment:                   txFormat("EnableAmendment", required(SfLedgerSequence), required(SfAmendment)),
	TtSetFee:                            txFormat("SetFee", optional(SfLedgerSequence), optional(SfBaseFee), optional(SfReferenceFeeUnits), optional(SfReserveBase), optional(SfReserveIncrement), optional(SfBaseFeeDrops), optional(SfReserveBaseDrops), optional(SfReserveIncrementDrops)),
	TtUNLModify:                         txFormat("UNLModify", required(SfUNLModifyDisabling), required(SfLedgerSequence), required(SfUNLModifyValidator)),
}

// txCommon are the fields that every transaction may carry (src/libxrpl/protocol/TxFormats.cpp).
var txCommon = []TemplateField{
	required(SfTransactionType), optional(SfFlags), optional(SfSourceTag), required(SfAccount), required(SfSequence), optional(SfPreviousTxnID), optional(SfLastLedgerSequence), optional(SfAccountTxnID), required(SfFee), optional(SfOperationLimit), optional(SfMemos), required(SfSigningPubKey), optional(SfTicketSequence), optional(SfTxnSignature), optional(SfSigners), optional(SfNetworkID), optional(SfDelegate),
}
