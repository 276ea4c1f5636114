import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { httpFetch } from './http-fetch.ts'

const fetchStraight = httpFetch(() => undefined)
type Init = Parameters<typeof fetchStraight>[1]

async function ask(serve: RequestListener, init: Partial<Init> = {}) {
  const server = createServer(serve).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    const answer = await fetchStraight(`http://127.0.0.1:${port}/v1/x?y=1`, {
      method: 'GET',
      headers: {},
      signal: new AbortController().signal,
      redirect: 'error',
      ...init,
    })
    return { status: answer.status, text: await answer.text(), retryAfter: answer.headers.get('Retry-After') }
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

/** Answers with the request it got. */
const echo: RequestListener = (request, response) => {
  let body = ''
  request.on('data', (chunk) => {
    body += chunk
  })
  request.on('end', () => {
    const { authorization, 'content-type': type, 'content-length': length } = request.headers
    response.setHeader('retry-after', '7')
    response.end(
      JSON.stringify({ method: request.method, url: request.url, authorization, type, length, body }),
    )
  })
}

describe('http fetch', () => {
  test('method, headers and a JSON body arrive, status, headers and text come back', async () => {
    const body = new Blob(['{"name":"é"}'], { type: 'application/json' })
    const { status, text, retryAfter } = await ask(echo, {
      method: 'POST',
      headers: { authorization: 'Bearer x' },
      body,
    })
    expect({ status, retryAfter }).toEqual({ status: 200, retryAfter: '7' })
    expect(JSON.parse(text)).toEqual({
      method: 'POST',
      url: '/v1/x?y=1',
      authorization: 'Bearer x',
      type: 'application/json',
      length: '13',
      body: '{"name":"é"}',
    })
  })

  test('a form is sent as a form', async () => {
    const { text } = await ask(echo, {
      method: 'POST',
      body: new URLSearchParams({ client_id: 'ptun', a: 'b c' }),
    })
    expect(JSON.parse(text)).toMatchObject({
      body: 'client_id=ptun&a=b+c',
      type: expect.stringMatching(/^application\/x-www-form/),
    })
  })

  test('a redirect is an error, so the key goes nowhere else', async () => {
    const asked = ask((_request, response) =>
      response.writeHead(302, { location: 'http://elsewhere.test/' }).end(),
    )
    await expect(asked).rejects.toThrow('redirected to http://elsewhere.test/')
  })

  test('an answer cut off in the middle is an error', async () => {
    const asked = ask((_request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half', () => response.destroy())
    })
    await expect(asked).rejects.toThrow()
  })

  test('the signal ends an unanswered call', async () => {
    const abort = new AbortController()
    const asked = ask(() => abort.abort(new Error('given up')), { signal: abort.signal })
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' })
  })
})
