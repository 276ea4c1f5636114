/** How a visitor's connection ends after the last answer. */
import type { Socket } from 'node:net'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { limits } from '@porttunneler/shared/protocol/limits'

/** How long a visitor that was sent its last answer may go on sending before its socket is dropped. */
const lingerMs = 5_000

/**
 * Ends the socket when all that was written is out, however slowly the visitor reads. What the visitor still sends is
 * read for a while, because a reset would destroy the answer before it is read (RFC 9112, section 9.6).
 * @returns a way to end the waiting, for when the socket is closed
 */
export function bidFarewell(socket: Socket, clock: Clock): Pick<Timer, 'clear'> {
  let timer: Timer | undefined
  const linger = () => {
    timer?.clear()
    timer = clock.after(lingerMs, () => socket.destroy())
  }
  const watch = (left: number) => {
    timer = clock.after(limits.lastWordsMs, () => {
      if (socket.writableLength < left) watch(socket.writableLength)
      else socket.destroy()
    })
  }
  socket.end()
  if (socket.writableFinished) linger()
  else {
    socket.once('finish', linger)
    watch(socket.writableLength)
  }
  return {
    clear: () => {
      socket.off('finish', linger)
      timer?.clear()
    },
  }
}
