/**
 * What goes wrong on a game day. Each scenario breaks one thing, waits until somebody is told, finds it by its id in
 * log or lists, mends it, and waits until it is over. It throws when something is not as promised.
 */

import { alertSchema } from '@porttunneler/shared/api/schemas/alerts'
import { pageSchema } from '@porttunneler/shared/api/schemas/common'
import { newId } from '@porttunneler/shared/base/ids'
import { certificates } from '@porttunneler/shared/control/certificate-documents'
import { z } from 'zod'
import { ask, operatorAddress, type Stage } from './stage.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const ada = 'ada@example.com'
const host = 'tunnel.example.com'
/** Subjects have nothing that a mail program would make a link of. */
const inSubject = host.replaceAll('.', ' ')

/** A row of the table. */
export type Outcome = {
  readonly fault: string
  /** Where it was seen, and how long after it began. */
  readonly seen: string
  readonly told: string
  readonly found: string
  readonly closed: string
}

export type Scenario = (stage: Stage) => Promise<Outcome>

/** A game day is a test too. */
function check(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`not so: ${what}`)
}

/** Exactly one of the mails is to this address and says this. */
function toldOnce(mails: readonly string[], line: string): string {
  const count = mails.filter((mail) => mail === line).length
  check(count === 1, `one mail "${line}", but ${count} of ${JSON.stringify(mails)}`)
  return `one mail: ${line.slice(line.indexOf(': ') + 2)}`
}

const alertPage = pageSchema(alertSchema)
type Alert = z.infer<typeof alertSchema>

async function alertsOf(stage: Stage, kind: string): Promise<readonly Alert[]> {
  return alertPage.parse(await ask(stage, 'GET', '/v1/alerts')).items.filter((one) => one.kind === kind)
}

/** Waits minute by minute until there is one in this state. @returns it, and the minutes */
async function waitFor(
  stage: Stage,
  { kind, state, minutes }: { readonly kind: string; readonly state: string; readonly minutes: number },
) {
  for (let minute = 1; minute <= minutes; minute++) {
    await stage.pass(minuteMs)
    const found = (await alertsOf(stage, kind)).find((one) => one.state === state)
    if (found) return { alert: found, minute }
  }
  throw new Error(`not so: within ${minutes} minutes an alert ${kind} is ${state}`)
}

const claimSchema = z.object({
  results: z.array(
    z.object({
      lease: z.object({ tunnel: z.string(), epoch: z.int(), endpoint: z.object({ id: z.string() }) }),
    }),
  ),
})

/** A tunnel whose agent is connected to the relay. */
async function serve(stage: Stage, name: string) {
  const agent = newId('agt', stage.t.clock.now())
  const json = { agent, tunnels: [{ name, kind: 'http' }] }
  const [result] = claimSchema.parse(await ask(stage, 'POST', '/v1/leases', { json })).results
  if (!result) throw new Error('no lease')
  const { tunnel, epoch, endpoint } = result.lease
  const bound = { tunnel, endpoint: endpoint.id, epoch }
  const reports = (away: boolean) => ({ bound: away ? [] : [bound], away: [{ ...bound, agent, away }] })
  stage.report = reports(false)
  const renewal = { agent, leases: [{ tunnel, epoch }] }
  stage.renew = () => ask(stage, 'POST', '/v1/leases/renew', { json: renewal })
  await stage.pass(2 * minuteMs)
  return { agent, tunnel, epoch, reports }
}

const cellsSchema = pageSchema(z.looseObject({ relays: z.array(z.looseObject({ state: z.string() })) }))

/** The relay dies under its agent, and when it is back the agent has lost its way to it for longer than a blip. */
const relayKilled: Scenario = async (stage) => {
  const { tunnel, reports } = await serve(stage, 'shop')
  const states = async () =>
    cellsSchema
      .parse(await ask(stage, 'GET', '/v1/operator/cells', { as: operatorAddress }))
      .items.flatMap(({ relays }) => relays.map(({ state }) => state))
  check((await states()).includes('ready'), 'operators see a relay that is ready')
  stage.mails()
  stage.report = undefined
  await stage.pass(3 * minuteMs)
  const now = await states()
  check(now.length > 0 && now.every((state) => state === 'silent'), `operators see that it is silent: ${now}`)
  stage.report = reports(true)
  const { alert, minute } = await waitFor(stage, { kind: 'tunnel.down', state: 'firing', minutes: 15 })
  check(alert.subject === tunnel, 'the alert is about the tunnel')
  await stage.pass(60 * minuteMs)
  const told = toldOnce(stage.mails(), `${ada}: Tunnel is down: shop ("ada")`)
  const lines = await stage.search(`"an alert changed" "${tunnel}"`)
  check(lines > 0, 'the log has the alert by the id of its tunnel')
  stage.report = reports(false)
  const over = await waitFor(stage, { kind: 'tunnel.down', state: 'resolved', minutes: 45 })
  await stage.pass(3 * minuteMs)
  toldOnce(stage.mails(), `${ada}: Over: Tunnel is down: shop ("ada")`)
  return {
    fault: 'relay killed, its agent lost',
    seen: `operators: silent within 3 min; owner: alert ${minute} min later, ${alert.code ?? 'no code'}`,
    told,
    found: `the log by the tunnel's id (${lines})`,
    closed: `resolved ${over.minute} min after the agent was back, one mail`,
  }
}

