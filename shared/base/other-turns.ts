/** Long work in slices: a relay or a server that works on thousands of things lets its visitors go in between. */

/** Lets everything that waits for the event loop go first. */
export function otherTurns(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
