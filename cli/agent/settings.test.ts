/** What the status of a tunnel says that it does, besides passing bytes on. */
import { expect, test } from 'vitest'
import { drawnOf } from '../testing/live-view.ts'
import { newTunnel, statusOf } from './tunnels.ts'

test('the live status shows the domain of a tunnel below its own address', () => {
  const tunnel = newTunnel(1, {
    ...{ name: 'shop', kind: 'http', domain: 'app.example.com' },
    upstream: { host: '127.0.0.1', port: 3000 },
  })
  const status = statusOf(tunnel)
  expect(status.settings).toEqual(['domain app.example.com'])
  const { lines } = drawnOf({ tunnels: [status] })
  expect(lines).toContain('  domain app.example.com')
})
