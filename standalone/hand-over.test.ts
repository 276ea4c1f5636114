import { describe, expect, test } from 'vitest'
import { type Channel, type Giver, Predecessor, serveSuccessor } from './hand-over.ts'
import { goneMessage, resumeMessage } from './start-words.ts'

/** The two servers and the process between them, which passes on their messages as JSON. */
function setUp(giver: Partial<Giver> = {}) {
  const listeners: ((message: unknown) => void)[] = []
  const channel = (own: number): Channel => ({
    send: (message) => listeners[1 - own]?.(JSON.parse(JSON.stringify(message))),
    onMessage: (listener) => {
      listeners[own] = listener
    },
  })
  const troubles: unknown[] = []
  serveSuccessor(channel(0), {
    give: async () => ({}),
    resume: async () => {},
    pass: () => {},
    onTrouble: (error) => troubles.push(error),
    ...giver,
  })
  const predecessor = new Predecessor(channel(1))
  const say = (to: 'older' | 'newer', message: object) => listeners[to === 'older' ? 0 : 1]?.(message)
  return { predecessor, say, troubles }
}

const ports = { tlsPort: 1, httpPort: 2, adminPort: 3, own: { tlsPort: 4, httpPort: 5 } }

describe('hand-over', () => {
  test('parts are given in turn, each with what the newer server must know', async () => {
    const asked: object[] = []
    const { predecessor } = setUp({
      give: async (ask) => {
        asked.push(ask)
        return ask.ask === 'control' ? { consolePort: 8400, relayPorts: [ports] } : {}
      },
    })
    expect(await predecessor.ask({ ask: 'control' })).toEqual({
      consolePort: 8400,
      relayPorts: [ports],
    })
    expect(await predecessor.ask({ ask: 'relay', index: 1 })).toEqual({ relayPorts: [] })
    expect(asked).toEqual([{ ask: 'control' }, { ask: 'relay', index: 1 }])
  })

  test('a failed hand-over is reported, and the newer one goes on', async () => {
    const error = new Error('stuck')
    const { predecessor, troubles } = setUp({ give: () => Promise.reject(error) })
    await predecessor.ask({ ask: 'rest' })
    expect(troubles).toEqual([error])
  })

  test('taking back waits for a part that is just being given', async () => {
    const order: string[] = []
    const given = Promise.withResolvers<object>()
    const resumed = Promise.withResolvers<void>()
    const { predecessor, say } = setUp({
      give: async () => {
        await given.promise
        order.push('given')
        return {}
      },
      resume: async () => {
        order.push('resumed')
        resumed.resolve()
      },
    })
    const asked = predecessor.ask({ ask: 'relay', index: 0 })
    say('older', resumeMessage)
    given.resolve({})
    await Promise.all([asked, resumed.promise])
    expect(order).toEqual(['given', 'resumed'])
  })

  test('when the older one dies in the middle, everything is free', async () => {
    const { predecessor, say } = setUp({ give: () => new Promise(() => {}) })
    const asked = predecessor.ask({ ask: 'control' })
    say('newer', goneMessage)
    expect((await asked).relayPorts).toEqual([])
    expect(predecessor.isGone).toBe(true)
    await predecessor.ask({ ask: 'relay', index: 0 })
  })

  test('commands reach the relays that the older one still has; unknown messages are ignored', async () => {
    const heard: object[] = []
    const { predecessor, say, troubles } = setUp({ pass: (command) => heard.push(command) })
    const command = { id: 'cmd_1', kind: 'keys', at: 1, version: 2 } as const
    say('older', { ask: 'something new' })
    say('older', { given: { consolePort: 'many' }, command: { kind: 'unheard of' } })
    predecessor.pass(command)
    expect([heard, troubles]).toEqual([[command], []])
  })
})
