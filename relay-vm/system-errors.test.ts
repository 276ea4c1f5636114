/** Every message of a relay that a system error can cause has a cure that fits the error. A mock raises the errors. */
import { createServer } from 'node:net'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { silentLog } from '@porttunneler/shared/base/log'
import { Secret } from '@porttunneler/shared/base/secret'
import {
  expectCure,
  failureOf,
  refuseConnections,
  refuseFiles,
  refuseListening,
  systemCodes,
  systemError,
} from '@porttunneler/shared/testing/system-errors'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { readIdentity, selfSignedIdentity } from './certificate.ts'
import { loadConfig } from './config.ts'
import { closeDataDir } from './data-dir.ts'
import { readJson, writeText } from './files.ts'
import { listen, listenAt } from './listeners/listen.ts'
import { TcpListeners, type TcpOptions } from './listeners/tcp.ts'
import { httpControl } from './platform/control.http.ts'
import { instanceIdentity } from './platform/metadata.google.ts'

let undo = () => {}
afterEach(() => undo())

/** No other part is used before the port is open. */
function leasedPorts(): TcpListeners {
  const none = {} as TcpOptions
  return new TcpListeners({ ...none, host: '127.0.0.1', log: silentLog, siblings: undefined })
}

type Act = readonly [name: string, key: ErrorKey, act: () => unknown]
const path = '/nowhere/file'
const signal = new AbortController().signal

const files: readonly Act[] = [
  ['a kept file is read', 'relay.data', () => readJson(path, z.unknown())],
  ['a kept file is written', 'relay.data', () => writeText(path, '')],
  ['the data folder', 'relay.data', () => closeDataDir(import.meta.dirname)],
  ['its own certificate', 'relay.data', () => selfSignedIdentity(path, { names: ['a'], nowMs: 0 })],
  ['the certificate', 'relay.certificate', () => readIdentity({ certFile: path, keyFile: path })],
  ['the configuration', 'relay.config', () => loadConfig(path, {})],
]
for (const [name, key, act] of files)
  test.each(systemCodes('file'))(`${name}: %s`, async (code) => {
    undo = refuseFiles(systemError(code))
    const failure = await failureOf(act)
    expect(failure).toMatchObject({ key })
    expectCure(failure, { kind: 'file', code })
  })

const listening: readonly Act[] = [
  ['a port', 'relay.port', () => listen(createServer(), { host: '127.0.0.1', port: 0, log: silentLog })],
  ['a socket', 'relay.port', () => listenAt(createServer(), path, silentLog)],
  ['the port of a lease', 'relay.bind_port', () => leasedPorts().open('tcp:c1:2222')],
]
for (const [name, key, act] of listening)
  test.each(systemCodes('listen'))(`${name}: %s`, async (code) => {
    undo = refuseListening(systemError(code))
    const failure = await failureOf(act)
    expect(failure).toMatchObject({ key })
    expectCure(failure, { kind: 'listen', code })
  })

const connections: readonly Act[] = [
  [
    'the control plane',
    'relay.control',
    () => httpControl('http://192.0.2.1').enrol({ key: new Secret('pte_x'), name: 'r1' }, signal),
  ],
  ['the metadata server', 'relay.metadata', () => instanceIdentity()('https://t.example', signal)],
]
for (const [name, key, act] of connections)
  test.each(systemCodes('network'))(`${name}: %s`, async (code) => {
    undo = refuseConnections(systemError(code))
    const failure = await failureOf(act)
    expect(failure).toMatchObject({ key })
    expectCure(failure, { kind: 'network', code })
  })

test.each(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'])('the control plane: %s, so the clock', async (code) => {
  undo = refuseConnections(systemError(code))
  const failure = await failureOf(connections[0]?.[2] ?? expect.unreachable())
  expect(failure).toMatchObject({ detail: expect.stringContaining('the clock of this machine says') })
})
