import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Secret } from '@porttunneler/shared/base/secret'
import { afterEach, describe, expect, test } from 'vitest'
import { type Control, httpControl } from './control.http.ts'

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function controlThat(answers: RequestListener): Promise<Control> {
  server = createServer(answers).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return httpControl(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { callMs: 200 })
}

const request: Parameters<Control['sync']>[0] = {
  boot: {
    instance: 'r1',
    boot: '0'.repeat(26),
    version: '1',
    agentAddress: { host: 'h', port: 1, sni: 's' },
    watchUrl: 'http://h',
  },
  state: 'ready',
  load: { sessions: 0, streams: 0, cpu: 0, rssBytes: 0 },
  bound: [],
  away: [],
  usage: [],
  events: [],
}
const answer = {
  relay: `rel_${'0'.repeat(26)}`,
  now: 1,
  cell: { id: 'c1', host: 'h', domain: 'd', portFrom: 1, portTo: 2 },
  keys: { version: 1, jwks: { keys: [] } },
  commands: [],
  cursor: '1',
  syncMs: 30_000,
}
const sync = (control: Control) => control.sync(request, new Secret('ptc_test'), new AbortController().signal)

describe('a control plane in bad weather', () => {
  test.each<[string, RequestListener]>([
    ['never answers', () => {}],
    ['stops in the middle of its answer', (_, response) => void response.write('{"relay":')],
    ['is overloaded', (_, response) => void response.writeHead(503).end('{}')],
    ['says something else', (_, response) => void response.end('<html>It works!</html>')],
    ['says half of it', (_, response) => void response.end(JSON.stringify({ relay: answer.relay }))],
    ['hangs up', (_, response) => void response.destroy()],
  ])('one that %s is a failure to try again after, within the deadline', async (_title, answers) => {
    await expect(sync(await controlThat(answers))).rejects.toMatchObject({ key: 'relay.control' })
  })

  test('when the credential is refused the error says that trying again does not help', async () => {
    const control = await controlThat((_, response) => void response.writeHead(401).end('{}'))
    await expect(sync(control)).rejects.toMatchObject({ key: 'relay.enrolment' })
  })

  test('one of a later release is understood: its new fields are ignored', async () => {
    const commands = [
      { id: 'a', kind: 'dance', at: 1 },
      7,
      { id: 'b', kind: 'keys', at: 1, version: 2, why: 'x' },
    ]
    const later = { ...answer, weather: 'fine', commands, cell: { ...answer.cell, colour: 'red' } }
    const control = await controlThat((_, response) => void response.end(JSON.stringify(later)))
    expect(await sync(control)).toEqual({
      ...answer,
      commands: [null, null, { id: 'b', kind: 'keys', at: 1, version: 2 }],
    })
  })
})