/** The authority is away until a tenth of the certificate's life is left. */
const certificateFailing: Scenario = async (stage) => {
  await stage.pass(hourMs, 20 * minuteMs)
  const read = async () => (await stage.t.control.store.get(certificates.ref(host)))?.data
  const before = await read()
  if (!before || before.version === 0) throw new Error('not so: the cell has a certificate')
  stage.mails()
  stage.issuer.isDown = true
  const from = stage.t.clock.now()
  const mails: string[] = []
  while (mails.length === 0) {
    check(stage.t.clock.now() < before.notAfter + hourMs, 'operators are told before the certificate is over')
    await stage.pass(30 * minuteMs, 10 * minuteMs)
    mails.push(...stage.mails())
  }
  const leftMin = Math.round((before.notAfter - stage.t.clock.now()) / minuteMs)
  const afterMin = Math.round((stage.t.clock.now() - from) / minuteMs)
  const told = toldOnce(mails, `${operatorAddress}: Certificate cannot be renewed: ${inSubject}`)
  const lines = await stage.search(`"${host}" certificate level>=warn`)
  check(lines > 0, 'the log has the failing order by its host')
  stage.issuer.isDown = false
  await stage.pass(3 * hourMs, 10 * minuteMs)
  const after = await read()
  check((after?.version ?? 0) > before.version, 'it is renewed when the authority is back')
  toldOnce(stage.mails(), `${operatorAddress}: Over: Certificate cannot be renewed: ${inSubject}`)
  return {
    fault: 'certificate failing',
    seen: `${afterMin} min after the authority went away, ${leftMin} min before its end`,
    told,
    found: `the log by the host (${lines})`,
    closed: 'renewed, one mail',
  }
}

const meSchema = z.looseObject({
  account: z.string(),
  limits: z.looseObject({ transferBytesMonth: z.number() }),
})

/** Visitors carry all that the plan has. */
const quotaReached: Scenario = async (stage) => {
  const { tunnel } = await serve(stage, 'video')
  const { account, limits } = meSchema.parse(await ask(stage, 'GET', '/v1/me'))
  stage.mails()
  const { t } = stage
  const counts = {
    boot: '01k0000000000000000000boot',
    in: 0,
    out: limits.transferBytesMonth,
    opened: 9,
    refused: 0,
  }
  const hour = t.clock.now() - (t.clock.now() % hourMs)
  await t.sync({ usage: [{ ...counts, tunnel, account, hour }] })
  const { alert, minute } = await waitFor(stage, { kind: 'quota.reached', state: 'firing', minutes: 180 })
  await stage.pass(30 * minuteMs)
  const told = toldOnce(stage.mails(), `${ada}: The transfer is used up: 100 % of this period ("ada")`)
  const found = pageSchema(z.looseObject({ id: z.string() })).parse(
    await ask(stage, 'GET', `/v1/alerts?state=firing`),
  ).items
  check(
    found.some(({ id }) => id === alert.id),
    'the list has the alert by its id',
  )
  // The next period, in which it is counted anew; nobody serves any more.
  stage.renew = undefined
  await stage.pass(32 * dayMs, dayMs)
  await t.sync({
    usage: [{ ...counts, out: 1, tunnel, account, hour: t.clock.now() - (t.clock.now() % hourMs) }],
  })
  await stage.pass(4 * hourMs, 30 * minuteMs)
  const [over] = await alertsOf(stage, 'quota.reached')
  check(over?.state === 'resolved', 'it is over with the period')
  return {
    fault: 'quota reached',
    seen: `alert after ${minute} min, ${alert.code ?? 'no code'}`,
    told,
    found: `the alert ${alert.id.slice(0, 12)}… in the list`,
    closed: 'resolved with the next period',
  }
}

