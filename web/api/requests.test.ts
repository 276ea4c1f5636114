import { makeClient } from '@porttunneler/shared/api/client'
import { describe, expect, test } from 'vitest'
import { alertPairs } from '../testing/alert-pairs.ts'
import { operatorServicePairs } from '../testing/operator-pairs.ts'
import { AccountChoice } from './account-choice.ts'
import { readAllPages } from './all-pages.ts'
import { makeCalls } from './calls.ts'
import { ApiFailure, signedOut } from './failure.ts'
import { OperatorView } from './operator-view.ts'
import { makeRequests } from './requests.ts'
import type { Session } from './session.ts'

type Sent = {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly body: string
}

/** A fetch that notes what is sent and answers from a list, the last answer again and again. */
function makeFetch(...answers: (() => Response)[]) {
  const sent: Sent[] = []
  const fetch: typeof globalThis.fetch = async (input, init = {}) => {
    const body = init.body ? await new Response(init.body).text() : ''
    sent.push({ method: init.method ?? 'GET', url: String(input), headers: new Headers(init.headers), body })
    const answer = answers[Math.min(sent.length, answers.length) - 1]
    return answer ? answer() : new Response(null, { status: 204 })
  }
  return { sent, fetch }
}

function makeSession() {
  const tokens = ['first', 'second', 'third']
  const session = {
    isSignedIn: true,
    accessToken: async () => {
      if (!session.isSignedIn) throw signedOut()
      return tokens[0] ?? ''
    },
    refuse: (token: string) => void (token === tokens[0] && tokens.shift()),
    endOf: (token: string) => {
      if (token === tokens[0]) session.isSignedIn = false
    },
  }
  return () => session as unknown as Session
}

/** Storage of a browser in which nobody has chosen an account yet. */
function emptyStorage() {
  const kept = new Map<string, string>()
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  }
}
const nobodyChose = () => new AccountChoice(emptyStorage(), emptyStorage())

const tunnelId = `tun_${'0'.repeat(26)}`
const json = (body: unknown, status = 200) => Response.json(body, { status })

describe('requests', () => {
  test('a refused access token is replaced once, and the call repeated', async () => {
    const { sent, fetch } = makeFetch(
      () => json({}, 401),
      () => json({ email: 'dev@example.com' }),
    )
    const me = await makeRequests(makeSession(), fetch, nobodyChose())('GET', '/v1/me')
    expect(me).toEqual({ email: 'dev@example.com' })
    expect(sent.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer first', 'Bearer second'])
  })

  test('a second refusal is told, not retried for ever', async () => {
    const problem = { title: 'Wrong password', status: 401, code: 'PT-1002', type: '/errors/PT-1002' }
    const { sent, fetch } = makeFetch(() => json(problem, 401))
    const session = makeSession()
    await expect(makeRequests(session, fetch, nobodyChose())('GET', '/v1/me')).rejects.toMatchObject({
      problem,
    })
    expect(sent).toHaveLength(2)
    expect(session().isSignedIn).toBe(true)
  })

  test('a refused proof of a second sign-in ends no session', async () => {
    const problem = { title: 'Not signed in', status: 401, code: 'PT-1001', type: '/errors/PT-1001' }
    const { fetch } = makeFetch(() => json(problem, 401))
    const session = makeSession()
    const confirm = makeRequests(session, fetch, nobodyChose())('POST', '/v1/auth/confirm', { body: {} })
    await expect(confirm).rejects.toMatchObject({ problem })
    expect(session().isSignedIn).toBe(true)
  })

  test('a session that was ended elsewhere, and whose token is renewed all the same, leads to the sign-in', async () => {
    const problem = { title: 'Not signed in', status: 401, code: 'PT-1001', type: '/errors/PT-1001' }
    const { sent, fetch } = makeFetch(() => json(problem, 401))
    const session = makeSession()
    const request = makeRequests(session, fetch, nobodyChose())
    const calls = ['/v1/me', '/v1/tunnels'].map((path) => request('GET', path))
    for (const call of await Promise.allSettled(calls))
      expect(call).toMatchObject({ reason: { status: 401, problem: { title: 'Signed out' } } })
    expect(session().isSignedIn).toBe(false)
    expect(sent.length).toBeLessThanOrEqual(4)
  })

  test("a proxy's page becomes a failure with a cure, without a code", async () => {
    const { fetch } = makeFetch(() => new Response('<h1>Bad gateway</h1>', { status: 502 }))
    const failure = await makeRequests(
      makeSession(),
      fetch,
      nobodyChose(),
    )('GET', '/v1/me').catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ApiFailure)
    expect(failure).toMatchObject({ isPassing: true, problem: { status: 502, cure: expect.any(String) } })
  })

  test('an answer without a body is no failure, whatever its status', async () => {
    for (const status of [202, 204]) {
      const { fetch } = makeFetch(() => new Response(null, { status }))
      expect(
        await makeRequests(makeSession(), fetch, nobodyChose())('POST', '/v1/x', { body: {} }),
      ).toBeUndefined()
    }
  })

  test('a page of tunnels that has not changed is the one that was read before, and names its ETag', async () => {
    const { sent, fetch } = makeFetch(
      () => Response.json({ items: [{ id: 'tun_1' }] }, { headers: { etag: '"a"' } }),
      () => new Response(null, { status: 304, headers: { etag: '"a"' } }),
      () => Response.json({ items: [] }, { headers: { etag: '"b"' } }),
    )
    const calls = makeCalls(makeRequests(makeSession(), fetch, nobodyChose()))
    const first = await calls.tunnelPage({ sort: 'trouble' })
    expect(first).toEqual({ items: [{ id: 'tun_1' }], tag: '"a"' })
    expect(await calls.tunnelPage({ sort: 'trouble' }, first)).toBe(first)
    expect(await calls.tunnelPage({ sort: 'trouble' }, first)).toEqual({ items: [], tag: '"b"' })
    expect(sent.map(({ headers }) => headers.get('if-none-match'))).toEqual([null, '"a"', '"a"'])
  })

  test('a file is handed on as it came', async () => {
    const { fetch } = makeFetch(() => new Response('{"complete":true}\n'))
    const file = await makeRequests(makeSession(), fetch, nobodyChose())<Blob>('POST', '/v1/x', {
      isFile: true,
    })
    expect(await file.text()).toBe('{"complete":true}\n')
  })

  test('no network is a passing failure', async () => {
    const broken = () => Promise.reject(new TypeError('failed to fetch'))
    await expect(makeRequests(makeSession(), broken, nobodyChose())('GET', '/v1/me')).rejects.toMatchObject({
      isPassing: true,
      status: 0,
    })
  })
})

