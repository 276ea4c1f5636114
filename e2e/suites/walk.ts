/**
 * The walk of a person to a name worth showing, with `ptun`, curl, a DNS and an authority: they sign up, reserve a
 * name, add an own domain with a wrong record, are told which, mend it, get the certificate, renew it under visitors,
 * move the domain to another tunnel, and remove it. One service and one world for the whole walk.
 */
import { rmSync } from 'node:fs'
import { Agent as ConnectionPool } from 'node:https'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { agentHome, privateFolders, ptun } from '../harness/agent.ts'
import { eventually } from '../harness/events.ts'
import { type NamesWorld, openNamesWorld, serviceDomain } from '../harness/names-world.ts'
import { type Program, type ProgramOptions, runProgram, startProgram, textOf } from '../harness/programs.ts'
import { callApi, type Service } from '../harness/service.ts'
import { getByTls, startRate } from '../harness/tls-visitors.ts'
import { type HttpUpstream, startHttp } from '../harness/upstreams.ts'
import { programPath } from '../requirements.ts'

const host = 'app.example.com'
const wildcard = '*.wild.example.com'
const recordSchema = z.object({ type: z.string(), value: z.string() })
const pendingSchema = z.object({ event: z.literal('domain.pending'), records: z.array(recordSchema) })
const waitingSchema = z.object({
  event: z.literal('domain.waiting'),
  findings: z.array(z.object({ code: z.string(), detail: z.string() })),
})
const onlineSchema = z.object({ event: z.literal('tunnel.online'), tunnel: z.string(), url: z.string() })
const claimSchema = z.object({
  state: z.string(),
  findings: z.array(z.object({ code: z.string() })),
  records: z.array(recordSchema),
})
const certificateSchema = z.object({ event: z.literal('domain.certificate'), state: z.string() })
const readySchema = z.object({ event: z.literal('certificate.ready') })
const ledSchema = z.object({ event: z.literal('domain.led'), url: z.string() })

export type WalkOptions = {
  /** A service in this world. */
  readonly start: (world: Pick<NamesWorld, 'env' | 'yaml'>) => Promise<Service>
  /** How many visitors come while the certificate is renewed, at least. */
  readonly visitors: number
  /** How many of them come each second: half of them with a connection of their own, a handshake on either side. */
  readonly perSecond: number
}

