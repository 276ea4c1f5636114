import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openState, readAgentId, SavedLeases } from './saved.ts'
import type { SavedLease, WantedTunnel } from './tunnels.ts'

const web: WantedTunnel = { name: 'web', kind: 'http', upstream: { host: 'localhost', port: 3000 } }
const nameless: WantedTunnel = { kind: 'http', upstream: { host: 'localhost', port: 3000 } }
const nowMs = Date.UTC(2026, 0, 1)

function saved(name: string, port = 80): SavedLease {
  return {
    lease: {
      tunnel: `tun_${'0'.repeat(26)}`,
      name,
      kind: 'http',
      endpoint: { id: `host:${name}.test`, url: `http://${name}.test`, host: `${name}.test`, port },
      agents: 'one',
      epoch: 1,
      expiresAt: nowMs + 2,
      ticket: `ticket of ${name}`,
      ticketExpiresAt: nowMs + 1,
    },
    relays: [{ instance: 'one', host: '127.0.0.1', port: 1, sni: 'one.test' }],
  }
}

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ptun-'))
  clock = new FakeClock()
  told = []
})
afterEach(() => rm(folder, { recursive: true, force: true }))

let clock: FakeClock
let told: string[]
const open = (account = 'acc_1', server = 'https://api.test', where = folder) =>
  new SavedLeases({
    folder: where || undefined,
    server,
    account,
    clock,
    onLost: (failure) => told.push(failure.detail),
    onFound: () => told.push('found'),
  })
const find = (leases: SavedLeases, wanted: readonly WantedTunnel[], taken: readonly string[] = []) =>
  leases.find(wanted, { taken: new Set(taken), nowMs })

async function keep(leases: SavedLeases, tunnel: WantedTunnel, name: string, at = nowMs): Promise<void> {
  leases.save(tunnel, saved(name), at)
  await leases.settled()
}

describe('saved leases', () => {
  test('a lease is found again by name, and only its user can read the file', async () => {
    await keep(open(), web, 'web')
    expect(await find(open(), [web, { ...web, name: 'other' }])).toEqual([saved('web'), undefined])
    const [file = ''] = await readdir(join(folder, 'leases'))
    expect((await stat(join(folder, 'leases', file))).mode & 0o777).toBe(0o600)
  })

  test('another account and another server have their own leases', async () => {
    await keep(open(), web, 'web')
    expect(await find(open('acc_2'), [web])).toEqual([undefined])
    expect(await find(open('acc_1', 'https://other.test'), [web])).toEqual([undefined])
  })

  test('a tunnel without a name gets the newest unused one that was made for its upstream', async () => {
    const leases = open()
    await keep(leases, nameless, 'old-fox', nowMs - 10)
    await keep(leases, nameless, 'new-fox', nowMs)
    await keep(leases, web, 'web')
    const namesFor = async (wanted: readonly WantedTunnel[], taken: readonly string[] = []) =>
      (await find(open(), wanted, taken)).map((one) => one?.lease.name)
    expect(await namesFor([nameless])).toEqual(['new-fox'])
    expect(await namesFor([nameless, nameless, nameless])).toEqual(['new-fox', 'old-fox', undefined])
    expect(await namesFor([nameless], ['new-fox'])).toEqual(['old-fox'])
    expect(await namesFor([{ ...nameless, upstream: { host: 'localhost', port: 4000 } }])).toEqual([
      undefined,
    ])
  })

  test('a lease of another port or kind is not taken', async () => {
    await keep(open(), web, 'web')
    expect(
      await find(open(), [
        { ...web, port: 20_000 },
        { ...web, kind: 'tcp' },
      ]),
    ).toEqual([undefined, undefined])
  })

  test('a forgotten lease and a damaged file count as none', async () => {
    const leases = open()
    await keep(leases, web, 'web')
    const [file = ''] = await readdir(join(folder, 'leases'))
    await writeFile(join(folder, 'leases', file), '{"version":')
    expect(await find(open(), [web])).toEqual([undefined])
    expect(await readdir(join(folder, 'leases'))).toEqual([])
    await keep(leases, web, 'web')
    leases.forget({ name: 'web', ticket: 'of another process' })
    await leases.settled()
    expect(await find(open(), [web])).toEqual([saved('web')])
    leases.forget({ name: 'web', ticket: 'ticket of web' })
    await leases.settled()
    expect(await find(open(), [web])).toEqual([undefined])
  })
})