describe('one of several accounts', () => {
  const problem = (code: string, status: number) => json({ title: 't', status, code, type: '/' }, status)
  const accountsOf = ({ sent }: ReturnType<typeof makeFetch>) =>
    sent.map(({ url, headers }) => [url, headers.get('porttunneler-account')])

  test('the oldest membership is taken where nobody has chosen, and every call after it says so', async () => {
    const server = makeFetch(
      () => problem('PT-1108', 400),
      () => json({ items: [{ id: 'acc_1' }, { id: 'acc_2' }] }),
      () => json({ account: 'acc_1' }),
    )
    const request = makeRequests(makeSession(), server.fetch, nobodyChose())
    expect(await request('GET', '/v1/me')).toEqual({ account: 'acc_1' })
    await request('GET', '/v1/tunnels')
    expect(accountsOf(server)).toEqual([
      ['/v1/me', null],
      ['/v1/accounts', null],
      ['/v1/me', 'acc_1'],
      ['/v1/tunnels', 'acc_1'],
    ])
  })

  test('a person who signs in again lands where they worked last in this browser, and nobody else does', async () => {
    const [tab, browser] = [emptyStorage(), emptyStorage()]
    const before = new AccountChoice(tab, browser)
    before.choose('acc_1', 'usr_ada')
    before.choose('acc_2', 'usr_ada')
    before.choose('acc_3', 'usr_bob')
    before.forget()
    const landsIn = async (person: string | undefined, accounts: readonly string[]) => {
      const server = makeFetch(
        () => problem('PT-1108', 400),
        () => json({ items: accounts.map((id) => ({ id })) }),
        () => json({}),
      )
      const session = makeSession()
      Object.assign(session(), { person })
      await makeRequests(session, server.fetch, new AccountChoice(emptyStorage(), browser))('GET', '/v1/me')
      const [, account] = accountsOf(server).at(-1) ?? []
      new AccountChoice(tab, browser).forget()
      return account
    }
    const all = ['acc_1', 'acc_2', 'acc_3']
    expect(await landsIn('usr_ada', all)).toBe('acc_2')
    expect(await landsIn('usr_bob', all)).toBe('acc_3')
    expect(await landsIn('usr_eve', all)).toBe('acc_1')
    expect(await landsIn(undefined, all)).toBe('acc_1')
    // They have left it since.
    expect(await landsIn('usr_ada', ['acc_1', 'acc_4'])).toBe('acc_1')
  })

  test('what another program wrote in the place of the last accounts is no choice', () => {
    for (const text of ['', '{', '{}', '[1]', '[["usr_ada"]]', '[["usr_ada",1]]', 'null']) {
      const browser = emptyStorage()
      browser.setItem('porttunneler.accounts', text)
      const choice = new AccountChoice(emptyStorage(), browser)
      expect(choice.lastOf('usr_ada')).toBeUndefined()
      choice.choose('acc_1', 'usr_ada')
      expect(choice.lastOf('usr_ada')).toBe('acc_1')
    }
  })

  test('a browser keeps the last account of ten people', () => {
    const choice = nobodyChose()
    for (let n = 0; n < 12; n++) choice.choose(`acc_${n}`, `usr_${n}`)
    expect([1, 2, 11].map((n) => choice.lastOf(`usr_${n}`))).toEqual([undefined, 'acc_2', 'acc_11'])
  })

  test('a choice whose membership has ended is forgotten once, and no other 404 forgets one', async () => {
    const choice = nobodyChose()
    choice.choose('acc_gone')
    const server = makeFetch(
      () => problem('PT-0002', 404),
      () => problem('PT-0002', 404),
      () => json({ account: 'acc_1' }),
    )
    const request = makeRequests(makeSession(), server.fetch, choice)
    await expect(request('GET', '/v1/tunnels/tun_1')).rejects.toMatchObject({ status: 404 })
    expect(choice.id).toBe('acc_gone')
    expect(await request('GET', '/v1/me')).toEqual({ account: 'acc_1' })
    expect(choice.id).toBeUndefined()
  })

  test('each tab keeps its own choice, and a new tab begins with the last one', () => {
    const shared = emptyStorage()
    const [first, second] = [emptyStorage(), emptyStorage()]
    const one = new AccountChoice(first, shared)
    const two = new AccountChoice(second, shared)
    one.choose('acc_1')
    two.choose('acc_2')
    expect([one.id, new AccountChoice(first, shared).id]).toEqual(['acc_1', 'acc_1'])
    expect(new AccountChoice(emptyStorage(), shared).id).toBe('acc_2')
    two.forget()
    expect(new AccountChoice(emptyStorage(), shared).id).toBeUndefined()
  })
})

