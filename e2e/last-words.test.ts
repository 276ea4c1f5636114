/**
 * Last words: what one side sends before it closes or resets reaches the other, whatever the kind of the tunnel.
 * Upstreams answer and break off in the ways that programs do, many times each; python and curl are the reported ones.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isWhole } from './breadth.ts'
import { type Agent, startAgent } from './harness/agent.ts'
import { eventually, within } from './harness/events.ts'
import { answer, breaks, hear, repeat } from './harness/last-words.ts'
import { runProgram } from './harness/programs.ts'
import { startPythonServer } from './harness/python.ts'
import { type Service, visitorAddress } from './harness/service.ts'
import { dial, type Listening, listenTcp } from './harness/sockets.ts'
import { startStandaloneService, temporaryFolder } from './harness/standalone.ts'
import { describeWith, programPath } from './requirements.ts'

type Kind = 'tcp' | 'tls' | 'http'

/** A race that loses a hundredth of all shows in the whole matrix. */
const count = isWhole ? 150 : 20

let service: Service
beforeAll(async () => {
  service = await startStandaloneService()
})
afterAll(async () => {
  await service?.stop()
})

describe.each(Object.entries(breaks))('an upstream that %s', (_, { name, ends, serve }) => {
  let upstream: Listening
  let agent: Agent
  beforeAll(async () => {
    upstream = await listenTcp((socket) => {
      socket.once('data', () => {
        socket.pause()
        serve(socket)
      })
    })
    const { port } = upstream
    agent = await startAgent(service, {
      [`tcp-${name}`]: { kind: 'tcp', upstream: port },
      [`tls-${name}`]: { kind: 'tls', upstream: port },
      [`http-${name}`]: { kind: 'http', upstream: port },
    })
  })
  afterAll(async () => {
    await agent?.stop()
    await upstream?.close()
  })

  test.each(['tcp', 'tls', 'http'] as const)(`%s: the answer arrives, ${count} of ${count}`, async (kind) => {
    const url = new URL(await agent.online(`${kind}-${name}`))
    const address = visitorAddress(service, url.href)
    const question = await questionOf(kind, url, 60_000)
    const heard = await repeat(count, async () => {
      const socket = await dial(address)
      const hearing = hear(socket)
      socket.write(question)
      return await within(hearing, 'the end')
    })
    expect(heard.filter(({ text }) => text === answer)).toHaveLength(count)
    // HTTP knows from the answer's length that it is whole, so its connection may end in order.
    const allowed: readonly string[] = kind === 'http' ? ['reset', 'end'] : ends
    expect(heard.filter(({ end }) => !allowed.includes(end))).toEqual([])
  })
})

describe('a visitor that sends bytes and resets', () => {
  test.each(['tcp', 'http'] as const)(`%s: the upstream gets them, ${count} of ${count}`, async (kind) => {
    const heard: { text: string; end: string }[] = []
    const upstream = await listenTcp((socket) => {
      const welcome = 'HTTP/1.1 100 Continue\r\n\r\n'
      if (kind === 'tcp') socket.write(welcome)
      else socket.once('data', () => socket.write(welcome))
      void hear(socket).then((said) => heard.push(said))
    })
    const agent = await startAgent(service, { [`gone-${kind}`]: { kind, upstream: upstream.port } })
    const url = new URL(await agent.online(`gone-${kind}`))
    const question = String(await questionOf(kind, url, 1_000))
    const bodyFrom = question.length - 1_000
    const address = visitorAddress(service, url.href)
    await repeat(count, async () => {
      const socket = await dial(address)
      socket.on('error', () => undefined)
      socket.write(question.slice(0, bodyFrom))
      await within(new Promise((resolve) => socket.once('data', resolve)), 'the welcome')
      // As much as its own kernel sends at once: the rest would be lost there.
      await new Promise((resolve) => socket.write(question.slice(bodyFrom), resolve))
      socket.resetAndDestroy()
    })
    await eventually('all are heard', () => heard.length === count || undefined)
    expect(heard.filter(({ text }) => text.endsWith('the whole question'))).toHaveLength(count)
    expect(heard.filter(({ end }) => end !== 'reset')).toEqual([])
    await agent.stop()
    await upstream.close()
  })
})

describeWith(['python3', 'curl'], "python's http.server, which closes with the body unread", () => {
  test.each(['http', 'tcp'] as const)(`%s: curl has its answer, ${count} of ${count}`, async (kind) => {
    const python = await startPythonServer()
    const agent = await startAgent(service, { [`python-${kind}`]: { kind, upstream: python.port } })
    const url = new URL(await agent.online(`python-${kind}`))
    const { host, port } = visitorAddress(service, url.href)
    const body = join(temporaryFolder('body'), '60kB')
    writeFileSync(body, Buffer.alloc(60_000, 'x'))
    const args = [
      '-sS',
      '-H',
      'Expect:',
      '--data-binary',
      `@${body}`,
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
    ]
    const reach = ['--resolve', `${url.hostname}:${port}:${host}`, `http://${url.hostname}:${port}/`]
    const answers = await repeat(count, async () => {
      const { stdout, stderr, exit } = await runProgram(programPath('curl'), [...args, ...reach])
      return `${stdout} ${exit.code === 0 ? '' : stderr}`.trim()
    })
    expect(answers).toEqual(Array(count).fill('501'))
    await agent.stop()
    await python.close()
  })
})

/** The bytes that the tunnel brings to its upstream, with a body of `length`. */
async function questionOf(kind: Kind, { hostname, host }: URL, length: number): Promise<Buffer> {
  const words = 'the whole question'
  if (kind === 'tls') return Buffer.concat([await clientHello(hostname), Buffer.alloc(length)])
  const head = kind === 'http' ? `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${length}\r\n\r\n` : ''
  return Buffer.from(head + words.padStart(length, '.'))
}

/** The first message of a TLS client, which is all that a tls tunnel reads. */
async function clientHello(servername: string): Promise<Buffer> {
  const wire = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  const said = new Promise<Buffer>((resolve) => {
    wire._write = (chunk: Buffer, _encoding, done) => {
      resolve(chunk)
      done()
    }
  })
  const client = connectTls({ socket: wire, servername, rejectUnauthorized: false })
  client.on('error', () => undefined)
  const hello = await said
  client.destroy()
  return hello
}