/** @param platform its name in the report */
export function describeWalk(platform: string, { start, visitors, perSecond }: WalkOptions): void {
  describe(`a name worth showing, on ${platform}`, () => {
    let world: NamesWorld
    let service: Service
    let env: NonNullable<ProgramOptions['env']>
    let shop: Program
    let alias = ''
    let wildAlias = ''
    const upstreams: HttpUpstream[] = []
    const running: Program[] = []
    const home = agentHome()

    beforeAll(async () => {
      world = await openNamesWorld()
      await world.dns.zone('example.com', ['app CNAME shop.elsewhere.example.net.'])
      service = await start(world)
      for (const says of ['first', 'second'])
        upstreams.push(await startHttp({ '/': (_request, response) => response.end(says) }))
    })
    afterAll(async () => {
      for (const program of running) await program.stop()
      for (const upstream of upstreams) await upstream.close()
      await service?.stop()
      await world?.close()
      rmSync(home, { recursive: true, force: true })
    })

    async function run(...words: string[]) {
      const { exit, stdout, stderr } = await runProgram('node', [ptun, ...words], { env, deadlineMs: 60_000 })
      return { code: exit.code, stdout, stderr }
    }

    async function serve(kind: 'http' | 'tls', at: number, ...words: string[]): Promise<Program> {
      const args = [ptun, kind, `${upstreams[at]?.port}`, ...words, '--json']
      const program = await startProgram('node', args, { env })
      running.push(program)
      return program
    }

    /** The first line of the program that matches. */
    function told<T>(program: Program, schema: z.ZodType<T>, what: string): Promise<T> {
      const find = () =>
        textOf(program, 'stdout')
          .split('\n')
          .filter(Boolean)
          .map((line) => schema.safeParse(JSON.parse(line)).data)
          .find((one) => one !== undefined)
      return eventually(what, find, 90_000).catch((cause: unknown) => {
        throw new Error(`${textOf(program, 'stdout')}\n${textOf(program, 'stderr')}`, { cause })
      })
    }
    const place = (name: string) => ({ host: name, port: world.tlsPort, root: world.root })
    const says = (name: string, what: string) =>
      eventually(
        `${name} says ${what}`,
        async () => (await getByTls(place(name))).body === what || undefined,
        90_000,
      )
    /** As a person would: by its name, under the authority's root. */
    async function curl(name: string) {
      const { tlsPort, rootFile } = world
      const at = `${name}:${tlsPort}`
      const words = ['-sS', '--cacert', rootFile, '--resolve', `${at}:127.0.0.1`, `https://${at}/`]
      const { exit, stdout, stderr } = await runProgram(programPath('curl'), words)
      return { code: exit.code, stdout, stderr }
    }
    /** Each relay gets a certificate by itself, so one visitor's success is not yet that of the next. */
    const curlSays = (name: string, what: string) =>
      eventually(`curl has ${what} of ${name}`, async () => {
        const { code, stdout, stderr } = await curl(name)
        if (stdout !== what) throw new Error(stderr)
        return code === 0 || undefined
      })

    test('a person signs up, and reserves a name', async () => {
      const { people, api } = service
      if (!people) throw new Error('nobody can register here')
      const token = await people.signUp('ada@example.com')
      const wish = { name: 'agent', scopes: ['read', 'tunnels'] }
      const made = await callApi({ api, key: token }, 'POST', '/v1/keys', wish)
      const { secret } = z.object({ secret: z.string() }).parse(made)
      env = { ...privateFolders(home), PTUN_SERVER: api, PTUN_KEY: secret }
      expect((await run('names', 'reserve', 'shop')).code).toBe(0)
    })

    test('a host that cannot be an own domain is refused with its code', async () => {
      for (const [name, code] of [
        ['co.uk', 'PT-2411'],
        ['*.co.uk', 'PT-2411'],
        ['a.*.example.com', 'PT-2410'],
        [`*.${serviceDomain}`, 'PT-2519'],
        ['p\u0430ypal.com', 'PT-2409'],
        ['192.0.2.1', 'PT-2408'],
        [`shop.${serviceDomain}`, 'PT-2519'],
      ])
        expect((await run('domains', 'add', name ?? '')).stderr).toContain(code)
      const tcp = await run('tcp', '5432', '--domain', host)
      expect([tcp.code, tcp.stderr.includes('--domain is for http and tls')]).toEqual([2, true])
    })

    test('they are shown the record, and told what is wrong with the one that they made', async () => {
      shop = await serve('http', 0, '--name', 'shop', '--domain', 'APP.example.com')
      const { records } = await told(shop, pendingSchema, 'the record to make')
      alias = records.find(({ type }) => type === 'CNAME')?.value ?? ''
      const { findings } = await told(shop, waitingSchema, 'the first look')
      expect(findings).toMatchObject([
        { code: 'PT-2502', detail: 'The CNAME leads to shop.elsewhere.example.net.' },
      ])
      const added = await run('domains', 'add', wildcard)
      wildAlias = /\S+\.to\.\S+/.exec(added.stdout)?.[0] ?? ''
    })

    test('with the right record visitors come by the domain, and curl trusts it', async () => {
      await world.dns.zone('example.com', [`app CNAME ${alias}.`, `*.wild CNAME ${wildAlias}.`])
      const { url } = await told(shop, ledSchema, 'the domain leads here')
      expect(url).toBe(`https://${host}:${world.tlsPort}`)
      const { state } = await told(shop, certificateSchema, 'the certificate is there')
      expect(state).toBe('valid')
      await says(host, 'first')
      await says(`shop.${serviceDomain}`, 'first')
      await curlSays(host, 'first')
      expect((await run('domains', 'list')).stdout).toMatch(/app\.example\.com +verified +shop +until 20/)
      expect((await run('domains', 'add', host)).stdout).toBe('app.example.com is yours already.')
    })

    test('a wildcard leads every name one level below it, and no other', async () => {
      const get = async (name: string) => {
        const at = `${name}:${world.httpPort}`
        const words = ['-sS', '--resolve', `${at}:127.0.0.1`, `http://${at}/`]
        return (await runProgram(programPath('curl'), words)).stdout
      }
      expect((await run('domains', 'add', wildcard, '--tunnel', 'shop')).code).toBe(0)
      await eventually(
        'the wildcard is verified',
        async () =>
          (await run('domains', 'check', wildcard)).stdout.includes(`${wildcard} is yours`) || undefined,
        90_000,
      )
      await eventually(
        'it leads here',
        async () => (await get('a.wild.example.com')) === 'first' || undefined,
      )
      await eventually(
        'so does another',
        async () => (await get('b.wild.example.com')) === 'first' || undefined,
      )
      for (const name of ['wild.example.com', 'b.a.wild.example.com'])
        expect(await get(name)).toContain('PT-4014')
      expect((await run('domains', 'remove', wildcard, '--yes')).code).toBe(0)
    })

    test('another account’s claim to the domain changes nothing, and learns nothing', async () => {
      const { people, api } = service
      const eve = { api, key: (await people?.signUp('eve@example.com')) ?? '' }
      const path = `/v1/domains/${host}`
      await callApi(eve, 'POST', '/v1/domains', { host })
      const claim = await eventually(
        'her claim was looked at',
        async () => {
          const now = claimSchema.parse(await callApi(eve, 'GET', path))
          return now.findings.length > 0 ? now : undefined
        },
        90_000,
      )
      // To her it is a record like any other that leads elsewhere.
      expect(claim).toMatchObject({ state: 'pending', findings: [{ code: 'PT-2502' }] })
      expect(JSON.stringify(claim.records)).not.toContain(alias)
      await callApi(eve, 'DELETE', path)
      await says(host, 'first')
    })

    test('a renewal fails no visitor, and new ones see the new certificate', async () => {
      // Each relay has the certificate.
      for (let times = 0; times < 10; times++) await says(host, 'first')
      const rate = startRate(place(host), { perSecond })
      await rate.further(20)
      await eventually('visitors see a certificate', () => rate.serials.length === 1 || undefined)
      await service.people?.operator('certificates', 'order', host)
      await eventually('visitors see the next', () => rate.serials.length > 1 || undefined, 90_000)
      await rate.further(visitors)
      const { failures, sent } = await rate.stop()
      expect(failures).toEqual([])
      expect(rate.serials).toHaveLength(2)
      expect(sent).toBeGreaterThan(visitors)
    })

    test('the domain goes to another tunnel under its visitors', async () => {
      const other = await serve('http', 1, '--name', 'two')
      await told(other, onlineSchema, 'the other tunnel is online')
      expect((await run('domains', 'add', host, '--tunnel', 'two')).code).toBe(0)
      await says(host, 'second')
      await says(`shop.${serviceDomain}`, 'first')
    })

    test('a fault beside the record is found by a check, and breaks nothing', async () => {
      await world.dns.zone('example.com', [`app CNAME ${alias}.`, 'app TXT v=spf1'])
      const check = await eventually(
        'a look that is not too soon',
        async () => {
          const done = await run('domains', 'check', host)
          return done.stdout.includes('PT-2507') ? done : undefined
        },
        90_000,
      )
      expect(check.stdout).toContain('app.example.com is verified, but PT-2507.')
      await says(host, 'second')
    })

    test('a name whose TLS ends at the agent is trusted too', async () => {
      expect((await run('names', 'reserve', 'vault.e2e')).code).toBe(0)
      const vault = await serve('tls', 1, '--name', 'vault', '--e2e')
      await told(vault, readySchema, 'the agent has its certificate')
      const name = `vault.e2e.${serviceDomain}`
      await says(name, 'second')
      await curlSays(name, 'second')
    })

    test('an own domain goes to an agent that ends its TLS, which gets a certificate for it', async () => {
      const secret = await serve('http', 0, '--name', 'secret', '--domain', host, '--e2e')
      await told(secret, onlineSchema, 'the third tunnel is online')
      expect((await run('domains', 'add', host, '--tunnel', 'secret')).code).toBe(0)
      await told(secret, readySchema, 'the agent has a certificate for the domain')
      await says(host, 'first')
      await curlSays(host, 'first')
      expect((await run('domains', 'list')).stdout).toMatch(/verified.* +secret +until 20\S+ at the agent/)
      const plain = ['-sS', '-o', '/dev/null', '-w', '%{http_code} %{redirect_url}', '-H', `Host: ${host}`]
      const sent = await runProgram(programPath('curl'), [...plain, `http://127.0.0.1:${world.httpPort}/a`])
      expect(sent.stdout).toBe(`308 https://${host}:${world.tlsPort}/a`)
    })

    test('once removed it leads nowhere', async () => {
      const pool = new ConnectionPool({ keepAlive: true, maxSockets: 1 })
      expect((await getByTls(place(host), { pool })).body).toBe('first')
      expect((await run('domains', 'remove', host)).code, 'nobody can be asked').toBe(2)
      const removed = await run('domains', 'remove', 'App.Example.com.', '--yes')
      expect(removed.stdout).toBe(
        'Removed app.example.com. It leads nowhere in seconds; delete its record too.',
      )
      const refused = await eventually(
        'curl is refused',
        async () => {
          const got = await curl(host)
          // In the moment of the change a handshake may be cut.
          return got.code === 35 && !got.stderr.includes('SSL_ERROR_SYSCALL') ? got : undefined
        },
        90_000,
      )
      expect(refused).toMatchObject({ code: 35, stderr: expect.stringContaining('unrecognized name') })
      const kept = async () => (await getByTls(place(host), { pool })).status
      await eventually('a connection that was open leads nowhere too', () =>
        kept().then(
          (status) => status !== 200 || undefined,
          () => true,
        ),
      )
      pool.destroy()
      expect((await run('domains', 'list')).stdout).toBe(
        'No own domains yet. Add one: ptun domains add app.example.com',
      )
    })
  })
}
