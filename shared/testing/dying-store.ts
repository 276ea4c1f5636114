/** A store that fails at a chosen write, for tests of what happens after a crash. */
import { fail } from '../base/errors.ts'
import type { Store } from '../control/platform.ts'

/** A store that fails from its `n`th write on, after or before the write has happened. */
export function dyingAt(store: Store, n: number, when: 'before' | 'after'): Store {
  let writes = 0
  const dies = async <T>(write: () => Promise<T>): Promise<T> => {
    const isLast = ++writes >= n
    if (isLast && (when === 'before' || writes > n)) throw fail('store.unavailable')
    const result = await write()
    if (isLast) throw fail('store.unavailable')
    return result
  }
  return {
    ...bound(store),
    create: (ref, data) => dies(() => store.create(ref, data)),
    update: (ref, fields, condition) => dies(() => store.update(ref, fields, condition)),
    delete: (ref, condition) => dies(() => store.delete(ref, condition)),
    change: (ref, fn, options) => dies(() => store.change(ref, fn, options)),
    batch: (given) => dies(() => store.batch(given)),
    transact: (fn, options) => dies(() => store.transact(fn, options)),
  }
}

/** A store whose calls can be replaced one by one. */
export function bound(store: Store): Store {
  return {
    get: (ref) => store.get(ref),
    getAll: (refs) => store.getAll(refs),
    create: (ref, data) => store.create(ref, data),
    set: (ref, data) => store.set(ref, data),
    update: (ref, fields, condition) => store.update(ref, fields, condition),
    delete: (ref, condition) => store.delete(ref, condition),
    batch: (writes) => store.batch(writes),
    change: (ref, fn, options) => store.change(ref, fn, options),
    transact: (fn, options) => store.transact(fn, options),
    query: (query, options) => store.query(query, options),
    close: () => store.close(),
  }
}
