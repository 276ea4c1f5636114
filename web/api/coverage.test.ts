/**
 * Nothing that the API has is missing in the console: each operation of the OpenAPI document is called by web/api, from
 * some page, or stands here with the reason why people need it nowhere in a browser.
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeTestApi } from '../../standalone/testing/api.ts'
import { type Calls, makeCalls } from './calls.ts'

/** Operations that no page needs. */
const elsewhere: Readonly<Record<string, string>> = {
  readHealth: 'for load balancers and monitoring',
  readTicketKeys: 'relays check tickets with them',
  readTokenKeys: 'programs check tokens with them',
  claimLeases: 'agents alone',
  renewLeases: 'agents alone',
  releaseLeases: 'agents alone',
  reportUpstreams: 'agents alone',
  listCells: 'agents measure the way to them before they claim',
  requestCertificate: 'agents that end TLS at their own machine',
  readCertificate: 'agents that end TLS at their own machine',
  authorizeDevice: 'the device that signs in; the browser only approves it',
  takeDeviceToken: 'the device that signs in; the browser only approves it',
  enrolRelay: 'relays alone',
  syncRelay: 'relays alone',
  relayCertificates: 'relays alone',
  showReportForm: 'a page of its own, linked from pages of relays',
  sendReport: 'a page of its own, linked from pages of relays',
  showMailsOff: 'a page of its own, linked from mails',
  turnMailsOff: 'a page of its own, linked from mails',
  readName: 'the list has all of it',
  readPort: 'the list has all of it',
  readDomain: 'the list has all of it',
}

type Document = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string }>>>>
}

/** As `GET /v1/names/{host}`, by the names of the operations. */
async function operations(): Promise<ReadonlyMap<string, RegExp>> {
  const t = await makeTestApi()
  const answer = await t.app.request('/v1/openapi.json')
  const { paths } = (await answer.json()) as Document
  return new Map(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => [
        operationId,
        new RegExp(`^${method.toUpperCase()} ${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/?]+')}$`),
      ]),
    ),
  )
}

/** What each function of web/api asks for, when called with something of no meaning. */
async function requestsOf(): Promise<ReadonlyMap<keyof Calls, string>> {
  const asked = new Map<keyof Calls, string>()
  let name: keyof Calls | undefined
  const calls = makeCalls(async (method, path) => {
    if (name) asked.set(name, `${method} ${path.replace(/\?.*/, '')}`)
    return {} as never
  })
  const nothing = { toString: () => 'x' }
  for (const each of Object.keys(calls) as (keyof Calls)[]) {
    name = each
    await (calls[each] as (...values: unknown[]) => Promise<unknown>)(nothing, nothing, nothing, nothing)
  }
  return asked
}

test('every operation of the API is called by the console, or is for others for a reason', async () => {
  const known = await operations()
  const asked = [...(await requestsOf()).values()]
  const called = [...known].filter(([, pattern]) => asked.some((request) => pattern.test(request)))
  const missing = [...known.keys()].filter((name) => !called.some(([one]) => one === name))
  expect(missing.toSorted()).toEqual(Object.keys(elsewhere).toSorted())
})

test('every call of web/api asks for an operation that the API has, and some page or part makes it', async () => {
  const known = [...(await operations()).values()]
  const files = globSync('**/*.{ts,tsx}', {
    cwd: join(import.meta.dirname, '..'),
    exclude: ['node_modules/**', '**/*.test.ts', 'api/*calls.ts', 'testing/**'],
  })
  const source = files.map((file) => readFileSync(join(import.meta.dirname, '..', file), 'utf8')).join('\n')
  for (const [name, request] of await requestsOf()) {
    expect(
      known.some((pattern) => pattern.test(request)),
      `${name}: ${request}`,
    ).toBe(true)
    expect(
      new RegExp(`calls(?:\\.${name}\\b|\\[)|\\b${name}\\b.*= (?:useServices\\(\\)\\.)?calls`).test(source),
      name,
    ).toBe(true)
    expect(new RegExp(`\\.${name}\\b|'${name}'`).test(source), `nobody calls ${name}`).toBe(true)
  }
})
