/** What `npm run disaster` measures. */
import { expect, test } from 'vitest'
import { loseDnsProvider } from './disaster/dns.ts'
import { loseServer } from './disaster/server.ts'

test('a server that is lost with its disk comes back from a backup, and its agents go on by themselves', {
  timeout: 240_000,
}, async () => {
  expect((await loseServer()).rtoMs).toBeGreaterThan(0)
})

test('records of cells are right again soon after the DNS provider is back', async () => {
  expect((await loseDnsProvider()).rtoMs).toBeLessThanOrEqual(10 * 60_000)
})
