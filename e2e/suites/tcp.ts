/** The traffic of a tcp endpoint: every byte, the end of each direction, large transfers, many visitors at once. */
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isWhole } from '../breadth.ts'
import { type Agent, startAgent } from '../harness/agent.ts'
import { eventually, within } from '../harness/events.ts'
import { visitorAddress } from '../harness/service.ts'
import {
  type Address,
  cutOf,
  dial,
  endOf,
  type Listening,
  listenTcp,
  readBytes,
  readToEnd,
} from '../harness/sockets.ts'
import { receiveHashed, sendHashed } from '../harness/transfer.ts'
import { startEcho, startSink, startSource } from '../harness/upstreams.ts'
import type { Context } from './context.ts'

const mebibyte = 1024 ** 2
/** Many times what all windows and socket buffers hold. */
const mebibytes = isWhole ? 1024 : 96
const largeBytes = mebibytes * mebibyte
const crowd = isWhole ? 2_000 : 400

export function describeTcp(context: Context): void {
  describe('tcp tunnel', () => {
    let agent: Agent
    let echo: Listening
    let sink: Listening
    let source: Awaited<ReturnType<typeof startSource>>
    let resetting: Listening
    const at: Record<string, Address> = {}

    beforeAll(async () => {
      ;[echo, sink, source] = await Promise.all([startEcho(), startSink(), startSource(largeBytes)])
      resetting = await listenTcp((socket) => void socket.once('data', () => socket.resetAndDestroy()))
      const ports = { echo, sink, source, resetting }
      agent = await startAgent(
        context.service,
        Object.fromEntries(
          Object.entries(ports).map(([name, { port }]) => [name, { kind: 'tcp', upstream: port } as const]),
        ),
      )
      for (const name of Object.keys(ports))
        at[name] = visitorAddress(context.service, await agent.online(name))
    })
    afterAll(async () => {
      await agent?.stop()
      await Promise.all([echo, sink, source, resetting].map((server) => server?.close()))
    })
    const visitor = (name: string): Promise<Socket> => {
      const address = at[name]
      if (!address) throw new Error(`${name} is not online`)
      return dial(address)
    }

    test('half-close delivers the answer', async () => {
      const socket = await visitor('sink')
      const answer = readToEnd(socket)
      socket.end('everything I have')
      const sha256 = createHash('sha256').update('everything I have').digest('hex')
      expect((await within(answer, 'the answer')).toString()).toBe(`17 ${sha256}`)
    })

    test('the upstream may end first and still hear the visitor', async () => {
      const heard: Promise<Buffer>[] = []
      const upstream = await listenTcp((socket) => {
        heard.push(readToEnd(socket))
        socket.end('bye')
      })
      const own = await startAgent(context.service, { ending: { kind: 'tcp', upstream: upstream.port } })
      const socket = await dial(visitorAddress(context.service, await own.online('ending')))
      expect((await within(readToEnd(socket), 'the end')).toString()).toBe('bye')
      socket.end('one more thing')
      await eventually('the upstream is dialled', () => heard.length > 0 || undefined)
      const said = await within(Promise.all(heard), 'the last words')
      expect(said.map(String)).toEqual(['one more thing'])
      await own.stop()
      await upstream.close()
    })

    test('a reset by the upstream reaches the visitor as a reset', async () => {
      const socket = await visitor('resetting')
      const end = endOf(socket)
      socket.write('x')
      expect(await within(end, 'the reset')).toBe('reset')
    })

    test('an upstream that is down cuts the visitor at once, and the agent goes on', async () => {
      const gone = await startEcho()
      const own = await startAgent(context.service, { gone: { kind: 'tcp', upstream: gone.port } })
      const address = visitorAddress(context.service, await own.online('gone'))
      await gone.close()
      await cutOf(address, 'anybody?')
      await own.waitFor('upstream.failed', { tunnel: 'gone' })
      await own.stop()
    })

    test(`${mebibytes} MiB to the upstream arrives with equal SHA-256`, async () => {
      const socket = await visitor('sink')
      const answer = readToEnd(socket)
      const sent = await sendHashed(socket, { bytes: largeBytes, seed: 1 })
      expect((await within(answer, 'the sum', 120_000)).toString()).toBe(`${largeBytes} ${sent}`)
    })

    test(`${mebibytes} MiB to the visitor arrives with equal SHA-256`, async () => {
      const socket = await visitor('source')
      const { sha256, bytes } = await within(receiveHashed(socket), 'the transfer', 150_000)
      expect(bytes).toBe(largeBytes)
      expect(sha256).toBe(await source.sha256())
      socket.destroy()
    })

    test('a reader that stalls does not slow another visitor of the same agent', async () => {
      const stalled = await visitor('source')
      await readBytes(stalled, mebibyte)
      const running = await visitor('echo')
      const received = receiveHashed(running)
      const runningBytes = largeBytes / 16
      const sent = await sendHashed(running, { bytes: runningBytes, seed: 3 })
      const { sha256, bytes } = await within(received, 'the running transfer', 60_000)
      expect({ sha256, bytes }).toEqual({ sha256: sent, bytes: runningBytes })
      expect(stalled.destroyed).toBe(false)
      stalled.destroy()
    })

    test(`${crowd} visitors at once each get their own bytes back`, async () => {
      const visitors = await Promise.all(Array.from({ length: crowd }, () => visitor('echo')))
      await eventually('all are at the upstream', () => echo.connections.size >= crowd || undefined, 60_000)
      const answers = visitors.map(async (socket, index) => {
        const text = `visitor ${index}`.padEnd(100, '.')
        const answer = readBytes(socket, text.length)
        socket.write(text)
        return (await answer).toString() === text
      })
      const equal = await within(Promise.all(answers), 'all answers', 60_000)
      expect(equal.filter(Boolean)).toHaveLength(crowd)
      for (const socket of visitors) socket.destroy()
      await eventually('all have left', () => echo.connections.size === 0 || undefined)
    })
  })
}
