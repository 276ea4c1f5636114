import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { forward } from './forward.ts'
import type { ForwardOptions } from './index.d.ts'
import * as published from './index.js'

type Told = Parameters<NonNullable<ForwardOptions['onEvent']>>[0]

const world = { clock: systemClock, random: () => 0.5 }
/** Nothing listens there. */
const away = 'http://127.0.0.1:1'
const key = `pts_${'a'.repeat(43)}`

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'pt-forward-'))
  for (const name of ['HOME', 'XDG_CONFIG_HOME', 'XDG_STATE_HOME']) vi.stubEnv(name, home)
  for (const name of ['PTUN_KEY', 'PTUN_SERVER', 'PTUN_ACCOUNT']) vi.stubEnv(name, undefined)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true, force: true })
})

describe('forward', () => {
  test.each<[string, number | string, ForwardOptions, string]>([
    ['a name that cannot be one', 3000, { name: 'A_b', key }, 'PT-6001'],
    ['a public port for http', 3000, { port: 20100, key }, 'PT-6001'],
    ['an address that is none', 'a b', { key }, 'PT-6002'],
    ['a program that is not signed in', 3000, {}, 'PT-6020'],
  ])('%s is refused at once, with its code', async (_, target, options, code) => {
    const refused = forward(target, { server: away, ...options }, world)
    await expect(refused).rejects.toMatchObject({ code })
  })

  test('while the server is away it waits; a signal ends that, and the server that it made listen', async () => {
    const abort = new AbortController()
    const server = createServer()
    const lost = Promise.withResolvers<Told>()
    const onEvent = (event: Told) => event.event === 'server.lost' && lost.resolve(event)
    const waiting = forward(server, { server: away, key, signal: abort.signal, onEvent }, world)
    await lost.promise
    expect(server.listening).toBe(true)
    abort.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await vi.waitFor(() => expect(server.listening).toBe(false), { timeout: 10_000 })
  })

  test('a server that listens already stays as it is', async () => {
    const abort = new AbortController()
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const onEvent = ({ event }: Told) => event === 'server.lost' && abort.abort(new Error('enough'))
    const options = { server: away, key, signal: abort.signal, onEvent }
    await expect(forward(server, options, world)).rejects.toThrow('enough')
    expect(server.listening).toBe(true)
    server.close()
  })

  test('the package gives it to programs', async () => {
    await expect(published.forward(3000, { server: away })).rejects.toMatchObject({ code: 'PT-6020' })
  })
})