type Pair = [() => Promise<unknown>, () => Promise<unknown>]

/** The calls about second factors, by both. */
function operatorPairs(calls: ReturnType<typeof makeCalls>, client: ReturnType<typeof makeClient>): Pair[] {
  const reason = { reason: 'abuse of it' }
  const note = { about: 'acc_1', text: 'x' }
  const wish = { account: 'acc_1', person: 'usr_1', ...reason }
  const page = { limit: 20, cursor: 'c+/' }
  return [
    [() => calls.searchPeople('a b', 'c+/'), () => client.searchPeople('a b', page)],
    [() => calls.searchAccounts('a b', 'c+/'), () => client.searchAccounts('a b', page)],
    [() => calls.personForOperator('usr/1'), () => client.personForOperator('usr/1')],
    [() => calls.accountForOperator('acc/1'), () => client.accountForOperator('acc/1')],
    [() => calls.suspendAccount('acc/1', reason), () => client.suspendAccount('acc/1', reason)],
    [() => calls.resumeAccount('acc/1'), () => client.resumeAccount('acc/1')],
    [() => calls.disablePerson('usr/1', reason), () => client.disablePerson('usr/1', reason)],
    [() => calls.enablePerson('usr/1'), () => client.enablePerson('usr/1')],
    [() => calls.billingDrift(), () => client.billingDrift()],
    [() => calls.notes('acc/1'), () => client.notes('acc/1')],
    [() => calls.addNote(note), () => client.addNote(note)],
    [() => calls.removeNote('not/1'), () => client.removeNote('not/1')],
    [() => calls.beginView(wish), () => client.beginView(wish)],
    [() => calls.viewNow(), () => client.viewNow()],
    [() => calls.endView(), () => client.endView()],
  ]
}

