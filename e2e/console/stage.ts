/**
 * A real server with a bit of everything in it, for looking at every page of the console (web/testing/stops.ts):
 * tunnels of several states, visitors, keys, names, a domain, members, an operator, and people who wait for something.
 */
import { DnsWorld } from '@porttunneler/shared/testing/dns-world'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { z } from 'zod'
import type { Known, Who } from '../../web/testing/stops.ts'
import { type Agent, startAgent } from '../harness/agent.ts'
import { eventually } from '../harness/events.ts'
import { visit } from '../harness/http.ts'
import { callApi, type People, type Service } from '../harness/service.ts'
import { password, startStandaloneService } from '../harness/standalone.ts'
import { startEcho, startHttp } from '../harness/upstreams.ts'

export type ConsoleStage = {
  readonly service: Service
  readonly ids: Readonly<Record<Known, string>>
  /** How each of them signs in. */
  readonly people: Readonly<Record<Exclude<Who, 'nobody'>, Service['account']>>
  /** Sends one visitor more through the tunnel that works. */
  readonly visit: () => Promise<void>
  close(): Promise<void>
}

const terms = ['terms', 'privacy'].map((kind) => ({
  kind,
  version: '2026-11',
  url: `https://example.com/${kind}`,
}))
/** As long as a name may be: what does not fit somewhere is seen. */
const longName = 'preview-of-the-shop-with-the-new-checkout'.slice(0, 40)
const itemsSchema = z.object({
  items: z.array(z.looseObject({ id: z.string(), name: z.string().optional() })),
})

type Call = (method: string, path: string, body?: unknown) => Promise<unknown>

export async function openConsoleStage(): Promise<ConsoleStage> {
  const dns = await DnsWorld.open()
  await dns.zone('example.com', [])
  const env = {
    ...dns.variables,
    PORTTUNNELER_REGISTRATION: 'beta',
    PORTTUNNELER_DEMO: 'true',
    PORTTUNNELER_TERMS: JSON.stringify(terms),
  }
  const [service, web, echo, [dead = 0]] = await Promise.all([
    startStandaloneService({ env }),
    startHttp({ '/broken': (_request, response) => void response.writeHead(500).end('broken') }),
    startEcho(),
    freePorts(1),
  ])
  const { people } = service
  if (!people?.mailTo) throw new Error('the server has no mails or no operator')
  const { accessToken: key } = z
    .looseObject({ accessToken: z.string() })
    .parse(await callApi({ ...service, key: '' }, 'POST', '/v1/auth/login', service.account))
  const call: Call = (method, path, body) => callApi({ ...service, key }, method, path, body)
  const agent = await startAgent(service, {
    shop: { kind: 'http', upstream: web.port },
    postgres: { kind: 'tcp', upstream: echo.port },
    [longName]: { kind: 'http', upstream: dead },
  })
  await people.operator('operators', 'add', service.account.email)
  await Promise.all([fill(call), visitAll(service, agent)])
  const known = await knownOf({ ...service, key }, people)
  return {
    service,
    ids: known.ids,
    people: known.people,
    visit: async () => void (await visit(service, `${await agent.online('shop')}/hello`)),
    close: async () => {
      await agent.stop()
      await Promise.all([web.close(), echo.close(), service.stop()])
      dns.close()
    },
  }
}

/** What nobody serves, and what stands on the other pages. */
async function fill(call: Call): Promise<void> {
  const unused = ['staging', 'grafana', 'minecraft', 'ssh-of-the-build-machine', 'webhooks', 'handbook']
  for (const name of unused)
    await call('POST', '/v1/tunnels', { name, kind: 'http', tags: ['team-a', 'weekly'] })
  await call('POST', '/v1/tunnels', {
    name: 'guarded',
    kind: 'http',
    policy: { allow: ['198.51.100.0/24'], connectionsMax: 1, requestsPerMinute: 60, httpsOnly: true },
  })
  await call('POST', '/v1/keys', { name: 'continuous integration of the shop', scopes: ['tunnels'] })
  await call('POST', '/v1/keys', { name: 'laptop', scopes: ['read'], expiresInDays: 30, tunnels: ['shop'] })
  await call('POST', '/v1/names', { name: 'kept-for-the-launch' })
  await call('POST', '/v1/ports', {})
  await call('POST', '/v1/domains', { host: 'shop.example.com' })
  await call('POST', '/v1/members', { name: 'build server', role: 'developer' })
  await call('POST', '/v1/invitations', { email: 'somebody.with.a.long.address@subsidiary.example.com' })
  await call('POST', '/v1/wait-list', { email: 'waiting@example.com' })
  await call('POST', '/v1/feedback', { text: 'The charts help.' })
}

