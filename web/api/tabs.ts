/** What tabs of one browser share: the storage for the refresh token, and a lock around its use. */
import type { SessionOptions } from './session.ts'

/**
 * Runs `task` while no other tab of this origin runs one. Web Locks exist on secure origins (https and localhost);
 * without them two tabs may refresh at once, and the loser signs in again: the safe way to fail.
 */
export async function exclusively<T>(task: () => Promise<T>): Promise<T> {
  if (!navigator.locks) return task()
  return await navigator.locks.request('porttunneler.refresh', task)
}

/**
 * One of the browser's storages, or memory where it refuses (then a reload means signing in again).
 * @param read reading the property alone can throw
 */
export function keptStorage(read: () => Storage): SessionOptions['storage'] {
  try {
    const storage = read()
    storage.getItem('porttunneler.refresh')
    return storage
  } catch {
    const kept = new Map<string, string>()
    return {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, value),
      removeItem: (key) => void kept.delete(key),
    }
  }
}
