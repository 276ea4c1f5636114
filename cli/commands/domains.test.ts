/** The output of `ptun domains` and `--domain`: the record to make, what is found, and how they wait for a person. */
import { stripVTControlCharacters } from 'node:util'
import type { Client } from '@porttunneler/shared/api/client'
import type { Domain } from '@porttunneler/shared/api/schemas/domains'
import { type ErrorKey, fail } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import type { Context } from '../context.ts'
import { openLeadingOutput } from './domain-keeper.ts'
import { walkThrough } from './domain-walk.ts'
import { certificateLine, certificateWord, recordLines } from './domain-words.ts'

const plain = (_style: unknown, text: string) => text
const pending: Domain = {
  host: 'app.example.com',
  state: 'pending',
  records: [
    { type: 'CNAME', name: 'app.example.com', shortName: 'app', value: 't.to.x.example.net', does: 'both' },
    { type: 'TXT', name: '_ptun.app.example.com', shortName: '_ptun.app', value: 'ptun1=t', does: 'proves' },
  ],
  findings: [],
  createdAt: 0,
  nextCheckAt: 0,
  revision: 1,
}
const missing = {
  code: 'PT-2501',
  title: 'No record there yet',
  detail: 'Nothing of ours.',
  cure: 'Make one.',
}

test('the record that does both is shown for copying, with the provider’s hint', () => {
  const provider = { name: 'Cloudflare', hint: 'Set it to "DNS only".' }
  expect(recordLines({ ...pending, provider }, plain)).toEqual([
    'Make this record where the DNS of app.example.com is managed (Cloudflare):',
    '',
    '  TYPE   NAME  VALUE',
    '  CNAME  app   t.to.x.example.net',
    '',
    'Set it to "DNS only".',
    'If a CNAME is not possible there, make an ALIAS of the same name and value, and this record:',
    '',
    '  TXT   _ptun.app  ptun1=t',
  ])
})

test.each([
  [undefined, ''],
  [{ state: 'none' }, 'not yet'],
  [{ state: 'ordering' }, 'being ordered'],
  [{ state: 'valid', validUntil: Date.UTC(2027, 0, 9, 12) }, 'until 2027-01-09'],
  [{ state: 'valid', validUntil: Date.UTC(2027, 0, 9, 12), key: 'agent' }, 'until 2027-01-09 at the agent'],
  [
    { state: 'failing', validUntil: Date.UTC(2027, 0, 9, 12), problem: { ...missing, code: 'PT-2604' } },
    'until 2027-01-09, but PT-2604',
  ],
  [{ state: 'failing', validUntil: 1, problem: { ...missing, code: 'PT-2604' } }, 'PT-2604'],
] as const)('a certificate in the list of domains: %o', (certificate, word) => {
  expect(certificateWord({ ...pending, ...(certificate && { certificate }) }, Date.UTC(2026, 10, 29))).toBe(
    word,
  )
})

test('a domain itself needs two records', () => {
  const records: Domain['records'] = [
    { type: 'TXT', name: '_ptun.example.com', shortName: '_ptun', value: 'ptun1=t', does: 'proves' },
    { type: 'ALIAS', name: 'example.com', shortName: '@', value: 't.to.x.example.net', does: 'leads' },
  ]
  const lines = recordLines({ ...pending, host: 'example.com', records }, plain)
  expect(lines).toContain('  TXT    _ptun  ptun1=t')
  expect(lines).toContain('  ALIAS  @      t.to.x.example.net')
})

/** Looks that find these, one after the other; the last one repeats. */
function stage({
  looks,
  isTTY,
  isJson = false,
}: {
  looks: readonly Domain[]
  isTTY: boolean
  isJson?: boolean
}) {
  const clock = new FakeClock()
  const written: string[] = []
  const output = { isTTY, columns: 200, write: (text: string) => written.push(text) }
  const context = { env: {}, stdout: output, stderr: output, clock, isJson } as unknown as Context
  let at = -1
  const now = () => ({ ...(looks[Math.max(0, at)] ?? pending), checkedAt: at + 1 })
  const client = {
    addDomain: async () => now(),
    domain: async () => now(),
    checkDomain: async () => {
      const before = now()
      if (at < looks.length - 1) at += 1
      return before
    },
  } as unknown as Client
  return { clock, written, context, client, text: () => written.join('') }
}