async function visitAll(service: Service, agent: Agent): Promise<void> {
  const shop = await agent.online('shop')
  for (const path of ['/hello', '/hello', '/none', '/broken', '/hello', '/headers'])
    await visit(service, `${shop}${path}`)
  const failing = await agent.online(longName)
  for (let count = 0; count < 4; count++) await visit(service, failing)
}

async function knownOf(service: Service, people: People): Promise<Pick<ConsoleStage, 'ids' | 'people'>> {
  const ask = async <T>(schema: z.ZodType<T>, path: string, key = service.key) =>
    schema.parse(await callApi({ api: service.api, key }, 'GET', path))
  const { items: tunnels } = await ask(itemsSchema, '/v1/tunnels?limit=100')
  const { items: agents } = await eventually('an agent is listed', async () => {
    const page = await ask(itemsSchema, '/v1/agents')
    return page.items.length > 0 ? page : undefined
  })
  const idOf = (name: string) => tunnels.find((tunnel) => tunnel.name === name)?.id ?? ''
  const newcomer = await joined(service, people, 'newcomer@example.com')
  const leaver = await joined(service, people, 'leaver@example.com')
  await callApi(leaver, 'DELETE', '/v1/person')
  const reader = await joined(service, people, 'reader@example.com', false)
  const guest = { email: 'guest@example.com', password }
  await people.signUp(guest.email, await inviteCode(people))
  await callApi(service, 'POST', '/v1/invitations', { email: newcomer.email, role: 'developer' })
  const mail = (await people.mailTo?.(newcomer.email, 'Invitation')) ?? ''
  const meSchema = z.looseObject({ account: z.string(), user: z.string() })
  // Those of somebody else, because operators cannot act on themselves.
  const { account, user } = await ask(meSchema, '/v1/me', newcomer.key)
  return {
    ids: {
      tunnel: idOf('shop'),
      failing: idOf(longName),
      agent: agents[0]?.id ?? '',
      account,
      person: user,
      invitation: /\/join\?invitation=(\S+)/.exec(mail)?.[1] ?? '',
      device: await askAsDevice(service),
    },
    people: { owner: service.account, newcomer, leaver, reader, guest },
  }
}

async function inviteCode(people: People): Promise<string> {
  return z.object({ code: z.string() }).parse(await people.operator('invites', 'create')).code
}

type Somebody = Service['account'] & { readonly api: string; readonly key: string }

/** Somebody with an account of their own, who has accepted what there is to accept. */
async function joined(service: Service, people: People, email: string, accepts = true): Promise<Somebody> {
  const code = await inviteCode(people)
  const key = await people.signUp(email, code)
  const { api } = service
  const versions = terms.map(({ kind, version }) => ({ kind, version }))
  if (accepts) await callApi({ api, key }, 'POST', '/v1/person/terms', { accept: versions })
  await callApi({ api, key }, 'POST', '/v1/accounts', { code })
  return { email, password, api, key }
}

/** @returns the code that the person types or follows */
async function askAsDevice({ api }: Service): Promise<string> {
  const answer = await fetch(`${api}/v1/device/authorize`, {
    method: 'POST',
    body: new URLSearchParams({
      client_id: 'ptun',
      device: 'workstation (linux)',
      scope: 'read tunnels admin',
    }),
    signal: AbortSignal.timeout(10_000),
  })
  return z.looseObject({ user_code: z.string() }).parse(await answer.json()).user_code
}