function factorPairs(calls: ReturnType<typeof makeCalls>, client: ReturnType<typeof makeClient>): Pair[] {
  const response = { clientDataJSON: 'AA', authenticatorData: 'AA', signature: 'AA' }
  const assertion = { id: 'AA', response }
  const made = { clientDataJSON: 'AA', attestationObject: 'AA' }
  const attestation = { id: 'AA', rawId: 'AA', type: 'public-key' as const, response: made }
  const added = { attestation, name: 'Laptop' }
  return [
    [() => calls.beginPasskeySignIn(), () => client.beginPasskeySignIn()],
    [() => calls.passkeySignIn({ assertion }), () => client.passkeySignIn({ assertion })],
    [() => calls.factors(), () => client.factors()],
    [() => calls.beginSecondStep(), () => client.beginSecondStep()],
    [() => calls.showFactor({ code: '123456' }), () => client.showFactor({ code: '123456' })],
    [() => calls.beginPasskey(), () => client.beginPasskey()],
    [() => calls.addPasskey(added), () => client.addPasskey(added)],
    [() => calls.renamePasskey('a/b', { name: 'x' }), () => client.renamePasskey('a/b', { name: 'x' })],
    [() => calls.removePasskey('a/b'), () => client.removePasskey('a/b')],
    [() => calls.beginApp(), () => client.beginApp()],
    [() => calls.confirmApp({ code: '123456' }), () => client.confirmApp({ code: '123456' })],
    [() => calls.removeApp(), () => client.removeApp()],
    [() => calls.renewRecoveryCodes(), () => client.renewRecoveryCodes()],
    [() => calls.askForRecovery(), () => client.askForRecovery()],
    [() => calls.followRecovery({ token: 't' }), () => client.followRecovery({ token: 't' })],
    [() => calls.endRecovery(), () => client.endRecovery()],
    [() => calls.completeRecovery(), () => client.completeRecovery()],
    [() => calls.approveRecovery('usr/1'), () => client.approveRecovery('usr/1')],
    [() => calls.setFactorPolicy({ required: true }), () => client.setFactorPolicy({ required: true })],
  ]
}

