import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { SlowLink } from '../testing/slow-path.ts'

describe('binding talk', () => {
  test('1,000 bindings on a path that breaks 20 times a minute are no flood, and all are answered in the end', () => {
    let heard: number[] = []
    const link = new SlowLink(
      { bytesPerMs: 12_500, rttMs: 20 },
      { relay: { onBind: (bind) => heard.push(bind) } },
    )
    const { agent } = link.sessions
    for (let bind = 1; bind <= limits.bindsPerSession; bind++) agent.bind(bind, 'ticket')
    for (let breaks = 0; breaks < 15; breaks++) {
      link.pass(3_000)
      heard = []
      link.cut()
      link.join()
    }
    expect(link.closed).toEqual({})
    link.pass(15_000)
    expect(new Set(heard).size).toBe(limits.bindsPerSession)
    agent.unbind(7)
    link.pass(50)
    expect(link.closed).toEqual({})
  })

  test('when several requests of a binding wait, the last one is sent', () => {
    const heard: string[] = []
    const link = new SlowLink(
      { bytesPerMs: 12_500, rttMs: 2 },
      { relay: { onBind: (_bind, ticket) => heard.push(ticket) } },
    )
    const { agent } = link.sessions
    for (let n = 0; n < 2 * limits.bindsPerSession; n++) agent.bind(1, `${n}`)
    agent.bind(1, 'older')
    agent.bind(1, 'last')
    link.pass(100)
    expect([heard.includes('older'), heard.at(-1)]).toEqual([false, 'last'])
  })
})