describe('ptun http --domain', () => {
  const found = { ...pending, findings: [missing] }
  const verified = { ...pending, state: 'verified' as const }

  async function walk(t: ReturnType<typeof stage>): Promise<Domain> {
    const walking = walkThrough(t.context, t.client, 'app.example.com')
    let isOver = false
    const over = walking.finally(() => {
      isOver = true
    })
    while (!isOver) await t.clock.advanceAsync(5_000, 1_000)
    return over
  }

  test('waits for the record in one line of a terminal, and goes on when it is there', async () => {
    const t = stage({ looks: [pending, found, found, verified], isTTY: true })
    expect((await walk(t)).state).toBe('verified')
    expect(t.text()).toContain('CNAME')
    expect(t.text()).toContain('\r\u001b[2KWaiting for app.example.com (1 s; Ctrl-C ends). Asking')
    // The whole finding with its cure stays above the line, once.
    const finding = 'No record there yet (PT-2501): Nothing of ours. Make one.\n'
    expect(stripVTControlCharacters(t.text()).split(finding)).toHaveLength(2)
    expect(t.text()).toContain('(8 s; Ctrl-C ends). No record there yet (PT-2501).')
    expect(t.text()).toMatch(/app\.example\.com is yours\.\n\n$/)
    expect(t.clock.pending).toBe(0)
  })

  test('without a terminal, reports each finding once', async () => {
    const t = stage({ looks: [pending, found, found, found, verified], isTTY: false })
    await walk(t)
    expect(t.text().split('No record there yet (PT-2501)')).toHaveLength(2)
    expect(t.text()).not.toContain('\u001b[2K')
  })

  test('gives programs the records and the findings', async () => {
    const t = stage({ looks: [pending, found, verified], isTTY: false, isJson: true })
    await walk(t)
    const events = t.written.map((line) => JSON.parse(line) as { event: string })
    expect(events.map(({ event }) => event)).toEqual(['domain.pending', 'domain.waiting', 'domain.verified'])
  })

  test('does not wait for a domain that is verified, or was', async () => {
    const t = stage({ looks: [verified], isTTY: true })
    await walk(t)
    expect(t.text()).toBe('')
    const failing = stage({ looks: [{ ...found, state: 'failing' }], isTTY: true })
    await walk(failing)
    expect(failing.text()).toContain('app.example.com is failing. No record there yet (PT-2501)')
  })

  test('outlives a server that starts again, and others who ask at the same time', async () => {
    const t = stage({ looks: [pending, found, verified], isTTY: false })
    const failures: ErrorKey[] = ['server.unreachable', ...Array<ErrorKey>(5).fill('domain.too_soon')]
    const client = {
      ...t.client,
      checkDomain: async (host: string) => {
        const key = failures.shift()
        if (key) throw fail(key, 'For now.')
        return t.client.checkDomain(host)
      },
    } as Client
    expect((await walk({ ...t, client })).state).toBe('verified')
    expect(t.text()).toContain('Waiting for app.example.com. Server does not answer (PT-6030): For now.')
    expect(t.clock.pending).toBe(0)
  })

  test('ends with the server’s error when the claim is gone', async () => {
    const t = stage({ looks: [pending], isTTY: true })
    const client = { ...t.client, checkDomain: async () => Promise.reject(fail('api.not_found')) }
    await expect(walkThrough(t.context, client, 'app.example.com')).rejects.toThrow()
  })
})

