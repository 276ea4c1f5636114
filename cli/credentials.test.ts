import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  credentialsPath,
  currentServer,
  forgetCredential,
  readCredential,
  type StoredCredential,
  storeCredential,
  storedFor,
} from './credentials.ts'

const server = 'https://api.test'
const key = `pts_${'a'.repeat(43)}`
const stored: StoredCredential = { key, keyId: 'key_1', account: 'acc_1', accountName: 'One', savedAt: 1 }

let env: Record<string, string>
beforeEach(async () => {
  env = { XDG_CONFIG_HOME: await mkdtemp(join(tmpdir(), 'ptun-')) }
})
afterEach(() => rm(env.XDG_CONFIG_HOME ?? '', { recursive: true, force: true }))

describe('credentials', () => {
  test('credentials are read back for each server, and the last one is current', async () => {
    await storeCredential(env, server, stored)
    await storeCredential(env, 'https://other.test', { ...stored, account: 'acc_2' })
    expect(await readCredential(env, server)).toMatchObject({ account: 'acc_1', from: 'file' })
    expect((await readCredential(env, server)).key.reveal()).toBe(key)
    expect(await currentServer(env)).toBe('https://other.test')
  })

  test('each account has its key, the latest sign-in counts, and --account names another by id or name', async () => {
    const lab = {
      ...stored,
      key: `pts_${'b'.repeat(43)}`,
      keyId: 'key_2',
      account: 'acc_2',
      accountName: 'Lab',
    }
    expect(await storeCredential(env, server, stored)).toBeUndefined()
    expect(await storeCredential(env, server, lab), 'another account replaces nothing').toBeUndefined()
    expect(await readCredential(env, server)).toMatchObject({ account: 'acc_2' })
    for (const name of ['acc_1', 'One'])
      expect(await readCredential(env, server, name)).toMatchObject({ account: 'acc_1', keyId: 'key_1' })
    await expect(readCredential(env, server, 'Two')).rejects.toMatchObject({
      key: 'login.account',
      detail: expect.stringContaining('Lab (acc_2), One (acc_1)'),
    })
    expect(await storeCredential(env, server, { ...stored, keyId: 'key_3' })).toMatchObject({
      keyId: 'key_1',
    })
    expect((await storedFor(env, server)).map(({ keyId }) => keyId)).toEqual(['key_3', 'key_2'])
    await storeCredential(env, server, { ...stored, account: 'acc_3' })
    await expect(readCredential(env, server, 'One')).rejects.toMatchObject({ key: 'login.account' })
  })

  test('forgetting one account leaves the others, and the next latest counts', async () => {
    await storeCredential(env, server, stored)
    await storeCredential(env, server, { ...stored, account: 'acc_2', keyId: 'key_2' })
    expect(await forgetCredential(env, server)).toMatchObject({ keyId: 'key_2' })
    expect(await readCredential(env, server)).toMatchObject({ account: 'acc_1' })
    expect(await currentServer(env)).toBe(server)
    await storeCredential(env, server, { ...stored, account: 'acc_2', keyId: 'key_2' })
    expect(await forgetCredential(env, server, 'acc_1')).toMatchObject({ keyId: 'key_1' })
    expect((await storedFor(env, server)).map(({ account }) => account)).toEqual(['acc_2'])
    await expect(forgetCredential(env, server, 'acc_1')).rejects.toMatchObject({ key: 'login.account' })
  })

  test('a key of the environment belongs to one account', async () => {
    const given = { ...env, PTUN_KEY: `pts_${'b'.repeat(43)}` }
    await expect(readCredential(given, server, 'One')).rejects.toMatchObject({ key: 'login.account' })
  })

  test('only its user can read the file, even if it replaces one with a wider mode', async () => {
    await storeCredential(env, server, stored)
    await storeCredential(env, server, stored)
    const path = credentialsPath(env)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700)
  })

  test.each([0o640, 0o604, 0o660, 0o644])('a file of mode %o is not used', async (mode) => {
    await storeCredential(env, server, stored)
    await chmod(credentialsPath(env), mode)
    await expect(readCredential(env, server)).rejects.toMatchObject({ key: 'login.unsafe' })
    await expect(storeCredential(env, server, stored)).rejects.toMatchObject({ key: 'login.unsafe' })
  })

  test.each(['', '{', '[]', '{"version":2,"servers":{}}', '{"version":1,"servers":{"x":{"key":1}}}'])(
    'a damaged file (%s) is reported and left unchanged',
    async (text) => {
      await storeCredential(env, server, stored)
      await writeFile(credentialsPath(env), text)
      await expect(readCredential(env, server)).rejects.toMatchObject({ key: 'login.damaged' })
      await expect(storeCredential(env, server, stored)).rejects.toMatchObject({ key: 'login.damaged' })
      expect(await readFile(credentialsPath(env), 'utf8')).toBe(text)
    },
  )

  test('no file means not signed in', async () => {
    await expect(readCredential(env, server)).rejects.toMatchObject({ key: 'login.missing' })
    expect(await currentServer(env)).toBeUndefined()
  })

  test('PTUN_KEY comes before the file, and only an API key is taken', async () => {
    await storeCredential(env, server, stored)
    const other = `pts_${'b'.repeat(43)}`
    const credential = await readCredential({ ...env, PTUN_KEY: other }, server)
    expect(credential.from).toBe('PTUN_KEY')
    expect(credential.key.reveal()).toBe(other)
    await expect(readCredential({ ...env, PTUN_KEY: 'password' }, server)).rejects.toMatchObject({
      key: 'login.key',
    })
  })

  test('forgetting one server leaves the others', async () => {
    await storeCredential(env, 'https://other.test', stored)
    await storeCredential(env, server, stored)
    expect(await forgetCredential(env, server)).toMatchObject({ keyId: 'key_1' })
    expect(await forgetCredential(env, server)).toBeUndefined()
    expect(await currentServer(env)).toBeUndefined()
    expect(await readCredential(env, 'https://other.test')).toMatchObject({ account: 'acc_1' })
  })

  test('a key shows up in neither inspection nor JSON', async () => {
    await storeCredential(env, server, stored)
    const credential = await readCredential(env, server)
    expect(`${inspect(credential)}${JSON.stringify(credential)}`).not.toContain(key)
  })
})
