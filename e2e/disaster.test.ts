/** What `npm run disaster` measures. */
import { expect, test } from 'vitest'
import { loseServer } from './disaster/server.ts'

test('a server that is lost with its disk comes back from a backup, and its agents go on by themselves', {
  timeout: 240_000,
}, async () => {
  expect((await loseServer()).rtoMs).toBeGreaterThan(0)
})