describe('calls', () => {
  const email = 'dev@example.com'
  const login = { email, password: 'a good long one' }
  const chosen = { token: 'ptw_x', password: login.password }
  const policy = { allow: ['10.0.0.0/8'], deny: [] }
  const host = 'app.example.com'
  const choice = { plan: 'pro', interval: 'month', seats: 1 } as const
  const returned = { state: 's', secret: 'h', code: 'c' }

  test('ask the API for what the shared client asks', async () => {
    const [ours, theirs] = [makeFetch(), makeFetch(() => json({}))]
    const calls = makeCalls(makeRequests(makeSession(), ours.fetch, nobodyChose()))
    const client = makeClient({ baseUrl: '', fetch: theirs.fetch })
    const pairs: [() => Promise<unknown>, () => Promise<unknown>][] = [
      [() => calls.config(), () => client.config()],
      [() => calls.plans(), () => client.plans()],
      [() => calls.billing(), () => client.billing()],
      [() => calls.billingPeriod(), () => client.billingPeriod()],
      [() => calls.invoices(), () => client.invoices()],
      [() => calls.startCheckout(choice), () => client.startCheckout(choice)],
      [() => calls.openBillingPortal(), () => client.openBillingPortal()],
      [() => calls.changePlan(choice), () => client.changePlan(choice)],
      [() => calls.setTransferCap('5.00'), () => client.setTransferCap({ cap: '5.00' })],
      [() => calls.register({ email }), () => client.register({ email })],
      [() => calls.confirmRegistration(chosen), () => client.confirmRegistration(chosen)],
      [() => calls.createAccount('pti_x'), () => client.createAccount({ code: 'pti_x' })],
      [() => calls.joinWaitList({ email }), () => client.joinWaitList({ email })],
      [() => calls.confirmWaitList({ token: 't' }), () => client.confirmWaitList({ token: 't' })],
      [() => calls.sendFeedback({ text: 'x' }), () => client.sendFeedback({ text: 'x' })],
      [() => calls.login(login), () => client.login(login)],
      [() => calls.refresh({ refreshToken: 'r' }), () => client.refresh({ refreshToken: 'r' })],
      [() => calls.logout({ refreshToken: 'r' }), () => client.logout({ refreshToken: 'r' })],
      [() => calls.logoutHere(), () => client.logout({})],
      [() => calls.logoutEverywhere(), () => client.logout({ everywhere: true })],
      [
        () => calls.changePassword({ current: 'a', next: 'b' }),
        () => client.changePassword({ current: 'a', next: 'b' }),
      ],
      [
        () => calls.requestPasswordReset({ email: login.email }),
        () => client.requestPasswordReset({ email: login.email }),
      ],
      [
        () => calls.confirmPasswordReset({ token: 't', password: 'p' }),
        () => client.confirmPasswordReset({ token: 't', password: 'p' }),
      ],
      [() => calls.beginServiceSignIn('a/b'), () => client.beginServiceSignIn('a/b')],
      [
        () => calls.finishServiceSignIn('work', { ...returned, invite: 'i' }),
        () => client.finishServiceSignIn('work', { ...returned, invite: 'i' }),
      ],
      [() => calls.links(), () => client.links()],
      [() => calls.beginLink('work'), () => client.beginLink('work')],
      [() => calls.finishLink('work', returned), () => client.finishLink('work', returned)],
      [() => calls.removeLink('oidc.work:0'), () => client.removeLink('oidc.work:0')],
      [() => calls.me(), () => client.me()],
      [() => calls.account(), () => client.account()],
      [() => calls.renameAccount({ name: 'Lab' }), () => client.renameAccount({ name: 'Lab' })],
      [() => calls.agents(), () => client.agents()],
      [() => calls.stopAgent('agt/1'), () => client.stopAgent('agt/1')],
      [() => calls.alerts({ state: 'firing' }), () => client.alerts({ state: 'firing' })],
      [
        () => calls.actOnAlert('alr/1', { act: 'acknowledge' }),
        () => client.actOnAlert('alr/1', { act: 'acknowledge' }),
      ],
      ...alertPairs(calls, client),
      [() => calls.auditProof('aud/1'), () => client.auditProof('aud/1')],
      [() => calls.startAuditExport(), () => client.startAuditExport()],
      [() => calls.auditExport(), () => client.auditExport()],
      [
        () => calls.usage({ from: 1, to: 2, step: 'day' }),
        () => client.usage({ from: 1, to: 2, step: 'day' }),
      ],
      [
        () => calls.createServiceMember({ name: 'ci', role: 'viewer' }),
        () => client.createServiceMember({ name: 'ci', role: 'viewer' }),
      ],
      [() => calls.moveName('a.b', 'acc'), () => client.moveName('a.b', { account: 'acc' })],
      [() => calls.movePort('tcp:x', 'acc'), () => client.movePort('tcp:x', { account: 'acc' })],
      [
        () => calls.audit({ limit: 20, action: 'view.began' }),
        () => client.audit({ limit: 20, action: 'view.began' }),
      ],
      [() => calls.keys('c+/'), () => client.keys({ limit: 100, cursor: 'c+/' })],
      [
        () => calls.createKey({ name: 'n', scopes: ['read'] }),
        () => client.createKey({ name: 'n', scopes: ['read'] }),
      ],
      [() => calls.revokeKey('key/1'), () => client.revokeKey('key/1')],
      [() => calls.device('BD FH'), () => client.device('BD FH')],
      [
        () => calls.decideDevice({ userCode: 'x', approve: true }),
        () => client.decideDevice({ userCode: 'x', approve: true }),
      ],
      [() => calls.exportPerson(), () => client.exportPerson()],
      [() => calls.exportAccount(), () => client.exportAccount()],
      [() => calls.deletePerson(), () => client.deletePerson()],
      [() => calls.keepPerson(), () => client.keepPerson()],
      [() => calls.terms(), () => client.terms()],
      [
        () => calls.acceptTerms({ accept: [{ kind: 'terms', version: '1' }] }),
        () => client.acceptTerms({ accept: [{ kind: 'terms', version: '1' }] }),
      ],
      [() => calls.mailWishes(), () => client.mailWishes()],
      [() => calls.wishMails('team', { off: true }), () => client.wishMails('team', { off: true })],
      [() => calls.closeAccount(), () => client.closeAccount()],
      [() => calls.keepAccount(), () => client.keepAccount()],
      [() => calls.confirm({ password: 'p' }), () => client.confirm({ password: 'p' })],
      [() => calls.signIns(), () => client.signIns()],
      [() => calls.endSignIn('a/b'), () => client.endSignIn('a/b')],
      [() => calls.endOtherSignIns(), () => client.endOtherSignIns()],
      [() => calls.addressChange(), () => client.addressChange()],
      [() => calls.requestAddressChange({ email }), () => client.requestAddressChange({ email })],
      [() => calls.withdrawAddressChange(), () => client.withdrawAddressChange()],
      [() => calls.confirmAddressChange({ token: 't' }), () => client.confirmAddressChange({ token: 't' })],
      [() => calls.stopAddressChange({ token: 't' }), () => client.stopAddressChange({ token: 't' })],
      [() => calls.accounts(), () => client.accounts()],
      [() => calls.members(), () => client.members()],
      [
        () => calls.changeMember('usr/1', { role: 'viewer' }),
        () => client.changeMember('usr/1', { role: 'viewer' }),
      ],
      [() => calls.removeMember('usr/1'), () => client.removeMember('usr/1')],
      [() => calls.handOver('usr/1'), () => client.handOver('usr/1')],
      [() => calls.invitations(), () => client.invitations()],
      [() => calls.invite({ email, role: 'admin' }), () => client.invite({ email, role: 'admin' })],
      [() => calls.revokeInvitation('inv/1'), () => client.revokeInvitation('inv/1')],
      [() => calls.readInvitation('t'), () => client.readInvitation({ token: 't' })],
      [() => calls.keptMails(), () => client.keptMails()],
      [() => calls.keptMail('m/1'), () => client.keptMail('m/1')],
      [() => calls.acceptInvitation('t'), () => client.acceptInvitation({ token: 't' })],
      [() => calls.tunnels(), () => client.tunnels({ limit: 100 })],
      [
        () => calls.connections(tunnelId, { code: 'PT-3022', cursor: 'c' }),
        () => client.connections(tunnelId, { code: 'PT-3022', cursor: 'c' }),
      ],
      [() => calls.eraseConnections(tunnelId), () => client.eraseConnections(tunnelId)],
      [
        () => calls.history({ tunnel: tunnelId, from: 1, to: 2, step: 60_000 }),
        () => client.history({ tunnel: tunnelId, from: 1, to: 2, step: 60_000 }),
      ],
      [() => calls.changesOf(tunnelId), () => client.audit({ limit: 50, target: tunnelId })],
      [
        () =>
          calls.tunnelPage({ search: 'a b', state: ['offline', 'refused'], kind: 'tcp', sort: 'trouble' }),
        () =>
          client.tunnels({
            limit: 100,
            search: 'a b',
            state: ['offline', 'refused'],
            kind: 'tcp',
            sort: 'trouble',
          }),
      ],
      [
        () => calls.createTunnel({ name: 'db', kind: 'tcp' }),
        () => client.createTunnel({ name: 'db', kind: 'tcp' }),
      ],
      [() => calls.tunnel('tun_1'), () => client.tunnel('tun_1')],
      [
        () => calls.updateTunnel('tun_1', { policy }, 3),
        () => client.updateTunnel('tun_1', { policy }, { ifMatch: '"3"' }),
      ],
      [() => calls.deleteTunnel('tun_1'), () => client.deleteTunnel('tun_1')],
      [() => calls.watch(), () => client.watch()],
      [() => calls.domains('c+/'), () => client.domains({ limit: 100, cursor: 'c+/' })],
      [() => calls.addDomain({ host }), () => client.addDomain({ host })],
      [() => calls.giveDomain(host, null), () => client.giveDomain(host, { tunnel: null })],
      [() => calls.checkDomain(host), () => client.checkDomain(host)],
      [() => calls.removeDomain(host), () => client.removeDomain(host)],
      [() => calls.names('c+/'), () => client.names({ limit: 100, cursor: 'c+/' })],
      [() => calls.reserveName({ name: 'shop' }), () => client.reserveName({ name: 'shop' })],
      [
        () => calls.giveName(host, null, 2),
        () => client.giveName(host, { tunnel: null }, { ifMatch: '"2"' }),
      ],
      [() => calls.releaseName(host), () => client.releaseName(host)],
      [() => calls.ports('c+/'), () => client.ports({ limit: 100, cursor: 'c+/' })],
      [() => calls.reservePort({ port: 20_001 }), () => client.reservePort({ port: 20_001 })],
      [
        () => calls.givePort('eu:1', null, 2),
        () => client.givePort('eu:1', { tunnel: null }, { ifMatch: '"2"' }),
      ],
      [() => calls.releasePort('eu:1'), () => client.releasePort('eu:1')],
      ...factorPairs(calls, client),
      ...operatorPairs(calls, client),
      ...operatorServicePairs(calls, client),
    ]
    for (const [ask, askToo] of pairs) {
      await ask()
      // The empty answer is of no shape; what was asked is what counts here.
      await askToo().catch(() => undefined)
    }
    const asked = ({ sent }: typeof ours) =>
      sent.map(({ method, url, headers, body }) => ({ method, url, ifMatch: headers.get('if-match'), body }))
    expect(asked(ours)).toEqual(asked(theirs))
    // The part of an export is a file of lines and the report a page, which the shared client does not read.
    expect(ours.sent).toHaveLength(Object.keys(calls).length - 2)
  })

  test('an open call carries no bearer', async () => {
    const { sent, fetch } = makeFetch()
    await makeCalls(makeRequests(makeSession(), fetch, nobodyChose())).login(login)
    expect(sent[0]?.headers.get('authorization')).toBeNull()
  })
})

