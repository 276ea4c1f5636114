/** Parts of the policy that an agent names: when it names them, and what it does until the server has set them. */
import { describe, expect, test } from 'vitest'
import { online, relayOne, setStage, settle, web } from '../testing/agent-stage.ts'
import type { WantedTunnel } from './tunnels.ts'

const path = '/etc/ptun.yaml'
const closed: WantedTunnel = { ...web, policy: { httpsOnly: true } }
const policiesOf = ({ home }: ReturnType<typeof setStage>) =>
  home.claims.map(({ tunnels }) => tunnels.map(({ policy }) => policy))

describe('the policy that an agent names', () => {
  test('is named once, so that a change by somebody else stays', async () => {
    const stage = setStage({ wanted: [closed] })
    await online(stage)
    // The lease has lapsed, as that of a laptop that slept.
    stage.home.refusals.set('web', 'lease.gone')
    stage.clock.advance(1_900_000)
    await settle()
    stage.home.refusals.clear()
    await stage.clock.advanceAsync(60_000)
    await settle()
    const [first, ...later] = policiesOf(stage)
    expect(first).toEqual([closed.policy])
    expect(later.length).toBeGreaterThan(0)
    expect(later.flat().every((policy) => policy === undefined)).toBe(true)
  })

  test('is named again when the file changes it, and other tunnels are not touched', async () => {
    const api = { ...web, name: 'api' }
    const stage = setStage({ wanted: [web, api] })
    await online(stage)
    stage.supervisor.reload([closed, api], path)
    await settle()
    stage.supervisor.reload([{ ...closed, upstream: { host: 'localhost', port: 1 } }, api], path)
    await settle()
    expect(policiesOf(stage)).toEqual([[undefined, undefined], [closed.policy]])
    // Left out, it stays as it is at the server.
    stage.supervisor.reload([web, api], path)
    await settle()
    expect(stage.home.claims).toHaveLength(2)
  })

  test('a change while the server is asked is not lost', async () => {
    const stage = setStage({ wanted: [closed] })
    const { claim } = stage.home
    let goOn = () => {}
    stage.home.claim = async (request) => {
      if (stage.home.claims.length === 0)
        await new Promise<void>((resolve) => {
          goOn = resolve
          stage.home.claims.push(request)
        })
      return claim.call(stage.home, request)
    }
    stage.supervisor.start()
    await settle()
    stage.supervisor.reload([{ ...web, policy: { httpsOnly: false } }], path)
    goOn()
    await settle()
    expect(policiesOf(stage).at(-1)).toEqual([{ httpsOnly: false }])
  })

  test('a refused one is not asked for without a pause', async () => {
    const stage = setStage({ wanted: [closed] })
    stage.home.refusals.set('web', 'lease.held')
    stage.supervisor.start()
    await settle()
    expect(stage.home.claims).toHaveLength(1)
  })

  test.each([
    ['the same', closed.policy, 1],
    ['another', { httpsOnly: false }, 0],
    ['none', undefined, 0],
  ])(
    'a saved ticket that was made for %s policy is bound before the server was asked: %s',
    async (_, policy, dials) => {
      const lease = setStage().home.lease('web', 'http')
      const saved = [{ lease, relays: [relayOne], ...(policy && { policy }) }]
      const stage = setStage({ wanted: [closed], saved })
      stage.home.failure = 'server.unreachable'
      stage.supervisor.start()
      await settle()
      expect(stage.dials).toHaveLength(dials)
    },
  )

  test('it tells what the server has changed for it', async () => {
    const stage = setStage({ wanted: [closed] })
    const { claim } = stage.home
    stage.home.claim = async (request) => {
      const result = await claim.call(stage.home, request)
      const results = result.results.map((one) =>
        'lease' in one ? { lease: { ...one.lease, policySet: ['httpsOnly'] } } : one,
      )
      return { ...result, results }
    }
    await online(stage)
    expect(stage.events).toContainEqual({ event: 'tunnel.policy', tunnel: 'web', changed: ['httpsOnly'] })
    expect(stage.saved.get(0)?.policy).toEqual(closed.policy)
  })
})
