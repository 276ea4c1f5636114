/** Every message of ptun that a system error can cause has a cure that fits the error. Mocks refuse. */
import { Socket } from 'node:net'
import { codes, type ErrorKey } from '@porttunneler/shared/base/errors'
import { connectTls } from '@porttunneler/shared/mux/connect-tls'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import {
  expectCure,
  failureOf,
  refuseConnections,
  refuseFiles,
  systemCodes,
  systemError,
} from '@porttunneler/shared/testing/system-errors'
import { afterEach, describe, expect, test } from 'vitest'
import { dialUpstream } from './agent/dial-upstream.ts'
import { readAgentId } from './agent/saved.ts'
import { readConfig } from './config.ts'
import { readCredential } from './credentials.ts'
import { httpParts } from './http-options.ts'
import { makePrivateFolder, writePrivateFile } from './paths.ts'
import { connectThrough, reachFailure } from './proxy/connect.ts'
import { parseProxy } from './proxy/settings.ts'

let undo = () => {}
afterEach(() => undo())

const path = '/nowhere/file'
const ofHttps = { kind: 'http', upstream: { host: '127.0.0.1', port: 1, isTls: true }, folder: '/' } as const
const signal = new AbortController().signal

describe('files', () => {
  const acts: readonly (readonly [string, ErrorKey, () => unknown])[] = [
    ['a folder', 'cli.folder', () => makePrivateFolder(path)],
    ['a file of ours', 'cli.folder', () => writePrivateFile(path, '')],
    ['ptun.yaml', 'cli.folder', () => readConfig(path, {})],
    ['credentials', 'cli.folder', () => readCredential({ XDG_CONFIG_HOME: '/nowhere' }, 'https://t.example')],
    ['the id of the agent', 'cli.folder', () => readAgentId(path, 0)],
    ['a file that an option names', 'cli.file', () => httpParts({ upstreamCa: path }, ofHttps)],
  ]
  for (const [name, key, act] of acts)
    test.each(systemCodes('file'))(`${name}: %s`, async (code) => {
      undo = refuseFiles(systemError(code))
      const failure = await failureOf(act)
      expect(failure).toMatchObject({ key })
      expectCure(failure, { kind: 'file', code })
    })
})

describe('connections', () => {
  const upstreamKeys: Readonly<Record<string, ErrorKey>> = {
    EMFILE: 'upstream.exhausted',
    ENFILE: 'upstream.exhausted',
    ECONNREFUSED: 'upstream.refused',
    ECONNRESET: 'upstream.refused',
    ENOTFOUND: 'upstream.unknown',
    EAI_AGAIN: 'upstream.resolver',
    ETIMEDOUT: 'upstream.timeout',
    EHOSTUNREACH: 'upstream.unreachable',
    ENETUNREACH: 'upstream.unreachable',
    EADDRNOTAVAIL: 'upstream.exhausted',
    EACCES: 'upstream.unreachable',
    EPERM: 'upstream.unreachable',
  }
  test.each(systemCodes('network'))('an upstream: %s', async (code) => {
    undo = refuseConnections(systemError(code))
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const around = { clock: new FakeClock(), memory: new Map(), onConnect: resolve, onFail: resolve }
    dialUpstream({ host: '192.0.2.1', port: 1 }, around)
    const failure = await promise
    expect(failure).toMatchObject({ key: upstreamKeys[code] })
    expectCure(failure, { kind: 'network', code })
  })

  test.each(systemCodes('network'))('a relay: %s', async (code) => {
    const address = { host: 'relay.example', port: 443, sni: 'relay.example' }
    const socket = new Socket()
    const dialled = failureOf(() => connectTls(address, { clock: new FakeClock(), signal, socket }))
    socket.destroy(systemError(code))
    const failure = await dialled
    expect(failure).toMatchObject({ key: 'relay.unreachable' })
    expectCure(failure, { kind: 'network', code })
  })

  test.each(systemCodes('network'))('a proxy: %s', async (code) => {
    undo = refuseConnections(systemError(code))
    const proxy = parseProxy('socks5h://proxy.example:1080', 'HTTPS_PROXY')
    const to = { host: 'relay.example', port: 443 }
    const failure = await failureOf(() => connectThrough(proxy, to, { clock: new FakeClock(), signal }))
    expect(failure).toMatchObject({ key: 'proxy.unreachable' })
    expectCure(failure, { kind: 'network', code })
  })

  test.each(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'])(
    '%s: the clock, whoever has the certificate',
    (code) => {
      const proxy = parseProxy('https://proxy.example:3128', 'HTTPS_PROXY')
      const failure = reachFailure(proxy, systemError(code), Date.UTC(2046, 10, 28))
      expect(failure.detail).toMatch(/the clock of this machine says 2046-11-28/)
      expect(failure.detail).not.toMatch(/NODE_EXTRA_CA_CERTS/)
      for (const key of ['upstream.expired', 'relay.validity', 'server.validity'] as const)
        expect(codes[key].cure).toContain('clock')
    },
  )
})
