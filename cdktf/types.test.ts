/** `npm run check` does not look here, since it must not need these packages. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test('every file has the types that the bindings want', () => {
  const root = join(import.meta.dirname, '..')
  const check = () =>
    execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'cdktf', '--noEmit'], {
      cwd: root,
      encoding: 'utf8',
    })
  expect(check()).toBe('')
})