describe('a view of an account', () => {
  const begun = { id: 'viw_1', account: 'acc_1', accountName: 'Lab', startedAt: 1_000, endsAt: 61_000 }
  const problem = { title: 'The view has ended', status: 403, code: 'PT-1141', type: '/errors/PT-1141' }
  /** Noon by the browser, whatever the server says. */
  const clock = { now: () => 43_200_000 }

  test('is named in every call but those of oneself and of nobody, and then no account is', async () => {
    const { sent, fetch } = makeFetch()
    const choice = nobodyChose()
    choice.choose('acc_own')
    const view = new OperatorView(emptyStorage(), clock, () => undefined)
    const calls = makeCalls(makeRequests(makeSession(), fetch, choice, view))
    await calls.me()
    view.begin(begun)
    await calls.me()
    await calls.endView()
    await calls.logoutHere()
    // The button is on a page that seems to be of somebody else: the API refuses it.
    await calls.logoutEverywhere()
    await calls.login({ email: 'dev@example.com', password: 'a good long one' })
    const named = sent.map(({ headers }) => [
      headers.get('porttunneler-view'),
      headers.get('porttunneler-account'),
    ])
    const own = [null, 'acc_own']
    expect(named).toEqual([own, ['viw_1', null], own, own, ['viw_1', null], [null, null]])
  })

  test('that has ended is forgotten once, however many calls say so, and leads to the own pages', async () => {
    const { fetch } = makeFetch(() => json(problem, 403))
    let left = 0
    const view = new OperatorView(emptyStorage(), clock, () => left++)
    const calls = makeCalls(makeRequests(makeSession(), fetch, nobodyChose(), view))
    view.begin(begun)
    for (const ask of [calls.me, calls.account])
      await expect(ask()).rejects.toMatchObject({ problem: { code: 'PT-1141' } })
    expect([view.now, left]).toEqual([undefined, 1])
  })

  test("lasts by this browser's clock as long as the server says, and survives a reload of the tab", () => {
    const tab = emptyStorage()
    new OperatorView(tab, clock, () => undefined).begin({
      ...begun,
      person: 'usr_1',
      email: 'ada@example.com',
    })
    const { now } = new OperatorView(tab, clock, () => undefined)
    expect(now).toEqual({
      id: 'viw_1',
      account: 'acc_1',
      accountName: 'Lab',
      email: 'ada@example.com',
      untilMs: clock.now() + 60_000,
    })
    for (const text of ['', 'null', '{}', '{"id":1}', 'x']) {
      tab.setItem('porttunneler.view', text)
      expect([text, new OperatorView(tab, clock, () => undefined).now]).toEqual([text, undefined])
    }
  })
})

describe('lists', () => {
  test('are read to their end', async () => {
    const pages = [{ items: [1, 2], next: 'b' }, { items: [3] }]
    const cursors: (string | undefined)[] = []
    const list = await readAllPages(async (cursor) => {
      cursors.push(cursor)
      return pages[cursors.length - 1] ?? { items: [] }
    }, new AbortController().signal)
    expect(list).toEqual({ items: [1, 2, 3], isCut: false })
    expect(cursors).toEqual([undefined, 'b'])
  })

  test('that never end are cut, and say so', async () => {
    const list = await readAllPages(async () => ({ items: [1], next: 'more' }), new AbortController().signal)
    expect(list).toMatchObject({ isCut: true, items: { length: 10 } })
  })
})
