/**
 * The test server as a process of its own, to try things by hand. It listens on the given port (0: any) of 127.0.0.1
 * and prints its address and key as JSON. Webhooks go out by themselves, also to this machine. Lines on standard input
 * move its clock: `advance 86400` (seconds). It ends with its standard input.
 *
 *   node shared/testing/stripe/main.ts 4242
 */
import { createInterface } from 'node:readline'
import { systemClock } from '../../base/clock.ts'
import { startStripe } from './server.ts'

let movedMs = 0
const clock = { ...systemClock, now: () => systemClock.now() + movedMs }
const stripe = await startStripe({
  clock,
  port: Number(process.argv[2] ?? 0),
  settings: { localWebhooks: true },
})
process.stdout.write(`${JSON.stringify({ url: stripe.url, key: stripe.key })}\n`)

let isDelivering = false
const deliveries = clock.every(250, () => {
  if (isDelivering) return
  isDelivering = true
  void stripe.deliver().finally(() => {
    isDelivering = false
  })
})
const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const [, seconds] = /^advance (\d{1,9})$/.exec(line.trim()) ?? []
  if (seconds === undefined) process.stderr.write('advance <seconds>\n')
  else movedMs += Number(seconds) * 1_000
})
lines.on('close', () => {
  deliveries.clear()
  void stripe.close()
})
