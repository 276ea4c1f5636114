/** Socket files outlive a process that was killed. Only connecting shows whether a process is behind one. */
import { connect } from 'node:net'

/** Whether a process listens at the Unix socket `path`; never rejects. */
export async function isListening(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ path })
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  const answer = await promise
  socket.destroy()
  return answer
}