const webhookSchema = z.looseObject({ id: z.string() })
const deliverySchema = pageSchema(z.looseObject({ id: z.string(), state: z.string(), tries: z.int() }))

/** The receiver answers 503 for an hour, while something happens that it should hear of. */
const webhookDown: Scenario = async (stage) => {
  const { agent, tunnel, epoch } = await serve(stage, 'hooked')
  const json = { url: 'https://hooks.example.com/alerts' }
  const { id: webhook } = webhookSchema.parse(await ask(stage, 'POST', '/v1/webhooks', { json }))
  stage.mails()
  stage.isReceiverDown = true
  const upstreams = (code?: string) => ({ agent, upstreams: [{ tunnel, epoch, ...(code && { code }) }] })
  await ask(stage, 'POST', '/v1/leases/upstreams', { json: upstreams('PT-3001') })
  const { minute } = await waitFor(stage, { kind: 'tunnel.upstream', state: 'firing', minutes: 15 })
  await stage.pass(hourMs)
  const told = toldOnce(stage.mails(), `${ada}: Upstream is failing: hooked ("ada")`)
  const tries = stage.sent.length
  check(tries > 2, 'the delivery was tried again')
  const deliveries = async () =>
    deliverySchema.parse(await ask(stage, 'GET', `/v1/webhooks/${webhook}/deliveries`)).items
  const [waiting] = await deliveries()
  check(waiting?.state === 'waiting', 'the list shows that the delivery waits')
  stage.isReceiverDown = false
  await stage.pass(3 * hourMs, 10 * minuteMs)
  const all = await deliveries()
  const done = all.find(({ id }) => id === waiting?.id)
  check(
    done?.state === 'delivered' && stage.sent.length === tries + 1,
    'it is delivered once the receiver is back',
  )
  const ids = new Set(stage.sent.map(({ headers }) => headers['webhook-id']))
  check(ids.size === 1, 'all tries have one id')
  await ask(stage, 'POST', '/v1/leases/upstreams', { json: upstreams() })
  await waitFor(stage, { kind: 'tunnel.upstream', state: 'resolved', minutes: 45 })
  return {
    fault: 'webhook receiver down for an hour',
    seen: `alert after ${minute} min; ${tries} tries, each 503`,
    told,
    found: `the delivery ${done?.id.slice(0, 12)}… with its tries`,
    closed: 'delivered once, and the alert resolved',
  }
}

/** A person asks to be erased. */
const erasureAsked: Scenario = async (stage) => {
  const eve = 'eve@example.com'
  const { t } = stage
  const { member, account } = await t.principals.authenticate(t.eve, '')
  stage.mails()
  await ask(stage, 'DELETE', '/v1/person', { as: eve })
  await stage.pass(10 * minuteMs)
  const shown = await ask(stage, 'GET', `/v1/operator/people/${member}`, { as: operatorAddress })
  check(z.looseObject({ leavingAt: z.number() }).safeParse(shown).success, 'operators see when it ends')
  const mails: string[] = [...stage.mails()]
  for (let day = 0; day < 20; day++) {
    await stage.pass(dayMs, dayMs / 2)
    mails.push(...stage.mails())
  }
  const hers = mails.filter((line) => line.startsWith(eve))
  check(new Set(hers).size === hers.length && hers.length >= 3, `each mail once: ${JSON.stringify(hers)}`)
  const left = (await stage.documents())
    .filter(({ ttl }) => ttl === null || ttl > t.clock.now())
    .filter(({ id, body }) => `${id} ${body}`.includes(eve))
  check(left.length === 0, `nothing has her address: ${left.map(({ collection }) => collection)}`)
  const ends = (await stage.documents()).filter(
    ({ collection, body }) =>
      collection === 'audit' && body.includes('account.erased') && body.includes(account),
  )
  check(ends.length === 1, "the service's audit log has the end by the account's id")
  return {
    fault: 'erasure asked for',
    seen: 'operators see its end on the page of the person',
    told: `${hers.length} mails to her, each once`,
    found: "the service's audit log by the account's id",
    closed: 'erased after 14 days; no document has the address',
  }
}

export const scenarios: Readonly<Record<string, Scenario>> = {
  relay: relayKilled,
  certificate: certificateFailing,
  quota: quotaReached,
  webhook: webhookDown,
  erasure: erasureAsked,
}
