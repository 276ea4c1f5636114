/** An inspector in front of a real desk and a real upstream; visitors are streams of this process. */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import { Turn } from '@porttunneler/shared/mux/turn'
import { afterEach, expect } from 'vitest'
import { newTunnel, type WantedTunnel } from '../agent/tunnels.ts'
import { VisitorDesk } from '../agent/visitor-desk.ts'
import { readWebhookRules } from '../http/webhooks/signatures.ts'
import type { Entry } from '../inspector/entry.ts'
import { Inspector } from '../inspector/inspector.ts'
import type { RingLimits } from '../inspector/ring.ts'
import { StreamVisitor } from './stream-visitor.ts'

export function useInspectorRigs() {
  const closers: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of closers.splice(0)) await close()
  })
  return async (
    serve: RequestListener,
    wanted: Partial<WantedTunnel> = {},
    limits?: RingLimits,
    webhooks = '',
  ) => {
    const server: Server = createServer(serve)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const inspector = new Inspector(systemClock, { limits, webhooks: readWebhookRules(webhooks) })
    const tunnel = newTunnel(1, {
      name: 'web',
      kind: 'http',
      upstream: { host: '127.0.0.1', port },
      ...wanted,
    })
    const desk = new VisitorDesk({
      clock: systemClock,
      turn: new Turn(),
      emit: (event) => inspector.onEvent(event),
      inspect: inspector,
      visitorsMax: 100,
      onIdle: () => {},
    })
    closers.push(() => {
      desk.close()
      inspector.close()
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    })
    const visit = (extra: Partial<OpenInfo> = {}) => new StreamVisitor().enter(desk, tunnel, extra)
    /** Sends one request and waits for the end of its answer. */
    const ask = async (text: string): Promise<Entry> => {
      visit().ask(text)
      return await settled(inspector, inspector.recorder.lastId)
    }
    return { inspector, server, port, tunnel, desk, visit, ask }
  }
}

/** Waits until a request has its whole answer, or will have none. */
export async function settled(inspector: Inspector, id: number): Promise<Entry> {
  await expect.poll(() => inspector.entry(id).ms, { timeout: 5_000, interval: 2 }).toBeDefined()
  return inspector.entry(id)
}

export const post = (path: string, body: string, fields = '') =>
  `POST ${path} HTTP/1.1\r\nHost: web.test\r\n${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
