import { createHook } from 'node:async_hooks'
import { expect, test } from 'vitest'
import { compactHeap } from './compact-heap.ts'

test('one tick of the first collection outlives the next: without one V8 makes all later ticks slowly', async () => {
  const made: WeakRef<object>[] = []
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      if (type === 'TickObject') made.push(new WeakRef(resource))
    },
  }).enable()
  compactHeap()
  hook.disable()
  await new Promise((resolve) => setImmediate(resolve))
  compactHeap()
  expect(made).toHaveLength(1)
  expect(made[0]?.deref()).toBeDefined()
})