describe('an agent that cannot keep anything', () => {
  test('says so once, tries again, and says when what it holds is on disk', async () => {
    await writeFile(join(folder, 'leases'), 'a file stands in the way')
    const leases = open()
    leases.save(web, saved('web'), nowMs)
    leases.save({ ...web, name: 'api' }, saved('api'), nowMs)
    await expect.poll(() => told, { timeout: 20_000 }).toEqual([expect.stringContaining('EEXIST')])
    clock.advance(10_000)
    await rm(join(folder, 'leases'))
    await expect
      .poll(
        () => {
          clock.advance(10_000)
          return told.at(-1)
        },
        { timeout: 20_000 },
      )
      .toBe('found')
    expect(told).toHaveLength(2)
    expect(await find(open(), [web, { ...web, name: 'api' }])).toEqual([saved('web'), saved('api')])
    await leases.settled()
    expect(clock.pending).toBe(0)
  })

  test('it is still an agent, a different one each time', async () => {
    const env = { XDG_STATE_HOME: '/dev/null' }
    const [one, two] = await Promise.all([openState(env, nowMs), openState(env, nowMs)])
    expect(one).toMatchObject({ agent: expect.stringMatching(/^agt_/), failure: { key: 'cli.folder' } })
    expect(one.agent === two.agent).toBe(false)
    const leases = open('acc_1', 'https://api.test', '')
    await keep(leases, web, 'web')
    expect([await find(leases, [web]), told]).toEqual([[undefined], []])
  })
})

describe('agent id', () => {
  test('two people who share the user of a system have an id each, and the first keeps the one of before', async () => {
    const state = join(folder, 'shared')
    const before = await readAgentId(state, nowMs)
    const ada = await readAgentId(state, nowMs, 'usr_ada')
    const bob = await readAgentId(state, nowMs, 'usr_bob')
    expect([ada === before, bob === ada]).toEqual([true, false])
    expect(await readAgentId(state, nowMs, 'usr_bob')).toBe(bob)
    expect(await readAgentId(state, nowMs, 'usr_ada')).toBe(ada)
    expect(await readAgentId(state, nowMs), 'PTUN_KEY does not say whose it is').toBe(ada)
  })

  test('one that found no room is kept as soon as there is some, and told once', async () => {
    const state = join(folder, 'no-room')
    await writeFile(state, 'a file stands in the way')
    const told: string[] = []
    const leases = new SavedLeases({
      folder: state,
      unkeptAgent: 'agt_00000000000000000000000000',
      server: 'https://api.test',
      account: 'acc_1',
      clock,
      onLost: ({ key }) => void told.push(key),
      onFound: () => void told.push('found'),
    })
    clock.advance(10_000)
    await leases.settled()
    expect(told, 'it was told before').toEqual([])
    await rm(state)
    leases.save(web, saved('web'), nowMs)
    await leases.settled()
    expect(told).toEqual(['found'])
    expect(await readAgentId(state, nowMs)).toBe('agt_00000000000000000000000000')
  })

  test('a file that a full disk left empty is written anew', async () => {
    await writeFile(join(folder, 'agent.json'), '')
    const id = await readAgentId(folder, nowMs)
    expect(await readAgentId(folder, nowMs + 1)).toBe(id)
  })

  test('a folder that others can enter is closed at every run', async () => {
    const id = await readAgentId(folder, nowMs)
    await chmod(folder, 0o755)
    expect(await readAgentId(folder, nowMs + 1)).toBe(id)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
  })

  test('first runs that meet agree on one id, and it stays', async () => {
    const ids = await Promise.all([1, 2, 3].map(() => readAgentId(folder, nowMs)))
    expect(new Set(ids).size).toBe(1)
    expect(await readAgentId(folder, nowMs + 1)).toBe(ids[0])
    expect(JSON.parse(await readFile(join(folder, 'agent.json'), 'utf8'))).toEqual({ agent: ids[0] })
  })
})
