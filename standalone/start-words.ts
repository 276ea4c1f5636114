/** The messages between start.ts and its children; without a library, for a process that only waits. */

/** Tells a server to take over from another one. */
export const successorEnv = { PORTTUNNELER_SUCCESSOR: '1' }
export function isSuccessor(env: NodeJS.ProcessEnv): boolean {
  return env.PORTTUNNELER_SUCCESSOR === '1'
}

/** To the running server: the newer one has ended, take back what you gave. */
export const resumeMessage = { resume: true }
/** To the newer one: the other has ended. */
export const goneMessage = { gone: true }
/** From a server: it is serving. */
export const upMessage = { up: true }
export function isUp(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'up' in message
}
