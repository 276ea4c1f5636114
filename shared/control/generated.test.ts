/** Names that the service makes up, and what happens when two requests get the same one. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import type { Lease } from '../api/schemas/tunnels.ts'
import { newId } from '../base/ids.ts'
import type { Caller } from './caller.ts'
import { claimLeases } from './claims.ts'
import { readableName } from './readable-names.ts'
import { createTunnel, listTunnels } from './tunnels.ts'

const laptop = newId('agt', 1)
const desktop = newId('agt', 2)

let t: TestControl
let ada: Caller
let eve: Caller
beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
  ada = await t.caller('ada@example.com')
  eve = await t.caller('eve@example.com')
})
afterEach(() => t.close())

async function claim(
  caller: Caller,
  seed: string,
  { agent = laptop, kind = 'http' as 'http' | 'tcp' } = {},
): Promise<Lease> {
  const request = { agent, tunnels: [{ kind }], takeover: false }
  const [result] = (await claimLeases(t.control, caller, request, { seed })).results
  if (!result || !('lease' in result)) throw new Error(JSON.stringify(result))
  return result.lease
}

const first = readableName('k1:0', 0)
const second = readableName('k1:0', 1)

test('a tunnel without a name gets one that people can read out, and so does its host', async () => {
  const lease = await claim(ada, 'k1')
  expect(lease.name).toBe(first)
  expect(lease.endpoint.host).toBe(`${first}.tunnel.example.com`)
})

test('where another account has that host, the tunnel is made under its next name, and found again by its request', async () => {
  await claim(eve, 'k1')
  const lease = await claim(ada, 'k1')
  expect(lease.name).toBe(second)
  expect(lease.endpoint.host).toBe(`${second}.tunnel.example.com`)
  // The answer was lost, so the same request comes again.
  expect((await claim(ada, 'k1')).tunnel).toBe(lease.tunnel)
  expect((await listTunnels(t.of(ada), ada, { limit: 10 })).items).toHaveLength(1)
})

test('if another tunnel of the account has that name, the request does not take it for its own', async () => {
  const { ref } = await createTunnel(t.of(ada), ada, { name: first, kind: 'http', policy: {} })
  const lease = await claim(ada, 'k1', { agent: desktop })
  expect(lease.name).toBe(second)
  expect(lease.tunnel).not.toBe(ref.id)
  expect((await claim(ada, 'k1', { agent: desktop })).tunnel).toBe(lease.tunnel)
})

test('two requests that get one name at the same moment each have their own tunnel', async () => {
  const leases = await Promise.all([claim(ada, 'k1'), claim(eve, 'k1')])
  expect(leases.map(({ name }) => name).toSorted()).toEqual([first, second].toSorted())
})

test('a tunnel whose host went to another keeps its name, and gets a similar host', async () => {
  await createTunnel(t.of(ada), ada, { name: first, kind: 'http', policy: {}, generated: true })
  await claim(eve, 'k1')
  const tunnels = [{ name: first, kind: 'http' as const }]
  const { results } = await claimLeases(t.control, ada, { agent: laptop, tunnels, takeover: false })
  expect(results).toMatchObject([{ lease: { name: first } }])
  expect(JSON.stringify(results)).toMatch(new RegExp(`"${first}-[a-z2-9]{4}\\.tunnel`))
})
