/**
 * Two accounts with three people each, one of them in both, through the real API, `ptun` and `ptunctl`: the rights of
 * each role and of a key, what stays when a person leaves, and that nothing of one account shows in the other.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Agent, startAgent } from '../harness/agent.ts'
import { eventually } from '../harness/events.ts'
import { visit } from '../harness/http.ts'
import { type HttpUpstream, startHttp } from '../harness/upstreams.ts'
import type { Context } from './context.ts'

type Person = { readonly id: string; readonly token: string; readonly account: string }
type Answer = { readonly status: number; readonly json: unknown }

const idSchema = z.object({ id: z.string() })
const keySchema = z.object({ id: z.string(), secret: z.string() })
const entriesSchema = z.object({
  items: z.array(z.object({ action: z.string(), target: z.string(), actor: z.string() })),
})
const usageSchema = z.object({
  total: z.object({ opened: z.int(), out: z.int() }),
  tunnels: z.array(z.object({ tunnel: z.string() })),
})

export function describeAccounts(context: Context): void {
  describe('two accounts with three people each', () => {
    const agents: Agent[] = []
    const upstreams: HttpUpstream[] = []
    const people: Record<string, Person> = {}
    const peopleHere = () => {
      if (!context.service.people) throw new Error('nobody can register here')
      return context.service.people
    }
    const ptunctl = (...words: string[]) => peopleHere().operator(...words)
    const addressOf = (name: string) => `${name}@accounts.example.com`

    beforeAll(async () => {
      for (const name of ['ada', 'eve']) people[name] = await meet(await peopleHere().signUp(addressOf(name)))
      const [a, b] = [of('ada').account, of('eve').account]
      const tokens = new Map<string, readonly [token: string, account: string]>()
      for (const [account, name, role] of [
        [a, 'dan', 'developer'],
        [a, 'vic', 'viewer'],
        [b, 'fay', 'admin'],
        [b, 'gus', 'developer'],
      ] as const) {
        tokens.set(name, [await peopleHere().signUp(addressOf(name)), account])
        await ptunctl('members', 'add', account, addressOf(name), role)
        // Vic is in both: a viewer in one, a developer in the other.
        if (name === 'vic') await ptunctl('members', 'add', b, addressOf(name), 'developer')
      }
      const met = Array.from(tokens, async ([name, [token, account]]) => {
        people[name] = await meet(token, account)
      })
      await Promise.all(met)
      await ptunctl('accounts', 'plan', a, 'free')
      await ptunctl('accounts', 'plan', b, 'pro')
    })
    afterAll(async () => {
      for (const agent of agents) await agent.stop()
      for (const upstream of upstreams) await upstream.close()
    })

    /** @param account whose account the request is for; default: the person's own, or the key's */
    async function call(
      token: string,
      method: string,
      path: string,
      { json, account }: { readonly json?: unknown; readonly account?: string } = {},
    ): Promise<Answer> {
      const answer = await fetch(`${context.service.api}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          ...(account && { 'porttunneler-account': account }),
        },
        ...(json !== undefined && { body: JSON.stringify(json) }),
        signal: AbortSignal.timeout(60_000),
      })
      const text = await answer.text()
      return { status: answer.status, json: text === '' ? undefined : JSON.parse(text) }
    }

    /** Where a first request makes an account, a later membership is known within half a minute. */
    async function meet(token: string, account?: string): Promise<Person> {
      const me = z.object({ user: z.string(), account: z.string() })
      return eventually(
        'the membership is known',
        async () => {
          const { status, json } = await call(token, 'GET', '/v1/me', { ...(account && { account }) })
          if (status !== 200) return undefined
          const { user, account: own } = me.parse(json)
          return { id: user, token, account: own }
        },
        60_000,
      )
    }

    const of = (name: string): Person => {
      const person = people[name]
      if (!person) throw new Error(`${name} did not register`)
      return person
    }

    /** A key that somebody makes in an account. */
    async function makeKey(
      by: string,
      account: string,
      more: object = {},
    ): Promise<z.infer<typeof keySchema>> {
      const json = { name: 'agent', scopes: ['read', 'tunnels'], ...more }
      return keySchema.parse((await call(of(by).token, 'POST', '/v1/keys', { json, account })).json)
    }

    async function serve(key: string, names: readonly string[], says: string): Promise<Agent> {
      const upstream = await startHttp({ '/': (_request, response) => response.end(says) })
      upstreams.push(upstream)
      const wanted = Object.fromEntries(
        names.map((name) => [name, { kind: 'http', upstream: upstream.port } as const]),
      )
      const agent = await startAgent({ api: context.service.api, key }, wanted)
      agents.push(agent)
      return agent
    }

    async function seen(url: string): Promise<string> {
      const { status, body } = await visit(context.service, url, { headers: { accept: 'text/plain' } })
      return status === 200 ? body : `${status}`
    }

    const ask = async (name: string, method: string, path: string, account: string, json?: unknown) =>
      (await call(of(name).token, method, path, { account, json })).status

    test('a member of both accounts names one, and has only the rights of that membership', async () => {
      const [a, b] = [of('ada').account, of('eve').account]
      const { status, json: choose } = await call(of('vic').token, 'GET', '/v1/tunnels')
      expect([status, choose]).toMatchObject([400, { code: 'PT-1108' }])
      const listed = z.object({ items: z.array(z.object({ id: z.string(), role: z.string() })) })
      const { items: accounts } = listed.parse((await call(of('vic').token, 'GET', '/v1/accounts')).json)
      const roles = new Map(accounts.map((one) => [one.id, one.role]))
      expect([roles.get(a), roles.get(b)]).toEqual(['viewer', 'developer'])
      const made = await call(of('vic').token, 'POST', '/v1/tunnels', {
        account: b,
        json: { name: 'vic-web', kind: 'http' },
      })
      const vics = idSchema.parse(made.json).id
      expect(await ask('vic', 'GET', `/v1/tunnels/${vics}`, a)).toBe(404)
      expect(await ask('ada', 'GET', `/v1/tunnels/${vics}`, a)).toBe(404)
      expect(await ask('vic', 'DELETE', `/v1/tunnels/${vics}`, b)).toBe(204)
    })

    test('roles, keys, a service member, one who leaves, quotas, usage and audit', async () => {
      const [a, b] = [of('ada').account, of('eve').account]
      // Resources of another account look missing.
      expect(await ask('vic', 'GET', '/v1/account', a)).toBe(200)
      expect(await ask('vic', 'POST', '/v1/tunnels', a, { name: 'x', kind: 'tcp' })).toBe(403)
      expect(await ask('vic', 'GET', '/v1/audit', a)).toBe(403)
      expect(await ask('dan', 'POST', '/v1/members', a, { name: 'ci', role: 'developer' })).toBe(403)
      for (const name of ['eve', 'fay', 'gus']) expect(await ask(name, 'GET', '/v1/account', a)).toBe(404)
      for (const name of ['ada', 'dan']) expect(await ask(name, 'GET', '/v1/tunnels', b)).toBe(404)

      // A key of Dan's, one of a service member, and two of the other account.
      const danKey = await makeKey('dan', a)
      const hired = await call(of('ada').token, 'POST', '/v1/members', {
        json: { name: 'ci', role: 'developer' },
        account: a,
      })
      const ci = idSchema.parse(hired.json)
      const ciKey = await makeKey('ada', a, { member: ci.id })
      const gusKey = await makeKey('gus', b)
      const dans = await serve(danKey.secret, ['dan-web'], 'of Dan')
      const cis = await serve(ciKey.secret, ['build'], 'of CI')
      const guss = await serve(gusKey.secret, ['gus-web', 'one', 'two', 'three'], 'of Gus')
      const [danUrl, ciUrl, gusUrl] = [
        await dans.online('dan-web'),
        await cis.online('build'),
        await guss.online('gus-web'),
      ]
      for (const name of ['one', 'two', 'three']) await guss.online(name)
      expect([await seen(danUrl), await seen(ciUrl), await seen(gusUrl)]).toEqual([
        'of Dan',
        'of CI',
        'of Gus',
      ])

      // Three tunnels on a free plan, and the other account's four change nothing about it.
      const claim = async (name: string) => {
        const agent = `agt_${'1'.padStart(26, '0')}`
        const json = { agent, tunnels: [{ name, kind: 'http' }] }
        const answer = await call(ciKey.secret, 'POST', '/v1/leases', { json })
        const results = z.object({
          results: z.array(z.object({ problem: z.object({ code: z.string() }).optional() })),
        })
        return results.parse(answer.json).results[0]?.problem?.code
      }
      expect([await claim('third'), await claim('fourth')]).toEqual([undefined, 'PT-2201'])

      // Dan leaves: his tunnels end in seconds, with his key; the service member's stay.
      expect(await ask('ada', 'DELETE', `/v1/members/${of('dan').id}`, a)).toBe(204)
      await eventually(
        'the tunnel of the member who left is offline',
        async () => ((await seen(danUrl)) === 'of Dan' ? undefined : true),
        30_000,
      )
      expect((await call(danKey.secret, 'GET', '/v1/me')).status).toBe(401)
      expect([await seen(ciUrl), await seen(gusUrl)]).toEqual(['of CI', 'of Gus'])

      // Usage comes with the relay's next report.
      const usageOf = async (name: string, account: string) =>
        usageSchema.parse((await call(of(name).token, 'GET', '/v1/usage', { account })).json)
      const ofA = await eventually(
        'usage of both accounts is there',
        async () => {
          const [first, second] = [await usageOf('vic', a), await usageOf('gus', b)]
          return first.total.opened >= 2 && second.total.opened >= 1 ? first : undefined
        },
        90_000,
      )
      const tunnelsOf = async (name: string, account: string) => {
        const list = z.object({ items: z.array(idSchema) })
        const { items } = list.parse((await call(of(name).token, 'GET', '/v1/tunnels', { account })).json)
        return items.map(({ id }) => id)
      }
      const [own, theirs] = [await tunnelsOf('ada', a), await tunnelsOf('eve', b)]
      expect(ofA.tunnels.every(({ tunnel }) => own.includes(tunnel) && !theirs.includes(tunnel))).toBe(true)

      // Each account reads its own log.
      const auditOf = async (name: string, account: string) =>
        entriesSchema.parse((await call(of(name).token, 'GET', '/v1/audit?limit=100', { account })).json)
          .items
      const [logA, logB] = [await auditOf('ada', a), await auditOf('fay', b)]
      expect(logA).toContainEqual(
        expect.objectContaining({ action: 'member.removed', target: of('dan').id, actor: of('ada').id }),
      )
      expect(logA).toContainEqual(expect.objectContaining({ action: 'key.created', target: ciKey.id }))
      const idsOfB = new Set([gusKey.id, ...theirs, of('gus').id, b])
      expect(logA.filter(({ target, actor }) => idsOfB.has(target) || idsOfB.has(actor))).toEqual([])
      expect(logB).toContainEqual(expect.objectContaining({ action: 'key.created', target: gusKey.id }))
      expect(await ptunctl('audit', 'verify')).toMatchObject({ problems: [] })
    })
  })
}
