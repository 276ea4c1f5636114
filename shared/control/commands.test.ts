import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { type Command, syncAnswerSchema } from '../api/schemas/relays.ts'
import { fail } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { silentLog } from '../base/log.ts'
import type { Caller } from './caller.ts'
import { claimLeases } from './claims.ts'
import { everyCell, makeCommand, publishCommands, writeCommand } from './commands.ts'
import { type Control, controlOf } from './control.ts'
import { commands } from './documents.ts'
import { topics } from './names.ts'
import { deleteTunnel } from './tunnels.ts'

let t: TestControl
let ada: Caller
const warn = vi.fn()
/** The same control plane with a bus that is down. */
let deaf: Control

beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
  ada = await t.caller()
  warn.mockClear()
  const publish = () => Promise.reject(fail('bus.unavailable'))
  deaf = { ...t.control, bus: { ...t.control.bus, publish }, log: { ...silentLog, warn } }
})
afterEach(() => t.close())

describe('commands', () => {
  test('a bus that is down fails no change: a log line counts what waits, and sync delivers it', async () => {
    const agent = newId('agt', 1)
    const [claimed] = (
      await claimLeases(t.control, ada, { agent, tunnels: [{ name: 'web', kind: 'http' }], takeover: false })
    ).results
    if (!claimed || !('lease' in claimed)) throw new Error('no lease')
    await deleteTunnel(controlOf(deaf, ada.account), ada, { id: claimed.lease.tunnel })
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn.mock.lastCall?.[0]).toMatchObject({ code: 'PT-5220', waiting: 1 })
    expect((await t.sync()).commands).toMatchObject([{ kind: 'revoke', endpoint: claimed.lease.endpoint.id }])
  })

  test('a refused command delays no other', async () => {
    const heard: unknown[] = []
    const publish = async (topic: string, message: object) => {
      if (topic === topics.commands('down')) throw fail('bus.unavailable')
      heard.push(message)
    }
    const half = { ...deaf, bus: { ...t.control.bus, publish } }
    const body = { kind: 'keys', version: 2 } as const
    await publishCommands(half, [makeCommand('down', body, 1), makeCommand('home', body, 1)])
    expect(heard).toHaveLength(1)
    expect(warn.mock.lastCall?.[0]).toMatchObject({ waiting: 1 })
  })

  test('a command for every cell goes to each open one', async () => {
    const heard: unknown[] = []
    await t.control.bus.subscribe(topics.commands('home'), 'test', ({ kind }) => void heard.push(kind))
    await publishCommands(t.control, [makeCommand(everyCell, { kind: 'keys', version: 2 }, 1)])
    await vi.waitFor(() => expect(heard).toEqual(['keys']), { timeout: 20_000 })
  })

  test('a newer release’s command passes an older control plane unchanged; an old relay skips only that', async () => {
    const nowMs = t.clock.now()
    const known = makeCommand('home', { kind: 'keys', version: 2 }, nowMs)
    const newer = makeCommand('home', { kind: 'freeze', mood: 'cold' } as unknown as Command, nowMs)
    const wider = makeCommand(
      'home',
      { kind: 'keys', version: 3, reason: 'rotation' } as unknown as Command,
      nowMs,
    )
    await t.control.store.transact(async (tx) => {
      for (const each of [newer, known, wider]) writeCommand(tx, each)
    })
    const stored = await t.control.store.get(commands.ref(newer.command.id))
    expect(stored?.data.body).toMatchObject({ kind: 'freeze', mood: 'cold' })
    const sent = JSON.parse(JSON.stringify(await t.sync()))
    expect(sent.commands).toContainEqual(expect.objectContaining({ kind: 'freeze', mood: 'cold' }))
    const understood = syncAnswerSchema.parse(sent).commands.filter((command) => command !== null)
    expect(understood.map(({ kind }) => kind)).toEqual(['keys', 'keys'])
    expect(understood.map((command) => 'version' in command && command.version).toSorted()).toEqual([2, 3])
  })
})
