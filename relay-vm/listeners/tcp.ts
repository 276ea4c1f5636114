/**
 * Leased ports. A port is opened when an agent binds it and stays open while its route lives. While the agent is away
 * visitors are reset at accept, so nobody waits for an answer that will not come.
 */

import { createServer, type Server, type Socket } from 'node:net'
import { fail } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { sayListenError } from '@porttunneler/shared/base/system-errors'
import type { Turn } from '@porttunneler/shared/mux/turn'
import { limits } from '@porttunneler/shared/protocol/limits'
import type { Meters } from '../meters/meters.ts'
import type { Routes } from '../routes.ts'
import { joinSibling, type Siblings } from '../siblings.ts'
import { spliceVisitor } from '../visitor.ts'
import type { Visitors } from '../visitors.ts'
import { closeServer, closeWhenEmpty, listen } from './listen.ts'
import type { Origins } from './origins.ts'

export type TcpOptions = {
  readonly host: string
  readonly routes: Routes
  readonly visitors: Visitors
  readonly origins: Origins
  readonly meters: Meters
  readonly turn: Turn
  readonly log: Log
  /** Other processes of this machine that share the ports. */
  readonly siblings: Siblings | undefined
}

export class TcpListeners {
  readonly #options: TcpOptions
  /** By port; the promise is there while the port is being opened. */
  readonly #servers = new Map<number, Promise<Server>>()
  #isOver = false

  constructor(options: TcpOptions) {
    this.#options = options
  }

  /** Listens on the port of `endpoint`, unless it is open already, or all are closed. @throws relay.bind_port */
  async open(endpoint: string): Promise<void> {
    if (this.#isOver) return
    const port = portOf(endpoint)
    const known = this.#servers.get(port)
    if (known !== undefined) {
      await known
      return
    }
    const opening = this.#open(port, endpoint)
    this.#servers.set(port, opening)
    try {
      await opening
    } catch (cause) {
      this.#servers.delete(port)
      const why = sayListenError(cause)
      throw fail('relay.bind_port', `Port ${port} cannot be opened at the relay${why}`, { cause })
    }
  }

  /** New visitors find the port closed; connected ones stay. */
  close(endpoint: string): void {
    const port = portOf(endpoint)
    const server = this.#servers.get(port)
    if (server === undefined) return
    this.#servers.delete(port)
    server.then(closeServer).catch((error: unknown) => {
      this.#options.log.warn({ port, error }, 'A leased port could not be closed')
    })
  }

  /** For good: agents that come back to a relay that leaves bind again, and new visitors should not come here. */
  async closeAll(): Promise<void> {
    this.#isOver = true
    const servers = [...this.#servers.values()]
    this.#servers.clear()
    await Promise.allSettled(servers.map(async (opening) => await closeWhenEmpty(await opening)))
  }

  async #open(port: number, endpoint: string): Promise<Server> {
    const server = createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: limits.tcpKeepAliveMs,
    })
    const { origins } = this.#options
    server.on('connection', (socket) => origins.whenKnown(socket, 'tcp', () => this.#serve(socket, endpoint)))
    const { host, log, siblings } = this.#options
    await listen(server, { host, port, log, sharing: siblings })
    return server
  }

  #serve(socket: Socket, endpoint: string): void {
    const { routes, visitors, siblings } = this.#options
    if (visitors.accept(socket) === undefined) return
    if (siblings === undefined || routes.servesWell(endpoint)) {
      this.#splice(socket, endpoint)
      return
    }
    const finding = siblings.find({ kind: 'raw', endpoint, origin: visitors.originOf(socket) })
    void finding.then((sibling) => {
      if (sibling === undefined) this.#splice(socket, endpoint)
      else {
        visitors.passOn(socket)
        joinSibling(socket, sibling, { clock: visitors.clock })
      }
    })
  }

  #splice(socket: Socket, endpoint: string): void {
    const { routes, visitors, meters, turn } = this.#options
    const route = routes.find(endpoint)
    if (route !== undefined) {
      spliceVisitor(socket, route, { visitors, turn })
      return
    }
    meters.refused('tunnel.away')
    socket.resetAndDestroy()
  }
}

/** Reads `tcp:<cell>:<port>`, which `endpointIdSchema` has checked. */
function portOf(endpoint: string): number {
  return Number(endpoint.slice(endpoint.lastIndexOf(':') + 1))
}
