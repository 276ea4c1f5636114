/** Visitors whose bytes go to the agent unchanged: those of tcp and tls tunnels. */
import type { Socket } from 'node:net'
import { type ErrorKey, isFailure } from '@porttunneler/shared/base/errors'
import { Splice } from '@porttunneler/shared/mux/splice'
import type { Turn } from '@porttunneler/shared/mux/turn'
import type { JoinWork } from '@porttunneler/shared/mux/work-share'
import type { Opening } from './opening.ts'
import type { Route } from './routes.ts'
import type { Visit } from './visit.ts'
import type { Visitors } from './visitors.ts'

/**
 * Joins an admitted, paused visitor to a stream of `route`, or resets it when it may not have one (which is counted).
 * `first` are bytes that were read from the socket before.
 */
export function spliceVisitor(
  socket: Socket,
  route: Route,
  { visitors, turn, first }: { readonly visitors: Visitors; readonly turn: Turn; readonly first?: Buffer },
): void {
  const { address: visitorAddress, port: visitorPort, localPort } = visitors.originOf(socket)
  const info = { visitorAddress, visitorPort, localPort, awaitsUpgrade: false }
  visitors.isFor(socket, visitorAddress)
  const join = (visit: Visit) => {
    const { stream } = visit
    const onEnd = (reason: ErrorKey | undefined) => {
      // It never reached the upstream: the tunnel's owner will look for it among the refusals.
      if (reason !== undefined && reason !== 'stream.aborted' && !visit.isConnected)
        route.meter.missed(reason)
      visitors.closed(stream, reason)
    }
    const work: JoinWork = (worker) => visitors.sources.join(visitorAddress, worker)
    stream.serve(new Splice(socket, stream, { turn, clock: visitors.clock, work, first, onEnd }))
    socket.resume()
  }
  const leave = () => opening?.cancel()
  let opening: Opening | undefined
  try {
    opening = visitors.open(route, info, {
      onVisit(visit) {
        socket.off('close', leave)
        join(visit)
      },
      onFailed(key) {
        route.meter.missed(key)
        socket.off('close', leave).resetAndDestroy()
      },
    })
    if (opening) socket.once('close', leave)
  } catch (error) {
    socket.resetAndDestroy()
    if (!isFailure(error)) throw error
  }
}
