/**
 * The cloud stack from Terraform's apply to a visitor: functions start with the environment of the applied state, and a
 * relay VM boots with the metadata of its template. What the stack forgets or misspells is missing here. Only what
 * applied/world.ts lists differs from the cloud.
 */
import { createHmac } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { keyCreatedSchema } from '@porttunneler/shared/api/schemas/accounts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { withEmulators } from '../functions/testing/with-emulators.ts'
import { deliver } from './applied/deliver.ts'
import { prepareRoot, runScript } from './applied/machine.ts'
import {
  environmentOf,
  openStage,
  platformVariables,
  removeFolder,
  type Stage,
  startFunction,
} from './applied/stage.ts'
import { type Applied, functionsOf, isOpen, stepOf, vmsOf } from './applied/state.ts'
import {
  bends,
  files,
  machine,
  pebblePorts,
  schedulerPort,
  upstreamPort,
  upstreamText,
} from './applied/world.ts'
import { type Agent, privateFolders, startAgent } from './harness/agent.ts'
import { eventually } from './harness/events.ts'
import { root as repository, startProgram, textOf } from './harness/programs.ts'
import { temporaryFolder } from './harness/standalone.ts'
import { describeLong } from './requirements.ts'

test('the page lists all that differs from the cloud', () => {
  const page = readFileSync(join(repository, 'docs/cloud.md'), 'utf8')
  const [, section = ''] = /### Proven without a cloud\n([\s\S]*?)\n## /.exec(page) ?? []
  const rows = [...section.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(([, name, words]) => [name, words])
  expect(Object.fromEntries(rows)).toEqual(bends)
})

const needs = [
  'ip',
  'namespaces',
  'setpriv',
  'curl',
  'openssl',
  'pebble',
  'terraform',
  'zip',
  'unzip',
  'stack',
] as const

describeLong(needs, 'the applied stack', () => {
  withEmulators((hosts) => {
    const folder = temporaryFolder('applied')
    const root = join(folder, 'machine')
    let applied: Applied
    let stage: Stage
    let agent: Agent
    let consoleUrl: string
    let key: { readonly id: string; readonly secret: string }

    const vm = () => {
      const [first] = vmsOf(applied)
      if (!first) throw new Error('there is no relay VM')
      return first
    }
    const startUp = () => vm().metadata['startup-script'] ?? ''
    /** @returns the answer's body and, in a line of its own, its status */
    const call = async (method: string, path: string, ...words: string[]) => {
      const { stdout, stderr } = await stage.run([
        ...['curl', '-sS', '--max-time', '20', '-X', method, '-w', '\n%{http_code}'],
        ...words,
        path.startsWith('/') ? `${consoleUrl}${path}` : path,
      ])
      const [status, ...lines] = stdout.split('\n').reverse()
      return { status: Number(status), body: lines.reverse().join('\n'), stderr }
    }
    const callAs = (bearer: string, method: string, path: string, body?: object) =>
      call(
        method,
        path,
        ...['-H', `authorization: Bearer ${bearer}`],
        ...(body ? ['-H', 'content-type: application/json', '-d', JSON.stringify(body)] : []),
      )
    const visit = async (url: string) => (await stage.run(['curl', '-sS', '--max-time', '20', url])).stdout

    beforeAll(async () => {
      applied = await deliver(folder)
      stage = await openStage(folder, applied, hosts)
      consoleUrl = functionsOf(applied)[0]?.variables.PORTTUNNELER_URL ?? ''
    })
    afterAll(async () => {
      await agent?.stop('SIGKILL')
      killUnits(root)
      await stage?.close()
      removeFolder(folder)
    })

    test('functions answer where the console is, with the variables of the stack and no others', async () => {
      const health = async () => (await call('GET', '/v1/health')).status === 200 || undefined
      await eventually('the API answers', health, 60_000)
      for (const [index, each] of functionsOf(applied).entries()) {
        const program = stage.functions.get(each.name)
        expect(program && environmentOf(program)).toEqual({
          ...each.variables,
          ...platformVariables(each, index),
          NODE_EXTRA_CA_CERTS: stage.authority,
        })
      }
    })

    test.each(['GOOGLE_CLOUD_PROJECT', 'PORTTUNNELER_URL', 'PORTTUNNELER_KMS_KEY', 'FIREBASE_API_KEY'])(
      'without %s a function does not start, and says so',
      async (name) => {
        const [each] = functionsOf(applied)
        const { [name]: _, ...variables } = each?.variables ?? {}
        if (!each) return
        const place = { source: join(folder, 'sources', each.archive), namespace: stage.cloud, index: 90 }
        const started = await startFunction({ ...each, variables }, { ...place, authority: stage.authority })
        expect((await started.exited).code).not.toBe(0)
        expect(textOf(started, 'stdout') + textOf(started, 'stderr')).toContain('PT-5201')
      },
    )

    test('the operator makes the cell by the line of the first steps', async () => {
      const home = join(folder, 'operator')
      const credentials = join(home, '.config/gcloud/application_default_credentials.json')
      mkdirSync(dirname(credentials), { recursive: true })
      const user = { client_id: 'id', client_secret: 'secret', refresh_token: '1//operator' }
      writeFileSync(credentials, JSON.stringify({ type: 'authorized_user', ...user }))
      const lines = stepOf(applied, 'Cells')
      // The one question to Google's own tool among them.
      const gcloud = `gcloud() { [[ $* == 'compute addresses describe '* ]] && echo ${vm().addresses}; }`
      const script = [gcloud, ...lines].join('\n')
      const { exit, stdout, stderr } = await stage.run(['bash', '-ec', script], { HOME: home })
      expect({ code: exit.code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toContain(vm().metadata['ptun-cell-host'])
    })

    test('without a key of its metadata that has no default a VM does not become a relay, and says which', async () => {
      prepareRoot(root, stage.authority)
      for (const name of [
        'control-url',
        'cell-host',
        'bundle-url',
        'bundle-sha256',
        'node-url',
        'node-sha256',
        'release-url',
        'release-keys',
        'oldest-release',
      ]) {
        writeFileSync(join(folder, files.withheld), `ptun-${name}`)
        const { exit, stderr } = await runScript(root, startUp(), stage.machine)
        expect(stderr).toContain(`The metadata instance/attributes/ptun-${name} is missing`)
        expect(exit.code).toBe(1)
      }
      rmSync(join(folder, files.withheld))
    })

    test('a VM boots with the metadata of its template, and its relays are let in', async () => {
      const { exit, stdout, stderr } = await runScript(root, startUp(), stage.machine)
      expect({ code: exit.code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toContain('2 relays are ready')
      expect(stage.events.items).toContainEqual({ kind: 'reported', value: 'ready 2' })
      const asked = stage.events.items.flatMap((event) => (event.kind === 'attribute' ? [event.key] : []))
      const given = Object.keys(vm().metadata).filter((name) => name.startsWith('ptun-'))
      expect(given.filter((name) => !asked.includes(name))).toEqual([])
    })

    test('the scheduler reaches its function, and Stripe its own', async () => {
      expect((await call('GET', `http://127.0.0.1:${schedulerPort}/`)).body).toMatch(/^20\d$/)
      // Its job writes the records of the cell: by them visitors find the balancer, and browsers each relay.
      const { host, port } = {
        host: `r2-${machine.instanceId}.${vm().metadata['ptun-cell-host']}`,
        port: 8446,
      }
      const named = await stage.run(['getent', 'ahostsv4', host])
      expect(named.stdout).toContain(`${machine.address} `)
      expect((await call('GET', `https://${host}:${port}/`, '-k')).status).toBeGreaterThan(0)
      const event = JSON.stringify({
        id: 'evt_1',
        object: 'event',
        type: 'invoice.paid',
        data: { object: {} },
      })
      const seconds = Math.floor(Date.now() / 1_000)
      const secret = applied.secrets['stripe-webhook-secret'] ?? ''
      const signature = createHmac('sha256', secret).update(`${seconds}.${event}`).digest('hex')
      const header = `stripe-signature: t=${seconds},v1=${signature}`
      const answer = await call('POST', '/hooks/stripe', '-H', header, '-d', event)
      expect(answer).toMatchObject({ status: 200, body: expect.stringContaining('"received":true') })
    })

    test('a person signs in by the line of the first steps, and their first tunnel is reached by its name', async () => {
      const env = { ...privateFolders(join(folder, 'person')), NODE_EXTRA_CA_CERTS: stage.authority }
      const start = (line: string) =>
        startProgram('bash', ['-c', line.replace('npx porttunneler', 'exec node cli/ptun.js')], {
          namespace: stage.cloud,
          env,
        })
      const [login = '', tunnel = ''] = stepOf(applied, 'A tunnel')
      const signingIn = await start(login)
      const said = await signingIn.lines.waitFor(({ text }) => text.startsWith('Code '), {
        what: 'a code',
        deadlineMs: 60_000,
      })
      const userCode = said.text.split(/\s+/)[1]
      const decided = await callAs(stage.token, 'POST', '/v1/device/decision', { userCode, approve: true })
      expect(decided.status).toBeLessThan(300)
      expect((await signingIn.exited).code).toBe(0)
      const served = await start(tunnel)
      const { domain } = { domain: vm().metadata['ptun-domain'] ?? '' }
      const address = new RegExp(`https://([a-z0-9-]+\\.${domain})`)
      const online = await served.lines.waitFor(({ text }) => address.test(text), {
        what: 'the tunnel',
        deadlineMs: 60_000,
      })
      const [, host = ''] = address.exec(online.text) ?? []
      await eventually(
        'a visitor is served',
        async () => (await visit(`http://${host}/`)) === upstreamText || undefined,
      )
      await served.stop('SIGKILL')
    })

    test('the cell has a certificate of the authority that its zone names, for all tunnels and for live figures', async () => {
      const roots = join(folder, 'roots.pem')
      const root = await call('GET', `https://127.0.0.1:${pebblePorts.management}/roots/0`, '-k')
      writeFileSync(roots, root.body)
      const relay = `https://r1-${machine.instanceId}.${vm().metadata['ptun-cell-host']}:8444/v1/live`
      const isTrusted = async () => {
        await call('GET', `http://127.0.0.1:${schedulerPort}/`)
        return (await call('GET', relay, '--cacert', roots)).status === 401 || undefined
      }
      await eventually('the certificate is served', isTrusted, 90_000)
    })

    test('a tcp tunnel is reached at its port, and the firewall lets visitors and agents in', async () => {
      const scopes = ['read', 'tunnels', 'admin']
      const made = await callAs(stage.token, 'POST', '/v1/keys', { name: 'applied', scopes })
      key = keyCreatedSchema.parse(JSON.parse(made.body))
      agent = await startAgent(
        { api: consoleUrl, key: key.secret },
        { raw: { kind: 'tcp', upstream: upstreamPort } },
        { namespace: stage.cloud, env: { NODE_EXTRA_CA_CERTS: stage.authority } },
      )
      const online = await agent.waitFor('tunnel.online', { tunnel: 'raw', deadlineMs: 60_000 })
      const raw = new URL(String(online.url))
      expect(raw.hostname).toBe(vm().metadata['ptun-cell-host'])
      expect(await visit(`http://${raw.host}/`)).toBe(upstreamText)
      const ports = [80, 443, Number(raw.port), Number(vm().metadata['ptun-own-port'])]
      expect(ports.filter((port) => !isOpen(applied, vm(), port))).toEqual([])
    })

    test('a revoked key is a job by its topic, and a command by the subscription of each relay', async () => {
      const from = stage.events.items.length
      expect((await callAs(stage.token, 'DELETE', `/v1/keys/${key.id}`)).status).toBeLessThan(300)
      await stage.events.waitFor(
        (event) => event.kind === 'delivered' && event.name === 'onJobs' && event.status < 300,
        { what: 'the job', from },
      )
      await stage.events.waitFor(
        (event) => event.kind === 'called' && event.method.endsWith('/Acknowledge') && event.status === '0',
        { what: 'a relay takes the command', from },
      )
      const missing = stage.events.items.filter((event) => event.kind === 'called' && event.status === '5')
      expect(missing).toEqual([])
    })
  })
})

/** Ends what systemctl's stand-in started. */
function killUnits(root: string): void {
  const units = join(root, 'run/units')
  if (!existsSync(units)) return
  for (const file of readdirSync(units).filter((name) => name.endsWith('.pid')))
    if (!existsSync(join(units, file.replace('.pid', '.exit'))))
      process.kill(Number(readFileSync(join(units, file), 'utf8')), 'SIGKILL')
}
