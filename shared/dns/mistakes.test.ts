/** The mistakes that people make in their zones, each in a zone of its own, and what they are told. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../base/clock.ts'
import { isGone, judge } from '../control/domains/verdict.ts'
import { type Behaviour, DnsWorld } from '../testing/dns-world.ts'
import { openInquiryDesk } from './look.ts'

const text = 'ptun1=abcdefgh'
const target = 'abcdefgh.to.tunnels.example.net'
const [ours, oursToo, theirs, proxy] = ['198.51.100.1', '2001:db8::1', '192.0.2.9', '104.16.1.1']
const clock: Clock = { ...systemClock, after: (ms, fn, options) => systemClock.after(ms / 4, fn, options) }

type Mistake = {
  readonly title: string
  readonly host?: string
  readonly records: readonly string[]
  /** What only the second server has. */
  readonly second?: readonly string[]
  readonly behave?: Readonly<Record<string, Behaviour>>
  /** The proof, and the codes in their order. */
  readonly told: string
}
const alias = `app CNAME ${target}.`
const proof = `_ptun.app TXT ${text}`
const table: readonly Mistake[] = [
  { title: 'a CNAME', records: [alias], told: 'found' },
  {
    title: 'a TXT and our addresses',
    records: [proof, `app A ${ours}`, `app AAAA ${oursToo}`],
    told: 'found',
  },
  { title: 'a TXT and no address yet', records: [proof], told: 'found' },
  {
    title: 'a TXT among a hundred',
    records: [...Array.from({ length: 99 }, (_, n) => `_ptun.app TXT x=${n}`), proof],
    told: 'found',
  },
  {
    title: 'a CNAME for a wildcard',
    host: '*.app.example.com',
    records: [`*.app CNAME ${target}.`],
    told: 'found',
  },
  {
    title: 'a TXT for a wildcard, at its parent',
    host: '*.app.example.com',
    records: [proof, `*.app A ${ours}`],
    told: 'found',
  },
  {
    title: 'a TXT for a wildcard, below the asterisk',
    host: '*.app.example.com',
    records: [`_ptun.*.app TXT ${text}`],
    told: 'gone record_missing',
  },
  { title: 'CAA records that name us', records: [alias, '@ CAA ca.example'], told: 'found' },
  { title: 'nothing', records: [], told: 'gone record_missing' },
  { title: 'only addresses', records: [`app A ${ours}`], told: 'gone record_missing' },
  { title: 'a CNAME to somebody else', records: ['app CNAME www'], told: 'gone record_wrong' },
  {
    title: 'a CNAME with the token of another claim',
    records: ['app CNAME zzzz.to.tunnels.example.net.'],
    told: 'gone record_wrong',
  },
  { title: 'a TXT of an earlier claim', records: ['_ptun.app TXT ptun1=zzzz'], told: 'gone record_wrong' },
  { title: 'a proxy before the CNAME', records: [`app A ${proxy}`], told: 'gone record_proxied' },
  { title: 'a proxy beside the TXT', records: [proof, `app A ${proxy}`], told: 'found' },
  {
    title: 'a CNAME with the domain twice',
    records: [`app.example.com CNAME ${target}.`],
    told: 'gone record_doubled',
  },
  {
    title: 'a TXT with the domain twice',
    records: [`_ptun.app.example.com TXT ${text}`],
    told: 'gone record_doubled',
  },
  { title: 'a target without its final dot', records: [`app CNAME ${target}`], told: 'gone record_wrong' },
  { title: 'the text at the host', records: [`app TXT ${text}`], told: 'gone txt_misplaced' },
  { title: 'the text in quotes', records: [`_ptun.app TXT "${text}"`], told: 'gone txt_quoted' },
  { title: 'the text with a space', records: [`_ptun.app TXT ${text} `], told: 'gone txt_quoted' },
  { title: 'a CNAME beside a TXT', records: [alias, 'app TXT v=spf1'], told: 'found cname_beside' },
  { title: 'a CNAME beside an address', records: [alias, `app A ${ours}`], told: 'found cname_beside' },
  {
    title: 'a CNAME at the top',
    host: 'example.com',
    records: [`@ CNAME ${target}.`],
    told: 'found apex_cname',
  },
  {
    title: 'an old AAAA',
    records: [proof, `app A ${ours}`, 'app AAAA 2001:db8::dead'],
    told: 'found aaaa_stale',
  },
  {
    title: 'one A of two elsewhere',
    records: [proof, `app A ${ours}`, `app A ${theirs}`],
    told: 'found mixed_addresses',
  },
  { title: 'every A elsewhere', records: [proof, `app A ${theirs}`], told: 'found record_wrong' },
  { title: 'CAA without our issuers', records: [alias, '@ CAA other.example'], told: 'found caa_forbids' },
  { title: 'CAA that forbids all', records: [alias, 'app CAA ;'], told: 'found caa_forbids' },
  { title: 'a loop', records: ['app CNAME b', 'b CNAME app'], told: 'gone cname_loop' },
  {
    title: 'more than eight aliases',
    records: ['app CNAME n0', ...Array.from({ length: 10 }, (_, n) => `n${n} CNAME n${n + 1}`)],
    told: 'gone cname_loop',
  },
  { title: 'one of two servers without it', records: [alias], second: [], told: 'unknown servers_differ' },
  {
    title: 'one of two servers lame',
    records: [alias],
    behave: { '203.0.113.22': 'refused' },
    told: 'found lame',
  },
  {
    title: 'every server lame',
    records: [alias],
    behave: { '203.0.113.21': 'no_authority', '203.0.113.22': 'refused' },
    told: 'unknown lame',
  },
  {
    title: 'every server failing',
    records: [alias],
    behave: { '203.0.113.21': 'servfail', '203.0.113.22': 'servfail' },
    told: 'unknown lame',
  },
  {
    title: 'resolvers that fail',
    records: [alias],
    behave: { 'resolver 0': 'servfail', 'resolver 1': 'servfail', 'resolver 2': 'servfail' },
    told: 'unknown dnssec',
  },
  { title: 'one resolver that fails', records: [alias], behave: { 'resolver 2': 'servfail' }, told: 'found' },
  {
    title: 'giant answers',
    records: [alias],
    behave: { '203.0.113.21': 'giant' },
    told: 'found cname_beside',
  },
  { title: 'a domain that nobody has', host: 'app.nobody.example', records: [], told: 'gone not_registered' },
]

