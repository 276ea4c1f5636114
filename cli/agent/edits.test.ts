/** What the server has for a tunnel's requests, and what the agent's own file makes of it. */
import { describe, expect, test } from 'vitest'
import { setStage, settle, web } from '../testing/agent-stage.ts'
import { holdLease } from './leases.ts'
import { newTunnel, rulesOf, type WantedTunnel } from './tunnels.ts'

const hsts = { maxAgeSeconds: 60, includeSubDomains: false }
const redirects = [{ from: '/a', to: '/b' }]
const lease = setStage().home.lease('web', 'http')

function rules(wanted: Partial<WantedTunnel>, edits: Record<string, unknown> | undefined) {
  const tunnel = newTunnel(1, { ...web, ...wanted })
  holdLease(tunnel, { ...lease, ...(edits && { edits }) })
  return rulesOf(tunnel)
}

describe('edits that the server has', () => {
  test('count where the own file says nothing, and the own file wins part by part', () => {
    expect(rules({}, undefined)).toBeUndefined()
    expect(rules({}, { hsts, redirects })).toEqual({ logins: [], hsts, redirects })
    const own = { logins: ['x'], redirects: [{ from: '/c', to: '/d' }] }
    expect(rules({ requests: own }, { hsts, redirects })).toEqual({ ...own, hsts })
  })

  test('those that a newer server has are not taken in part, nor such for tunnels that pass bytes', () => {
    expect(rules({}, { hsts, newer: true })).toBeUndefined()
    expect(rules({ kind: 'tcp' }, { hsts })).toBeUndefined()
  })

  test('no value from there can frame a message or begin a line of its own', () => {
    for (const set of [{ 'Content-Length': '1' }, { A: 'b\r\nHost: c' }, { 'A:': 'b' }])
      expect(rules({}, { requestHeaders: { set } })).toBeUndefined()
  })

  test('are taken with the lease and with each renewal, and shown in the status', async () => {
    const stage = setStage()
    const { lease: make } = stage.home
    let edits: Record<string, unknown> | undefined = { hsts }
    stage.home.lease = (name, kind) => ({ ...make.call(stage.home, name, kind), ...(edits && { edits }) })
    const settings = () => stage.supervisor.snapshot().tunnels[0]?.settings
    stage.supervisor.start()
    await settle()
    expect(settings()).toEqual(['HSTS'])
    edits = undefined
    await stage.clock.advanceAsync(1_900_000)
    await settle()
    expect(stage.home.renewals.length).toBeGreaterThan(0)
    expect(settings()).toBeUndefined()
  })
})