describe('a domain of an agent', () => {
  const tunnel = { id: `tun_${'0'.repeat(26)}`, name: 'web' }
  const online = {
    event: 'tunnel.online',
    kind: 'http',
    url: 'https://web.x.example.net:8443',
    upstream: '3000',
  } as const
  const wanted = [
    {
      name: 'web',
      kind: 'http',
      upstream: { kind: 'tcp', host: 'localhost', port: 3000 },
      domain: 'app.example.com',
    },
    { name: 'api', kind: 'http', upstream: { kind: 'tcp', host: 'localhost', port: 3001 } },
  ] as unknown as Parameters<typeof openLeadingOutput>[0]['wanted']

  async function lead(events: readonly string[], answers: Partial<Client>) {
    const t = stage({ looks: [pending], isTTY: false, isJson: true })
    const calls: unknown[] = []
    const client = {
      tunnels: async () => ({ items: [tunnel] }),
      addDomain: async (json: object) => {
        calls.push(json)
        return { ...pending, state: 'verified', tunnel }
      },
      ...answers,
    } as unknown as Client
    const output = openLeadingOutput({ context: t.context, connection: { client }, wanted }, () => {
      throw new Error('nobody asks for a snapshot')
    })
    for (const name of events) {
      output.onEvent({ ...online, tunnel: name })
      await new Promise((resolve) => setImmediate(resolve))
    }
    output.close()
    const told = t.written.map((line) => JSON.parse(line) as { event: string; url?: string; error?: string })
    return { calls, told: told.filter(({ event }) => event.startsWith('domain.')) }
  }

  test('is led to its tunnel once it is online, and no other tunnel has it', async () => {
    const { calls, told } = await lead(['api', 'web', 'web'], {})
    expect(calls).toEqual([{ host: 'app.example.com', tunnel: tunnel.id }])
    expect(told).toMatchObject([
      { event: 'domain.led', url: 'https://app.example.com:8443', state: 'verified' },
    ])
  })

  test('says when its certificate is there, and why it cannot be had', async () => {
    const t = stage({ looks: [pending], isTTY: false })
    const verified: Domain = { ...pending, state: 'verified', tunnel }
    // A server that is silent for a moment is asked again.
    const steps: Domain['certificate'][] = [
      { state: 'none' },
      undefined,
      { state: 'ordering' },
      { state: 'failing', problem: { ...missing, code: 'PT-2604' }, triedAgainAt: Date.UTC(2026, 11, 1, 12) },
    ]
    const client = {
      tunnels: async () => ({ items: [tunnel] }),
      addDomain: async () => ({ ...verified, certificate: steps.shift() }),
      domain: async () => {
        const certificate = steps.shift()
        if (!certificate) throw fail('server.unreachable')
        return { ...verified, certificate }
      },
    } as unknown as Client
    const output = openLeadingOutput({ context: t.context, connection: { client }, wanted }, () => {
      throw new Error('nobody asks for a snapshot')
    })
    output.onEvent({ ...online, tunnel: 'web' })
    await t.clock.advanceAsync(10_000, 2_000)
    output.close()
    const lines = t.text().trim().split('\n').slice(-3)
    expect(lines).toEqual([
      'https://app.example.com:8443 leads to web',
      'The certificate of app.example.com is being ordered.',
      expect.stringContaining(
        'No record there yet (PT-2604): Nothing of ours. Make one. Next try: 2026-12-0',
      ),
    ])
    expect(t.clock.pending).toBe(0)
  })

  test('follows the file: a new one is led, a changed one replaced, one taken out leads nowhere', async () => {
    const t = stage({ looks: [pending], isTTY: false, isJson: true })
    const calls: string[] = []
    const leads = new Map<string, string>()
    const named = (host: string) => {
      const name = leads.get(host)
      const led = name === undefined ? {} : { tunnel: { id: `tun_${name}`, name } }
      return { ...pending, host, state: 'verified', ...led }
    }
    const client = {
      tunnels: async () => ({ items: ['web', 'api'].map((name) => ({ name, id: `tun_${name}` })) }),
      domain: async (host: string) => named(host),
      addDomain: async ({ host, tunnel: id }: { host: string; tunnel: string }) => {
        calls.push(`${host} to ${id}`)
        leads.set(host, id.slice(4))
        return named(host)
      },
      giveDomain: async (host: string, { tunnel: id }: { tunnel: string | null }) => {
        calls.push(`${host} to ${id}`)
        leads.delete(host)
        return named(host)
      },
    } as unknown as Client
    type Wanted = Parameters<typeof openLeadingOutput>[0]['wanted']
    const file = (web: string | undefined, api: string | undefined) =>
      [
        { name: 'web', ...(web && { domain: web }) },
        { name: 'api', ...(api && { domain: api }) },
      ] as unknown as Wanted
    const output = openLeadingOutput(
      { context: t.context, connection: { client }, wanted: file('a.test', undefined) },
      () => {
        throw new Error('nobody asks for a snapshot')
      },
    )
    const settle = async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
      return calls.splice(0)
    }
    for (const name of ['web', 'api']) output.onEvent({ ...online, tunnel: name })
    expect(await settle()).toEqual(['a.test to tun_web'])
    output.follow(file('a.test', 'b.test'))
    expect(await settle(), 'a new one, and nothing else is touched').toEqual(['b.test to tun_api'])
    output.follow(file('c.test', 'b.test'))
    expect(await settle(), 'another one').toEqual(['a.test to null', 'c.test to tun_web'])
    output.follow(file('b.test', 'c.test'))
    expect(await settle(), 'they are exchanged').toEqual(['b.test to tun_web', 'c.test to tun_api'])
    output.follow(file('c.test', 'b.test'))
    expect(await settle(), 'and back').toEqual(['c.test to tun_web', 'b.test to tun_api'])
    output.follow(file('b.test', 'c.test'))
    await settle()
    leads.set('c.test', 'elsewhere')
    output.follow(file('b.test', undefined))
    expect(await settle(), 'somebody has given it to another tunnel').toEqual([])
    output.follow(file(undefined, undefined))
    expect(await settle()).toEqual(['b.test to null'])
    output.onEvent({ event: 'tunnel.offline', tunnel: 'web' })
    output.follow(file('b.test', undefined))
    expect(await settle(), 'a tunnel that is offline has it when it comes back').toEqual([])
    output.onEvent({ ...online, tunnel: 'web' })
    expect(await settle()).toEqual(['b.test to tun_web'])
    output.follow(file('b.test', undefined).slice(1))
    expect(await settle(), 'a tunnel that is gone keeps it').toEqual([])
    output.close()
  })

  test('stops nothing when the server refuses it, and is tried again', async () => {
    const addDomain = async () => Promise.reject(fail('quota.domains', 'No room.'))
    const { told } = await lead(['web', 'web'], { addDomain })
    expect(told.map(({ event }) => event)).toEqual(['domain.failed', 'domain.failed'])
    expect(told[0]?.error).toBe('Too many own domains (PT-2208). No room.')
  })
})

