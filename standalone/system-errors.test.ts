/** Every message of the server that a system error can lead to: its cure fits the error. What refuses is a mock. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { silentLog } from '@porttunneler/shared/base/log'
import { Secret } from '@porttunneler/shared/base/secret'
import { openSmtpMail } from '@porttunneler/shared/mail/smtp'
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
import { readTextFile } from './config.ts'
import { openDataFolder } from './data-folder.ts'
import { runOnFolder } from './office.ts'
import { openFileKeyVault } from './platform/key-vault.file.ts'
import { openLogMail } from './platform/mail.log.ts'
import { storeFailure } from './platform/store.sqlite.database.ts'
import { relayFailure } from './relay.ts'
import { readWebFiles } from './web-files.ts'
import { listen } from './web-server.ts'

let undo = () => {}
afterEach(() => undo())

const path = '/nowhere/file'
const letter = { to: 'ada@example.com', subject: 'a', text: 'b', id: '1' }

const files: readonly (readonly [string, ErrorKey, () => unknown])[] = [
  ['the data folder', 'standalone.folder', () => openDataFolder(path)],
  ['the master key', 'standalone.folder', () => openFileKeyVault(path)],
  [
    'a mail',
    'mail.failed',
    () => openLogMail({ folder: path, clock: systemClock, log: silentLog }).send(letter),
  ],
  ['the console', 'standalone.console', () => readWebFiles(path)],
]
for (const [name, key, act] of files)
  test.each(systemCodes('file'))(`${name}: %s`, async (code) => {
    undo = refuseFiles(systemError(code))
    const failure = await failureOf(act)
    expect(failure).toMatchObject({ key })
    expectCure(failure, { kind: 'file', code })
  })

// One whose folder is a file is not there.
test.each(systemCodes('file').filter((code) => code !== 'ENOTDIR'))('standalone.yaml: %s', async (code) => {
  undo = refuseFiles(systemError(code))
  const failure = await failureOf(() => readTextFile(path))
  expect(failure).toMatchObject({ key: 'standalone.config' })
  expectCure(failure, { kind: 'file', code })
})

const listenKeys: Readonly<Record<string, ErrorKey>> = {
  EADDRINUSE: 'standalone.port_taken',
  EACCES: 'standalone.port_denied',
  EADDRNOTAVAIL: 'standalone.address',
}
test.each(systemCodes('listen'))('the port of the console: %s', async (code) => {
  undo = refuseListening(systemError(code))
  const where = { host: '127.0.0.1', port: 0, clock: systemClock }
  const failure = await failureOf(() => listen(() => new Response(), where))
  expect(failure).toMatchObject({ key: listenKeys[code] ?? 'standalone.listen' })
  expectCure(failure, { kind: 'listen', code })
})

test.each(systemCodes('listen'))("a port of the relay, which is the server's to the person: %s", (code) => {
  const failure = relayFailure(`127.0.0.1:443 cannot be listened on (${code}): as the relay says it`)
  expect(failure).toMatchObject({
    key: listenKeys[code] ?? 'standalone.relay',
    detail: expect.stringContaining(code),
  })
})

test.each(systemCodes('network'))('the mail server: %s', async (code) => {
  undo = refuseConnections(systemError(code))
  const smtp = openSmtpMail({ smtp: new Secret('smtp://192.0.2.1:25'), from: 'a@example.com' })
  const failure = await failureOf(() => smtp.send(letter))
  expect(failure).toMatchObject({ key: 'mail.failed' })
  expectCure(failure, { kind: 'network', code })
})

test.each([
  ...systemCodes('file').map((code) => ['file', code] as const),
  ['network', 'ECONNREFUSED'],
  ['network', 'ECONNRESET'],
] as const)('ptunctl, at the socket of a server: %s %s', async (kind, code) => {
  const data = mkdtempSync(join(tmpdir(), 'pt-socket-'))
  writeFileSync(join(data, 'store.db'), '')
  const held = openDataFolder(data)
  try {
    undo = refuseConnections(systemError(code))
    const failure = await failureOf(() =>
      runOnFolder(data, { act: 'cells.list', input: {}, operator: 'grace' }),
    )
    expect(failure).toMatchObject({ key: 'operator.unreachable' })
    expectCure(failure, { kind, code })
  } finally {
    held.close()
    rmSync(data, { recursive: true })
  }
})

test('the database: a full disk and a file that takes no writes are told apart', () => {
  const keys = ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EIO'].map(
    (code) => storeFailure(systemError(code)).key,
  )
  expect(keys).toEqual([
    'store.full',
    'store.full',
    'store.read_only',
    'store.read_only',
    'store.unavailable',
  ])
})
