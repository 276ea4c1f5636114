/** What `npm run disaster` measures. */
import { expect, test } from 'vitest'
import { loseDnsProvider } from './disaster/dns.ts'
import { holdMessages } from './disaster/held-messages.ts'
import { loseServer } from './disaster/server.ts'

test('a server that is lost with its disk comes back from a backup, and its agents go on by themselves', {
  timeout: 240_000,
}, async () => {
  expect((await loseServer()).rtoMs).toBeGreaterThan(0)
})

test('records of cells are right again soon after the DNS provider is back', async () => {
  expect((await loseDnsProvider()).rtoMs).toBeLessThanOrEqual(10 * 60_000)
})

test('an hour without any message delays nothing by more than a minute, and then nothing is done twice', async () => {
  expect((await holdMessages()).rtoMs).toBeLessThanOrEqual(60_000)
})