test('a certificate that cannot be had comes with the record that needs no port 80, where there is one', () => {
  const certificate = { state: 'failing', problem: { ...missing, code: 'PT-2604' } } as const
  const name = `_acme-challenge.${pending.host}`
  const certificateRecord = {
    type: 'CNAME',
    name,
    shortName: '_acme-challenge',
    value: 't.acme.example.net',
  } as const
  expect(certificateLine({ ...pending, certificate })).not.toContain('CNAME')
  expect(certificateLine({ ...pending, certificate, certificateRecord })).toContain(
    `${name} CNAME t.acme.example.net`,
  )
})

test('a missing record for the certificate of a wildcard is shown once', () => {
  const detail = 'This record is missing: _acme-challenge.app.example.com CNAME t.acme.x.example.net'
  const record = {
    type: 'CNAME',
    name: '_acme-challenge.app.example.com',
    shortName: 'x',
    value: 't',
  } as const
  const problem = { code: 'PT-2609', title: 'Record is missing', detail, cure: 'Make it.' }
  const failing = { certificate: { state: 'failing', problem }, certificateRecord: record } as const
  const line = certificateLine({ ...pending, ...failing, host: '*.app.example.com' })
  expect(line?.split('CNAME')).toHaveLength(2)
  expect(line).not.toContain('port 80')
  expect(certificateLine({ ...pending, ...failing })).toContain('port 80')
})
