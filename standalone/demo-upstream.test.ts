import { once } from 'node:events'
import { get } from 'node:http'
import { connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { systemClock } from '@porttunneler/shared/base/clock'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { expect, test, vi } from 'vitest'
import { startDemoUpstream } from './demo-upstream.ts'

test('demo: the echo gives back every byte and ends after its visitor', async () => {
  const demo = await startDemoUpstream(systemClock)
  const socket = connect({ port: demo.echoPort, host: '127.0.0.1' })
  socket.end('hello\n')
  expect((await buffer(socket)).toString()).toBe('hello\n')
  await demo.close()
})

test('demo: the page shows the request as text, never as markup', async () => {
  const demo = await startDemoUpstream(systemClock)
  const answer = await fetch(`http://127.0.0.1:${demo.httpPort}/`, { headers: { 'x-evil': '<img src=x>' } })
  const page = await answer.text()
  expect(page).toContain('&lt;img src=x&gt;')
  expect(page).not.toContain('<img')
  const headers = await fetch(`http://127.0.0.1:${demo.httpPort}/headers`)
  expect(await headers.json()).toMatchObject({ method: 'GET', url: '/headers' })
  await demo.close()
})

test('demo: the clock streams, and a visitor who leaves costs no timer', async () => {
  const clock = new FakeClock()
  const demo = await startDemoUpstream(clock)
  const request = get({ port: demo.httpPort, host: '127.0.0.1', path: '/clock', agent: false })
  const [answer] = await once(request, 'response')
  expect(String((await once(answer, 'data'))[0])).toMatch(/^data: 2026-01-01T00:00:00/)
  clock.advance(1_000)
  expect(String((await once(answer, 'data'))[0])).toMatch(/^data: 2026-01-01T00:00:01/)
  expect(clock.pending).toBe(1)
  request.destroy()
  await vi.waitFor(() => expect(clock.pending).toBe(0), { timeout: 20_000 })
  await demo.close()
})