describe('records as people make them', () => {
  let world: DnsWorld
  const addresses = ['203.0.113.21', '203.0.113.22']
  beforeAll(async () => {
    world = await DnsWorld.open()
    const labels = ['abcdefgh', 'zzzz']
    const lines = labels.flatMap((label) => [`${label}.to A ${ours}`, `${label}.to AAAA ${oursToo}`])
    await world.zone('tunnels.example.net', lines, ['203.0.113.20'])
  })
  beforeEach(() => world.behaveWell())
  afterAll(() => world.close())

  const look = (host: string, domain: string, trustResolvers: boolean) => {
    const { resolvers, reach } = world
    const desk = openInquiryDesk({ resolvers, clock, reach, trustResolvers })
    return desk.look({ host, domain, target }, new AbortController().signal)
  }
  const tell = async (host: string, domain = 'example.com', { trustResolvers = false } = {}) => {
    const seen = await look(host, domain, trustResolvers)
    const { proof: is, findings } = judge(seen, {
      host,
      text,
      targets: [target],
      leading: [target],
      issuers: ['ca.example'],
    })
    expect(isGone(seen, { text, targets: [target] })).toBe(is === 'gone')
    for (const { detail } of findings) expect(detail.length).toBeLessThan(400)
    return [is, ...findings.map(({ key }) => key.replace('domain.', ''))].join(' ')
  }

  test.each(table)(
    '$title: $told',
    async ({ host = 'app.example.com', records, second, behave = {}, told }) => {
      await world.zone('example.com', records, addresses)
      if (second) world.differ('203.0.113.22', 'example.com', second)
      for (const [who, behaviour] of Object.entries(behave)) world.behave(who, behaviour)
      const domain = host.endsWith('nobody.example') ? 'nobody.example' : 'example.com'
      expect(await tell(host, domain)).toBe(told)
    },
  )

  test.each(table.filter(({ second, behave }) => !second && !behave))(
    'where the word of resolvers is enough, $title: $told',
    async ({ host = 'app.example.com', records, told }) => {
      await world.zone('example.com', records, addresses)
      const domain = host.endsWith('nobody.example') ? 'nobody.example' : 'example.com'
      expect(await tell(host, domain, { trustResolvers: true })).toBe(told)
    },
  )

  test('is found a moment after it was not there, and is waited for where a resolver keeps the old answer', async () => {
    await world.zone('example.com', [], addresses)
    expect(await tell('app.example.com')).toBe('gone record_missing')
    await world.zone('example.com', [alias], addresses)
    expect(await tell('app.example.com')).toBe('found')
    for (const n of [0, 1]) world.remember(n, 'app.example.com')
    expect(await tell('app.example.com')).toBe('unknown not_everywhere')
  })

  test('says that it is our own resolvers which are silent', async () => {
    await world.zone('example.com', [alias], addresses)
    for (const n of [0, 1, 2]) world.behave(`resolver ${n}`, 'silent')
    expect(await tell('app.example.com')).toBe('unknown unreachable')
  })
})
