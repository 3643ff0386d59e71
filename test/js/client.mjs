// The public JavaScript client of the XRP Ledger, unchanged, against the embedded ledger: it connects by WebSocket,
// funds accounts from our faucet, and issues, accepts and deletes credentials with its own autofill and
// submit-and-wait; signs together with others, simulates, and deletes an account. Prints every check, and leaves with a
// status that is not 0 at the first one that fails.
//
// Runs twice, side by side, as most of its time is the client's own waiting: on a ledger that closes every second, and on one
// that closes only on ledger_accept.

import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import xrpl from 'xrpl'

const root = fileURLToPath(new URL('../..', import.meta.url))
const binary = join(root, 'bin', process.platform === 'win32' ? 'sandbox.exe' : 'sandbox')
const limit = 300_000 // ms, for everything: a hang is a failure

const children = new Set() // none outlives this script
const walking = new AsyncLocalStorage() // how often the ledger of a walk closes
let checks = 0
function ok(what) {
  checks++
  console.log(`  ok  ${walking.getStore()}  ${what}`)
}

const hex = (text) => Buffer.from(text).toString('hex').toUpperCase()

// within fails when a promise has not settled in time: nothing here waits for long.
async function within(ms, what, promise) {
  const stop = new AbortController()
  const late = sleep(ms, null, { signal: stop.signal }).then(() => {
    throw new Error(`${what}: nothing after ${ms} ms`)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    stop.abort()
    late.catch(() => {})
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

// ledger starts cmd/sandbox, and resolves with its address when it answers.
async function startLedger(interval) {
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn(binary, ['--listen', address, '--close-interval', interval], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stdout.on('data', (data) => (said += data))
  child.stderr.on('data', (data) => (said += data))
  let exited = false
  children.add(child)
  child.on('exit', () => {
    exited = true
    children.delete(child)
  })
  for (const begun = Date.now(); ; await sleep(50)) {
    if (exited || Date.now() - begun > 10_000) {
      throw new Error(`the sandbox does not answer; it said:\n${said}`)
    }
    const answer = await fetch(`http://${address}/`, { method: 'POST', body: '{"method":"ping"}' }).catch(() => null)
    if (answer?.ok) break
  }
  return {
    address,
    said: () => said,
    async stop() {
      if (exited) throw new Error(`the sandbox ended by itself; it said:\n${said}`)
      const end = once(child, 'exit')
      child.kill('SIGTERM')
      const [status] = await within(10_000, 'stopping the sandbox', end)
      assert.equal(status, 0, `exit status ${status} after SIGTERM; it said:\n${said}`)
    },
  }
}

async function send(client, wallet, tx, want = 'tesSUCCESS') {
  const { result } = await client.submitAndWait({ Account: wallet.classicAddress, ...tx }, { wallet, autofill: true })
  assert.equal(result.validated, true, `${tx.TransactionType} is not validated`)
  assert.equal(result.meta.TransactionResult, want, tx.TransactionType)
  return result
}

const credentialOf = (client, subject, issuer, type) =>
  client.request({
    command: 'ledger_entry',
    ledger_index: 'validated',
    credential: { subject: subject.classicAddress, issuer: issuer.classicAddress, credential_type: hex(type) },
  })

const absent = async (request) => {
  await assert.rejects(request, (error) => error.data?.error === 'entryNotFound')
}

async function fund(client, address, wallet) {
  const funded = await client.fundWallet(wallet, {
    faucetHost: address, faucetPath: '/accounts', faucetProtocol: 'http',
  })
  assert.ok(funded.balance > 0)
  return funded.wallet
}

// lifecycle is the tutorial's: issue, look up, accept, look up, revoke.
async function lifecycle(client, issuer, subject, type) {
  const created = await send(client, issuer, {
    TransactionType: 'CredentialCreate', Subject: subject.classicAddress, CredentialType: hex(type), URI: hex('https://example.com/vc'),
  })
  assert.match(created.hash, /^[0-9A-F]{64}$/)
  let entry = (await credentialOf(client, subject, issuer, type)).result.node
  assert.equal(entry.LedgerEntryType, 'Credential')
  assert.equal(entry.CredentialType, hex(type))
  assert.equal(entry.Flags & 0x00010000, 0, 'accepted before its subject accepted')
  ok(`${type}: issued, and on the ledger unaccepted`)

  const again = await send(client, issuer, {
    TransactionType: 'CredentialCreate', Subject: subject.classicAddress, CredentialType: hex(type),
  }, 'tecDUPLICATE')
  assert.equal(again.meta.AffectedNodes.length, 1, 'a tecDUPLICATE changes the sender alone')
  ok(`${type}: a second one is tecDUPLICATE`)

  await send(client, subject, { TransactionType: 'CredentialAccept', Issuer: issuer.classicAddress, CredentialType: hex(type) })
  entry = (await credentialOf(client, subject, issuer, type)).result.node
  assert.equal(entry.Flags & 0x00010000, 0x00010000, 'not accepted after its subject accepted')
  for (const side of [issuer, subject]) {
    const { result } = await client.request({ command: 'account_objects', account: side.classicAddress, type: 'credential', ledger_index: 'validated' })
    assert.deepEqual(result.account_objects.map((o) => o.index), [entry.index])
  }
  ok(`${type}: accepted, and in both accounts' objects`)

  await send(client, issuer, { TransactionType: 'CredentialDelete', Subject: subject.classicAddress, CredentialType: hex(type) })
  await absent(credentialOf(client, subject, issuer, type))
  for (const side of [issuer, subject]) {
    const { result } = await client.request({ command: 'account_info', account: side.classicAddress, ledger_index: 'validated' })
    assert.equal(result.account_data.OwnerCount, 0)
  }
  ok(`${type}: deleted, and no reserve left behind`)
  return created
}

async function subscriptions(client, issuer, subject) {
  const closes = []
  const seen = []
  const onLedger = (ledger) => closes.push(ledger.ledger_index)
  const onTransaction = (message) => seen.push(message)
  client.on('ledgerClosed', onLedger)
  client.on('transaction', onTransaction)
  const { result } = await client.request({ command: 'subscribe', streams: ['ledger'], accounts: [subject.classicAddress] })
  assert.ok(result.ledger_index > 0)
  const created = await send(client, issuer, {
    TransactionType: 'CredentialCreate', Subject: subject.classicAddress, CredentialType: hex('Streamed'),
  })
  for (const begun = Date.now(); seen.length < 1 || closes.length < 2; await sleep(20)) {
    assert.ok(Date.now() - begun < 10_000, `after 10 s: ${seen.length} transactions, ${closes.length} closes`)
  }
  assert.equal(seen[0].hash ?? seen[0].transaction?.hash, created.hash)
  assert.equal(seen[0].validated, true)
  closes.forEach((index, i) => assert.equal(index, closes[0] + i, `closes ${closes}`))
  await client.request({ command: 'unsubscribe', streams: ['ledger'], accounts: [subject.classicAddress] })
  client.off('ledgerClosed', onLedger)
  client.off('transaction', onTransaction)
  await send(client, subject, { TransactionType: 'CredentialDelete', Issuer: issuer.classicAddress, CredentialType: hex('Streamed') })
  ok('subscribe: closes without a gap, and the transaction about the subject')
}

// pages: more entries than fit a page, issued at once with tickets so that it takes two closes and not twelve.
async function pages(client, issuer, subject) {
  const many = 12
  const { result: info } = await client.request({ command: 'account_info', account: issuer.classicAddress, ledger_index: 'current' })
  await send(client, issuer, { TransactionType: 'TicketCreate', TicketCount: many })
  const first = info.account_data.Sequence + 1
  await Promise.all(Array.from({ length: many }, (_, i) => send(client, issuer, {
    TransactionType: 'CredentialCreate', Subject: subject.classicAddress, CredentialType: hex(`Page${i}`),
    Sequence: 0, TicketSequence: first + i,
  })))
  const wanted = Array.from({ length: many }, (_, i) => hex(`Page${i}`)).toSorted()
  const request = { command: 'account_objects', account: issuer.classicAddress, type: 'credential', ledger_index: 'validated' }
  const types = (answers) => answers.flatMap((a) => a.result.account_objects).map((o) => o.CredentialType).toSorted()
  assert.deepEqual(types(await client.requestAll(request)), wanted)
  const answers = []
  let marker
  do {
    const last = answers.at(-1)?.result.ledger_index ?? 'validated'
    answers.push(await client.request({ ...request, limit: 10, ledger_index: last, marker }))
    marker = answers.at(-1).result.marker
  } while (marker)
  assert.ok(answers.length >= 2, 'everything came in one page')
  assert.deepEqual(types(answers), wanted)
  ok(`${many} issued with tickets at once, and listed in ${answers.length} pages`)
}

async function lookups(client, issuer, created) {
  const byHash = (await client.request({ command: 'tx', transaction: created.hash })).result
  assert.equal(byHash.validated, true)
  assert.equal(byHash.ledger_index, created.ledger_index)
  const byCTID = (await client.request({ command: 'tx', ctid: created.ctid })).result
  assert.equal(byCTID.hash, created.hash)
  const v1 = (await client.request({ command: 'tx', transaction: created.hash, api_version: 1 })).result
  assert.equal(v1.TransactionType, 'CredentialCreate')
  await assert.rejects(client.request({ command: 'tx', transaction: '0'.repeat(63) + '1' }), (e) => e.data?.error === 'txnNotFound')
  const history = (await client.request({ command: 'account_tx', account: issuer.classicAddress, limit: 200 })).result
  assert.ok(history.transactions.some((t) => t.hash === created.hash))
  ok('tx by hash, by ctid and in API version 1; account_tx')
}

// holdings: what the client asks of tokens and offers, of which the ledger has none.
async function holdings(client, account) {
  assert.deepEqual(await client.getBalances(account.classicAddress), [{ currency: 'XRP', value: String(await client.getXrpBalance(account.classicAddress)) }])
  assert.deepEqual(await client.getOrderbook({ currency: 'XRP' }, { currency: 'USD', issuer: account.classicAddress }), { buy: [], sell: [] })
  for (const [command, list] of Object.entries({
    account_channels: 'channels', account_currencies: 'send_currencies', account_lines: 'lines', account_nfts: 'account_nfts', account_offers: 'offers',
  })) {
    const { result } = await client.request({ command, account: account.classicAddress, ledger_index: 'validated' })
    assert.deepEqual(result[list], [], command)
  }
  ok('getBalances, getOrderbook, and what else lists tokens and offers: none')
}

// regularKey: the key that signs is not the master key, and of the other family.
async function regularKey(client, issuer, subject) {
  const key = xrpl.Wallet.generate(issuer.publicKey.startsWith('ED') ? 'ecdsa-secp256k1' : 'ed25519')
  await send(client, issuer, { TransactionType: 'SetRegularKey', RegularKey: key.classicAddress })
  const { result } = await client.submitAndWait({
    TransactionType: 'CredentialCreate', Account: issuer.classicAddress, Subject: subject.classicAddress, CredentialType: hex('ByRegularKey'),
  }, { wallet: key, autofill: true })
  assert.equal(result.meta.TransactionResult, 'tesSUCCESS')
  ok('issued with a regular key of the other family')
}

const kindOf = (issuer, type) => ({ Credential: { Issuer: issuer.classicAddress, CredentialType: hex(type) } })

// gate: an account that wants deposits authorized, and takes them from who holds a set of credentials, or by name.
async function gate(client, owner, issuer, holder) {
  await send(client, owner, { TransactionType: 'AccountSet', SetFlag: xrpl.AccountSetAsfFlags.asfDepositAuth })
  const types = ['Gate.KYC', 'Gate.Accredited']
  for (const type of types) {
    await send(client, issuer, { TransactionType: 'CredentialCreate', Subject: holder.classicAddress, CredentialType: hex(type) })
    await send(client, holder, { TransactionType: 'CredentialAccept', Issuer: issuer.classicAddress, CredentialType: hex(type) })
  }
  const ids = []
  for (const type of types) ids.push((await credentialOf(client, holder, issuer, type)).result.index)
  const authorized = async (credentials) =>
    (await client.request({
      command: 'deposit_authorized', source_account: holder.classicAddress, destination_account: owner.classicAddress,
      ledger_index: 'validated', ...(credentials && { credentials }),
    })).result
  const pay = (want, fields) => send(client, holder, {
    TransactionType: 'Payment', Destination: owner.classicAddress, Amount: xrpl.xrpToDrops(5), ...fields,
  }, want)

  assert.equal((await authorized(ids)).deposit_authorized, false)
  await pay('tecNO_PERMISSION', { CredentialIDs: ids })
  const AuthorizeCredentials = types.map((type) => kindOf(issuer, type))
  await send(client, owner, { TransactionType: 'DepositPreauth', AuthorizeCredentials })
  const told = await authorized(ids.toReversed())
  assert.equal(told.deposit_authorized, true)
  assert.deepEqual(told.credentials, ids.toReversed())
  assert.equal((await authorized(ids.slice(1))).deposit_authorized, false)
  assert.equal((await authorized()).deposit_authorized, false)
  await pay('tesSUCCESS', { CredentialIDs: ids.toReversed() })
  await pay('tecNO_PERMISSION', { CredentialIDs: ids.slice(1) })
  await pay('tecNO_PERMISSION')
  await assert.rejects(authorized(['0'.repeat(63) + '1']), (error) => error.data?.error === 'badCredentials')

  const entry = (authorization) => client.request({
    command: 'ledger_entry', ledger_index: 'validated', deposit_preauth: { owner: owner.classicAddress, ...authorization },
  })
  const authorized_credentials = types.map((type) => ({ issuer: issuer.classicAddress, credential_type: hex(type) }))
  const { node } = (await entry({ authorized_credentials })).result
  assert.deepEqual(node.AuthorizeCredentials.map((c) => c.Credential.CredentialType), types.map(hex).toSorted())
  ok('a set of credentials lets its holder pay an account that wants deposits authorized')

  await send(client, owner, { TransactionType: 'DepositPreauth', Authorize: holder.classicAddress })
  await pay('tesSUCCESS')
  assert.equal((await entry({ authorized: holder.classicAddress })).result.node.Authorize, holder.classicAddress)
  const { result } = await client.request({ command: 'account_objects', account: owner.classicAddress, type: 'deposit_preauth', ledger_index: 'validated' })
  assert.equal(result.account_objects.length, 2)
  await send(client, owner, { TransactionType: 'DepositPreauth', Unauthorize: holder.classicAddress })
  await send(client, owner, { TransactionType: 'DepositPreauth', UnauthorizeCredentials: AuthorizeCredentials.toReversed() })
  await pay('tecNO_PERMISSION', { CredentialIDs: ids })
  await absent(entry({ authorized_credentials }))
  await send(client, owner, { TransactionType: 'AccountSet', ClearFlag: xrpl.AccountSetAsfFlags.asfDepositAuth })
  ok('so does its name; both taken back')
}

// expired: a payment that names a credential which has expired fails, and the credential is gone.
async function expired(client, issuer, holder) {
  const { result: { ledger } } = await client.request({ command: 'ledger', ledger_index: 'validated' })
  const Expiration = ledger.close_time + 18 // closed on command, a ledger takes a fifth of a second and counts for a whole one
  await send(client, issuer, { TransactionType: 'CredentialCreate', Subject: holder.classicAddress, CredentialType: hex('Brief'), Expiration })
  await send(client, holder, { TransactionType: 'CredentialAccept', Issuer: issuer.classicAddress, CredentialType: hex('Brief') })
  const { result: { index } } = await credentialOf(client, holder, issuer, 'Brief')
  for (const begun = Date.now(); ; await sleep(100)) {
    const { result } = await client.request({ command: 'ledger', ledger_index: 'validated' })
    if (result.ledger.parent_close_time > Expiration) break
    assert.ok(Date.now() - begun < 60_000, 'no ledger past the expiration')
  }
  await send(client, holder, {
    TransactionType: 'Payment', Destination: issuer.classicAddress, Amount: xrpl.xrpToDrops(1), CredentialIDs: [index],
  }, 'tecEXPIRED')
  await absent(credentialOf(client, holder, issuer, 'Brief'))
  ok('an expired credential fails the payment that names it, and is deleted')
}

// identity: a DID, and a domain that accepts credentials.
async function identity(client, owner, issuer) {
  const did = () => client.request({ command: 'ledger_entry', ledger_index: 'validated', did: owner.classicAddress })
  await send(client, owner, { TransactionType: 'DIDSet', URI: hex('did:example:1'), Data: hex('attested') })
  await send(client, owner, { TransactionType: 'DIDSet', Data: '', DIDDocument: hex('{}') })
  const { node } = (await did()).result
  assert.deepEqual([node.URI, node.DIDDocument, node.Data], [hex('did:example:1'), hex('{}'), undefined])
  await send(client, owner, { TransactionType: 'DIDSet', URI: '', DIDDocument: '' }, 'tecEMPTY_DID')
  await send(client, owner, { TransactionType: 'DIDDelete' })
  await send(client, owner, { TransactionType: 'DIDDelete' }, 'tecNO_ENTRY')
  await absent(did())
  ok('a DID: set, changed, deleted')

  const created = await send(client, owner, {
    TransactionType: 'PermissionedDomainSet', AcceptedCredentials: [kindOf(owner, 'B'), kindOf(issuer, 'A')],
  })
  const DomainID = created.meta.AffectedNodes.find((n) => n.CreatedNode?.LedgerEntryType === 'PermissionedDomain').CreatedNode.LedgerIndex
  const domain = () => client.request({
    command: 'ledger_entry', ledger_index: 'validated', permissioned_domain: { account: owner.classicAddress, seq: created.tx_json.Sequence },
  })
  assert.equal((await domain()).result.index, DomainID)
  await send(client, issuer, { TransactionType: 'PermissionedDomainSet', DomainID, AcceptedCredentials: [kindOf(issuer, 'A')] }, 'tecNO_PERMISSION')
  await send(client, owner, { TransactionType: 'PermissionedDomainSet', DomainID, AcceptedCredentials: [kindOf(issuer, 'A')] })
  assert.deepEqual((await domain()).result.node.AcceptedCredentials, [kindOf(issuer, 'A')])
  const { result } = await client.request({ command: 'account_objects', account: owner.classicAddress, type: 'permissioned_domain', ledger_index: 'validated' })
  assert.deepEqual(result.account_objects.map((o) => o.index), [DomainID])
  await send(client, owner, { TransactionType: 'PermissionedDomainDelete', DomainID })
  await absent(domain())
  ok('a permissioned domain: made, changed, deleted')
}

// multisign: a list of two, of both key families, one of them an address without an account; what both signed goes in by
// submit and by submit_multisigned, and what one alone signed does not.
async function multisign(client, account, member) {
  const outsider = xrpl.Wallet.generate('ed25519')
  const entry = (wallet) => ({ SignerEntry: { Account: wallet.classicAddress, SignerWeight: 1 } })
  await send(client, account, { TransactionType: 'SignerListSet', SignerQuorum: 2, SignerEntries: [entry(member), entry(outsider)] })
  for (const [version, at] of [[1, 'account_data'], [2, null]]) {
    const { result } = await client.request({
      command: 'account_info', account: account.classicAddress, signer_lists: true, ledger_index: 'validated', api_version: version,
    })
    const lists = (at ? result[at] : result).signer_lists
    assert.equal(lists.length, 1)
    assert.equal(lists[0].SignerQuorum, 2)
    assert.deepEqual(lists[0].SignerEntries.map((e) => e.SignerEntry.Account).toSorted(), [member, outsider].map((w) => w.classicAddress).toSorted())
  }
  ok('SignerListSet, and the list in account_info of both API versions')

  const prepare = async (tx) => client.autofill({ Account: account.classicAddress, ...tx }, 2)
  let tx = await prepare({ TransactionType: 'AccountSet', Domain: hex('example.com') })
  assert.ok(Number(tx.Fee) >= 30, `a fee of ${tx.Fee} for two signatures`)
  const signatures = [member, outsider].map((wallet) => wallet.sign(tx, true).tx_blob)
  const alone = await client.request({ command: 'submit', tx_blob: xrpl.multisign([signatures[0]]) })
  assert.equal(alone.result.engine_result, 'tefBAD_QUORUM')
  const { result } = await client.submitAndWait(xrpl.multisign(signatures))
  assert.equal(result.meta.TransactionResult, 'tesSUCCESS')
  ok('signed by two, combined by the client, submitted and validated; by one of them it is tefBAD_QUORUM')

  tx = await prepare({ TransactionType: 'SignerListSet', SignerQuorum: 0 })
  const both = xrpl.decode(xrpl.multisign([outsider, member].map((wallet) => wallet.sign(tx, true).tx_blob)))
  const answer = await client.request({ command: 'submit_multisigned', tx_json: both })
  assert.equal(answer.result.engine_result, 'tesSUCCESS')
  const hash = xrpl.hashes.hashSignedTx(xrpl.encode(both))
  for (const begun = Date.now(); ; await sleep(50)) {
    const found = await client.request({ command: 'tx', transaction: hash }).catch(() => null)
    if (found?.result.validated) {
      assert.equal(found.result.meta.TransactionResult, 'tesSUCCESS')
      break
    }
    assert.ok(Date.now() - begun < 10_000, 'submit_multisigned: not validated after 10 s')
  }
  await absent(client.request({
    command: 'ledger_entry', ledger_index: 'validated', index: xrpl.hashes.hashSignerListId(account.classicAddress),
  }))
  ok('submit_multisigned, with which two delete the list')
}

// simulated: what the client's simulate says, with nothing signed and nothing changed.
async function simulated(client, account, other) {
  const before = await client.request({ command: 'account_info', account: account.classicAddress, ledger_index: 'current' })
  const { result } = await client.simulate({
    TransactionType: 'Payment', Account: account.classicAddress, Destination: other.classicAddress, Amount: '7',
  })
  assert.equal(result.engine_result, 'tesSUCCESS')
  assert.equal(result.applied, false)
  assert.equal(result.meta.AffectedNodes.length, 2)
  assert.equal(result.meta.delivered_amount, '7')
  const refused = await client.simulate({
    TransactionType: 'CredentialAccept', Account: account.classicAddress, Issuer: other.classicAddress, CredentialType: hex('never issued'),
  })
  assert.equal(refused.result.engine_result, 'tecNO_ENTRY')
  const binary = await client.simulate(
    { TransactionType: 'AccountSet', Account: account.classicAddress }, { binary: true },
  )
  assert.equal(xrpl.decode(binary.result.tx_blob).TransactionType, 'AccountSet')
  const after = await client.request({ command: 'account_info', account: account.classicAddress, ledger_index: 'current' })
  assert.equal(after.result.account_data.Balance, before.result.account_data.Balance)
  assert.equal(after.result.account_data.Sequence, before.result.account_data.Sequence)
  ok('simulate: a success, a refusal, in binary; and nothing of it happened')
}

// deletion: an account goes, with the credential about it and its ticket, once the ledger is old enough.
async function deletion(client, address, issuer) {
  const leaver = await fund(client, address, xrpl.Wallet.generate())
  await send(client, issuer, { TransactionType: 'CredentialCreate', Subject: leaver.classicAddress, CredentialType: hex('Leaver') })
  await send(client, leaver, { TransactionType: 'CredentialAccept', Issuer: issuer.classicAddress, CredentialType: hex('Leaver') })
  await send(client, leaver, { TransactionType: 'TicketCreate', TicketCount: 1 })
  const leave = { TransactionType: 'AccountDelete', Destination: issuer.classicAddress }
  const early = await client.simulate({ Account: leaver.classicAddress, ...leave })
  assert.equal(early.result.engine_result, 'tecTOO_SOON')
  for (let i = 0; i < 260; i++) await client.request({ command: 'ledger_accept' })
  const gone = await send(client, leaver, leave)
  assert.ok(Number(gone.tx_json.Fee) >= 200_000, `a fee of ${gone.tx_json.Fee}`)
  assert.equal(gone.meta.delivered_amount, gone.meta.DeliveredAmount)
  const deleted = gone.meta.AffectedNodes.filter((n) => n.DeletedNode).map((n) => n.DeletedNode.LedgerEntryType).toSorted()
  assert.deepEqual(deleted, ['AccountRoot', 'Credential', 'DirectoryNode', 'Ticket'])
  await assert.rejects(
    client.request({ command: 'account_info', account: leaver.classicAddress, ledger_index: 'validated' }), (e) => e.data?.error === 'actNotFound',
  )
  await absent(credentialOf(client, leaver, issuer, 'Leaver'))
  ok('AccountDelete: tecTOO_SOON, then gone, with its credential and ticket')
}

// definitions: the server reads what the client writes.
async function definitions(client) {
  const { result } = await client.request({ command: 'server_definitions' })
  const own = (await import('ripple-binary-codec')).DEFAULT_DEFINITIONS
  for (const [name, number] of Object.entries(result.TRANSACTION_TYPES)) {
    if (name !== 'Invalid') assert.equal(own.transactionType.from(name).ordinal, number, name)
  }
  for (const [name, number] of Object.entries(result.LEDGER_ENTRY_TYPES)) {
    if (name !== 'Invalid') assert.equal(own.ledgerEntryType.from(name).ordinal, number, name)
  }
  for (const [name, number] of Object.entries(result.TRANSACTION_RESULTS)) {
    assert.equal(own.transactionResult.from(name).ordinal, number, name)
  }
  const again = await client.request({ command: 'server_definitions', hash: result.hash })
  assert.equal(again.result.hash, result.hash)
  assert.equal(again.result.FIELDS, undefined)
  ok("server_definitions: the client's own numbers, and a short answer to its hash")
}

async function server(client) {
  const { info } = (await client.request({ command: 'server_info' })).result
  assert.ok(info.validated_ledger.seq > 0)
  assert.ok(info.complete_ledgers.length > 0)
  const { features } = (await client.request({ command: 'feature' })).result
  assert.ok(Object.values(features).some((f) => f.name === 'Credentials' && f.enabled), 'the Credentials amendment is not enabled')
  const { drops } = (await client.request({ command: 'fee' })).result
  assert.ok(Number(drops.base_fee) > 0)
  assert.equal(await client.getLedgerIndex() > 0, true)
  ok(`server_info (${info.build_version}), feature, fee`)
}

async function walk(interval) {
  console.log(`xrpl.js ${xrplVersion()} against a ledger that closes ${interval === '0s' ? 'only on ledger_accept' : `every ${interval}`}`)
  const ledger = await startLedger(interval)
  const client = new xrpl.Client(`ws://${ledger.address}`)
  let closing = interval === '0s'
  let closer = Promise.resolve()
  try {
    await within(10_000, 'connecting', client.connect())
    ok('connected')
    if (closing) {
      const before = await client.getLedgerIndex()
      await sleep(1500)
      assert.equal(await client.getLedgerIndex(), before)
      ok('the ledger stays open by itself')
      closer = (async () => {
        while (closing) {
          await client.request({ command: 'ledger_accept' })
          await sleep(200)
        }
      })()
      closer.catch(() => {})
    }
    await server(client)
    // One issuer and one subject of each key family: funded by the faucet, at the same moment.
    const wallets = ['ed25519', 'ecdsa-secp256k1', 'ecdsa-secp256k1', 'ed25519'].map((family) => xrpl.Wallet.generate(family))
    const [edIssuer, secpIssuer, secpSubject, edSubject] = await Promise.all(wallets.map((w) => fund(client, ledger.address, w)))
    ok('four accounts funded, two of each key family')

    const created = await lifecycle(client, edIssuer, secpSubject, 'Ed25519.to.secp256k1')
    await lifecycle(client, secpIssuer, edSubject, 'Secp256k1.to.ed25519')
    await Promise.all([lookups(client, edIssuer, created), holdings(client, edIssuer)])
    await subscriptions(client, edIssuer, edSubject)
    await pages(client, secpIssuer, secpSubject)
    await gate(client, edSubject, secpIssuer, secpSubject)
    await Promise.all([expired(client, secpIssuer, edSubject), identity(client, edIssuer, secpSubject)])
    await regularKey(client, edIssuer, secpSubject)
    await definitions(client)
    await simulated(client, secpIssuer, edSubject)
    await multisign(client, secpIssuer, secpSubject)
    await deletion(client, ledger.address, edIssuer)
  } catch (error) {
    console.error(`the sandbox said:\n${ledger.said()}`)
    throw error
  } finally {
    closing = false
    await closer.catch(() => {})
    await client.disconnect()
  }
  await ledger.stop()
  ok('the sandbox stopped cleanly on SIGTERM')
}

function xrplVersion() {
  const said = spawnSync(process.execPath, ['-p', "require('xrpl/package.json').version"], { cwd: fileURLToPath(new URL('.', import.meta.url)) })
  return String(said.stdout).trim()
}

const watchdog = setTimeout(() => {
  console.error(`not done after ${limit / 1000} s`)
  process.exit(1)
}, limit)
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')))

const build = spawnSync('go', ['build', '-o', binary, './cmd/sandbox'], { cwd: root, stdio: 'inherit' })
assert.equal(build.status, 0, 'cmd/sandbox does not build')
await Promise.all(['1s', '0s'].map((interval) => walking.run(interval, walk, interval)))
clearTimeout(watchdog)
console.log(`${checks} checks passed`)
