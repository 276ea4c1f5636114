/** gRPC from a client through relay and agent to a server, both by the reference implementation. */
import { type Client, Metadata, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { within } from '../harness/events.ts'
import {
  callBidi,
  callClientStream,
  callServerStream,
  callUnary,
  echoMethods,
  type GrpcServer,
  grpcClient,
} from '../harness/grpc.ts'

export type GrpcContext = {
  readonly server: GrpcServer
  /** The host of the tunnel that leads to the server, and the relay's TLS port. */
  readonly host: string
  readonly port: number
  /** Cuts all connections between agent and relay. */
  cut(): void
  /** Resolves when the agent is back after a cut. */
  back(): Promise<unknown>
}

export function grpcSuite(context: () => GrpcContext): void {
  describe('gRPC through an http tunnel', () => {
    let client: Client
    beforeAll(() => {
      const { host, port } = context()
      client = grpcClient(host, port)
    })
    afterAll(() => client?.close())

    test('a unary call has its message, its metadata and its trailers', async () => {
      const metadata = new Metadata()
      metadata.add('x-echo', 'one')
      metadata.add('x-echo', 'two')
      const { trailing, initial, ...answer } = await within(
        callUnary(client, echoMethods.unary, 'hello', { metadata }),
        'the call',
      )
      expect(answer).toEqual({ message: 'hello', code: status.OK, details: 'OK' })
      expect(initial?.get('x-echo')).toEqual(['one, two'])
      expect(trailing?.get('x-trailer')).toEqual(['one, two'])
      expect(trailing?.get('x-binary-bin')).toEqual([Buffer.from([0, 255])])
    })

    test('an error keeps its code, its words and its trailers', async () => {
      const { code, details, trailing } = await within(
        callUnary(client, echoMethods.unary, 'fail'),
        'the call',
      )
      expect({ code, details }).toEqual({ code: status.NOT_FOUND, details: 'no such ✓' })
      expect(trailing?.get('x-binary-bin')).toEqual([Buffer.from([0, 255])])
    })

    test('streams of the server, of the client and of both arrive whole and in order', async () => {
      const counted = await within(callServerStream(client, 500), 'the stream of the server')
      expect(counted).toEqual(Array.from({ length: 500 }, (_, at) => String(500 - at)))
      const messages = [0, 1, 70_000, 4_000_000].map((length) => Buffer.alloc(length))
      expect(await within(callClientStream(client, messages), 'the stream of the client')).toBe(
        '0,1,70000,4000000',
      )
      const both = callBidi(client)
      for (const word of ['one', 'two']) {
        both.send(word)
        await both.heard.waitFor((message) => message === word, { what: word })
      }
      both.end()
      expect(await within(both.status, 'the end')).toBe(status.OK)
    })

    test('a message of 8 MB comes back', async () => {
      const { message, code } = await within(
        callUnary(client, echoMethods.unary, 'x'.repeat(8_000_000)),
        'the call',
      )
      expect({ code, length: message.length }).toEqual({ code: status.OK, length: 8_000_000 })
    })

    test('a call that is cancelled, or that nobody waits for any longer, is cancelled at the server', async () => {
      const { events } = context().server
      const from = events.items.length
      const call = callUnary(client, echoMethods.hang, '')
      await events.waitFor((event) => event === 'hang', { what: 'the call', from })
      call.cancel()
      expect((await within(call, 'the call')).code).toBe(status.CANCELLED)
      await events.waitFor((event) => event === 'cancelled', { what: 'the end of the call', from })
      const next = events.items.length
      const late = callUnary(client, echoMethods.hang, '', { deadline: new Date(Date.now() + 1_500) })
      expect((await within(late, 'the call')).code).toBe(status.DEADLINE_EXCEEDED)
      await events.waitFor((event) => event === 'cancelled', { what: 'the end of the late call', from: next })
    })

    test('a call in both directions goes on when the connections between agent and relay are cut', async () => {
      const both = callBidi(client)
      both.send('before')
      await both.heard.waitFor((message) => message === 'before', { what: 'the first message' })
      const back = context().back()
      context().cut()
      both.send('meanwhile')
      await back
      both.send('after')
      await both.heard.waitFor((message) => message === 'after', { what: 'the last message' })
      expect(both.heard.items).toEqual(['before', 'meanwhile', 'after'])
      both.end()
      expect(await within(both.status, 'the end')).toBe(status.OK)
    })
  })
}
