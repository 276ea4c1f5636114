/**
 * Whom this machine acts for: an API key for each server in a file that only its user can read, or PTUN_KEY in the
 * environment. Never the command line, which every process of the machine can see.
 */

import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { z } from 'zod'
import { configFolder, type Environment, errnoOf, writePrivateFile } from './paths.ts'

const entrySchema = z.object({
  key: z.string(),
  keyId: z.string().optional(),
  /** Owner of what was saved about tunnels; see agent/saved.ts. */
  account: z.string(),
  accountName: z.string(),
  savedAt: z.int(),
})
const fileSchema = z.object({
  version: z.literal(1),
  /** The server signed in to last, which a command without --server calls. */
  current: z.string().optional(),
  servers: z.record(z.string(), entrySchema),
})
export type StoredCredential = z.infer<typeof entrySchema>
type CredentialsFile = z.infer<typeof fileSchema>

export type Credential = {
  readonly key: Secret
  /** Identifies whose leases are saved: an account id, or a stand-in made from PTUN_KEY. */
  readonly account?: string
  readonly from: 'PTUN_KEY' | 'file'
  /** The id by which to revoke it. */
  readonly keyId?: string
}

const empty: CredentialsFile = { version: 1, servers: {} }

export function credentialsPath(env: Environment): string {
  return join(configFolder(env), 'credentials.json')
}

/**
 * @throws login.missing, login.key, login.unsafe, login.damaged, cli.folder
 */
export async function readCredential(env: Environment, server: string): Promise<Credential> {
  const fromEnvironment = env.PTUN_KEY
  if (fromEnvironment !== undefined && fromEnvironment !== '') {
    if (!/^pts_[A-Za-z0-9_-]{43}$/.test(fromEnvironment.trim())) throw fail('login.key')
    return { key: new Secret(fromEnvironment.trim()), from: 'PTUN_KEY' }
  }
  const entry = (await readFileOfCredentials(env)).servers[server]
  if (!entry) throw fail('login.missing', `ptun has no credentials for ${server}.`)
  const { key, keyId, account } = entry
  return { key: new Secret(key), account, from: 'file', ...(keyId !== undefined && { keyId }) }
}

/** The server signed in to last. @throws login.unsafe, login.damaged, cli.folder */
export async function currentServer(env: Environment): Promise<string | undefined> {
  return (await readFileOfCredentials(env)).current
}

/** @throws login.unsafe, login.damaged, cli.folder */
export async function storeCredential(
  env: Environment,
  server: string,
  entry: StoredCredential,
): Promise<void> {
  const file = await readFileOfCredentials(env)
  await write(env, { ...file, current: server, servers: { ...file.servers, [server]: entry } })
}

/** @returns what was stored, so that it can be revoked. @throws login.unsafe, login.damaged, cli.folder */
export async function forgetCredential(
  env: Environment,
  server: string,
): Promise<StoredCredential | undefined> {
  const file = await readFileOfCredentials(env)
  const { [server]: entry, ...servers } = file.servers
  if (!entry) return undefined
  const { current, ...rest } = file
  await write(env, { ...rest, ...(current && current !== server && { current }), servers })
  return entry
}

async function write(env: Environment, file: CredentialsFile): Promise<void> {
  await writePrivateFile(credentialsPath(env), `${JSON.stringify(file, undefined, 2)}\n`)
}

async function readFileOfCredentials(env: Environment): Promise<CredentialsFile> {
  const path = knownPath(env)
  const text = path && (await readPrivately(path))
  if (path === undefined || text === undefined) return empty
  try {
    return fileSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw fail('login.damaged', `${path} is not a credentials file.`, { cause })
  }
}

/** Undefined: a user without a home has signed in nowhere. */
function knownPath(env: Environment): string | undefined {
  try {
    return credentialsPath(env)
  } catch (error) {
    if (!isFailure(error, 'cli.folder')) throw error
    return undefined
  }
}

async function readPrivately(path: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path)
    // Windows has no such bits; its profile folder is private already.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0)
      throw fail('login.unsafe', `${path} has mode ${(mode & 0o777).toString(8)}; it must be 600.`)
    return await readFile(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    if (isFailure(error)) throw error
    throw fail('cli.folder', `${path} cannot be read${sayFileError(error)}`, { cause: error })
  }
}
