import { once } from 'node:events'
import { Agent, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { http } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import { type Client, makeClient } from '@porttunneler/shared/api/client'
import { isFailure } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeTestApi, type TestApi } from '../standalone/testing/api.ts'
import { apiFunction } from './api.ts'
import { httpFunction } from './http-function.ts'
import { passRequestsThrough } from './raw-requests.ts'

let t: TestApi
let server: Server
let url: string
let stopPassing: () => void

beforeAll(async () => {
  t = await makeTestApi()
  const { control, principals, relayIdentity } = t
  const handle = apiFunction({
    control,
    principals,
    enrolment: relayIdentity,
    proxies: ['192.0.2.0/24', '2001:db8:f::/48'],
  })
  http('api', httpFunction(handle))
  stopPassing = passRequestsThrough()
  server = getTestServer('api')
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  stopPassing()
  await new Promise((resolve) => server.close(resolve))
  await t.close()
})

const clientOf = (token: string): Client => makeClient({ baseUrl: url, token: () => token })

describe('the API as a Cloud Function', () => {
  test('gives the same answers over HTTP as in a process: claim, renew, list, release', async () => {
    const client = clientOf(t.tunnelsKey)
    const agent = newId('agt', 1)
    const { results, relays } = await client.claim({ agent, tunnels: [{ name: 'web', kind: 'http' }] })
    expect(relays.map(({ instance }) => instance)).toEqual(['r1'])
    const [first] = results
    if (!first || !('lease' in first)) throw new Error('no lease')
    const { tunnel, epoch } = first.lease
    const renewed = await client.renew({ agent, leases: [{ tunnel, epoch }] })
    expect(renewed.results[0]).toMatchObject({ lease: { tunnel, epoch } })
    expect((await client.tunnels()).items.map(({ state }) => state)).toEqual(['connecting'])
    await client.release({ agent, tunnels: [tunnel] })
    expect((await client.tunnel(tunnel)).state).toBe('offline')
  })

  test('forms, empty answers and queries pass the framework too', async () => {
    const code = await makeClient({ baseUrl: url }).authorizeDevice({ device: 'laptop' })
    const pending = await clientOf(t.ada).device(code.user_code)
    expect(pending.device).toBe('laptop')
    await clientOf(t.ada).decideDevice({ userCode: code.user_code, approve: true })
    const granted = await makeClient({ baseUrl: url }).pollDevice(code.device_code)
    expect(granted).toMatchObject({ token_type: 'Bearer' })
    expect((await clientOf(t.ada).tunnels({ limit: 1 })).items.length).toBeLessThanOrEqual(1)
  })

  test('a body without a length is read, and a request without a body needs none', async () => {
    const headers = { authorization: `Bearer ${t.ada}`, 'content-type': 'application/json' }
    const body = new Blob([JSON.stringify({ name: 'short-lived', kind: 'http' })]).stream()
    const made = await fetch(`${url}/v1/tunnels`, { method: 'POST', headers, body, duplex: 'half' })
    expect(made.status).toBe(201)
    const id = /tun_[0-9a-z]+/.exec(await made.text())?.[0]
    const deleted = await fetch(`${url}/v1/tunnels/${id}`, { method: 'DELETE', headers })
    expect(deleted.status).toBe(204)
  })

  test('failures arrive with their codes', async () => {
    await expect(clientOf('pts_x').me()).rejects.toSatisfy((error) => isFailure(error, 'auth.invalid'))
    const tooLong = clientOf(t.ada).renameAccount({ name: 'x'.repeat(81) })
    await expect(tooLong).rejects.toMatchObject({ key: 'api.invalid' })
  })

  test.each([
    ['behind a known proxy, the one that it saw', '203.0.113.66, 198.51.100.7, 192.0.2.80'],
    ['behind two of them, too', '203.0.113.66, 198.51.100.7, 2001:db8:f::1, 192.0.2.80'],
    ['at the address of the function, the one that Google saw', '203.0.113.66, 192.0.2.80, 198.51.100.7'],
    ['not a text from the caller', '<b>me</b>, 198.51.100.7, 192.0.2.80'],
    ['without a proxy in front', '198.51.100.7'],
  ])('the address that counts and is shown: %s', async (_which, forwarded) => {
    const client = makeClient({ baseUrl: url, headers: { 'x-forwarded-for': forwarded } })
    const { user_code } = await client.authorizeDevice({})
    expect((await clientOf(t.ada).device(user_code)).from).toBe('198.51.100.7')
  })

  test('a direct caller of the function cannot get a limit for each made-up address', async () => {
    const ask = (n: number) => {
      const headers = { 'x-forwarded-for': `10.0.0.${n}, 198.51.100.99` }
      return makeClient({ baseUrl: url, headers }).authorizeDevice({})
    }
    const answers = await Promise.allSettled(Array.from({ length: 70 }, (_, n) => ask(n)))
    expect(answers.filter(({ status }) => status === 'rejected')).toHaveLength(10)
  })

  test.each([
    ['a body that is not JSON', 'application/json', '{"name":', 400],
    ['a body in an unknown encoding', 'application/json; charset=klingon', '{"name":', 400],
    ['a body of another kind', 'application/x-www-form-urlencoded', '%', 415],
    ['a body that is too large', 'application/json', `{"name":"${'x'.repeat(300_000)}"}`, 413],
  ])('%s is refused with a code', async (_name, type, body, status) => {
    const answer = await fetch(`${url}/v1/tunnels`, {
      method: 'POST',
      headers: { 'content-type': type, authorization: `Bearer ${t.ada}` },
      body,
    })
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(await answer.json()).toMatchObject({ status, code: expect.stringMatching(/^PT-\d{4}$/) })
  })

  test('the connection of a body that is too large serves the next request', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const post = async (body: string) => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${t.ada}` }
      const [answer] = await once(
        request(url, { path: '/v1/tunnels', method: 'POST', agent, headers }).end(body),
        'response',
      )
      answer.resume()
      return { status: answer.statusCode, from: answer.socket.localPort }
    }
    const refused = await post('x'.repeat(3_000_000))
    expect(refused.status).toBe(413)
    expect(await post('{')).toEqual({ status: 400, from: refused.from })
    agent.destroy()
  })

  test('a path with an invalid encoding is refused with a code', async () => {
    const answer = await fetch(`${url}/v1/tunnels/%E0%A4%A`, {
      headers: { authorization: `Bearer ${t.ada}` },
    })
    expect(await answer.json()).toMatchObject({ status: 400, code: expect.stringMatching(/^PT-\d{4}$/) })
  })

  test('a body that claims an encoding it does not have is refused with a code', async () => {
    const answer = await fetch(`${url}/v1/tunnels`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        authorization: `Bearer ${t.ada}`,
      },
      body: '{"name":"web"}\n'.repeat(2),
    })
    expect(await answer.json()).toMatchObject({ status: 400 })
  })

  test('the code pages are served, under a policy that allows only their style', async () => {
    const page = await fetch(`${url}/errors/PT-0001`)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(await page.text()).toContain('PT-0001')
    expect((await fetch(`${url}/errors/PT-9999`)).status).toBe(404)
  })
})
