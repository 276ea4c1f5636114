/**
 * Whom this machine acts for: an API key for each server and account in a file that only its user can read, or PTUN_KEY
 * in the environment. Never the command line, which every process of the machine can see.
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
  /** The person; older servers did not say. */
  member: z.string().optional(),
  savedAt: z.int(),
})
const fileSchema = z.object({
  version: z.literal(1),
  /** The server signed in to last, which a command without --server calls. */
  current: z.string().optional(),
  servers: z.record(z.string(), entrySchema),
  /** By server: sign-ins to further accounts, for --account. */
  others: z.record(z.string(), z.array(entrySchema).max(100)).optional(),
})
export type StoredCredential = z.infer<typeof entrySchema>
type CredentialsFile = z.infer<typeof fileSchema>

export type Credential = {
  readonly key: Secret
  /** Identifies whose leases are saved: an account id, or a stand-in made from PTUN_KEY. */
  readonly account?: string
  /** The person who signed in, as far as it is known. */
  readonly member?: string
  readonly from: 'PTUN_KEY' | 'file'
  /** The id by which to revoke it. */
  readonly keyId?: string
}

const empty: CredentialsFile = { version: 1, servers: {} }

export function credentialsPath(env: Environment): string {
  return join(configFolder(env), 'credentials.json')
}

/**
 * @param account an account's id or name; default: the one signed in to last
 * @throws login.missing, login.account, login.key, login.unsafe, login.damaged, cli.folder
 */
export async function readCredential(
  env: Environment,
  server: string,
  account?: string,
): Promise<Credential> {
  const fromEnvironment = env.PTUN_KEY
  if (fromEnvironment !== undefined && fromEnvironment !== '') {
    if (account !== undefined)
      throw fail('login.account', 'PTUN_KEY is a key of one account, so --account cannot name another.')
    if (!/^pts_[A-Za-z0-9_-]{43}$/.test(fromEnvironment.trim())) throw fail('login.key')
    return { key: new Secret(fromEnvironment.trim()), from: 'PTUN_KEY' }
  }
  const [latest, ...others] = await storedFor(env, server)
  if (!latest) throw fail('login.missing', `ptun has no credentials for ${server}.`)
  const entry = account === undefined ? latest : pick([latest, ...others], account)
  const { key, keyId, member } = entry
  return {
    key: new Secret(key),
    account: entry.account,
    from: 'file',
    ...(keyId !== undefined && { keyId }),
    ...(member !== undefined && { member }),
  }
}

/** Sign-ins to this server, the latest first, one for each account. @throws login.unsafe, login.damaged, cli.folder */
export async function storedFor(env: Environment, server: string): Promise<readonly StoredCredential[]> {
  const { servers, others = {} } = await readFileOfCredentials(env)
  const latest = servers[server]
  return latest ? [latest, ...(others[server] ?? [])] : []
}

/** By id, or by a name that only one of them has. @throws login.account */
function pick(entries: readonly StoredCredential[], account: string): StoredCredential {
  const byId = entries.filter((entry) => entry.account === account)
  const [found, another] = byId.length > 0 ? byId : entries.filter((entry) => entry.accountName === account)
  if (found && !another) return found
  const known = entries.map((entry) => `${entry.accountName} (${entry.account})`).join(', ')
  const says = another ? `Several accounts are called "${account}".` : `There is no key of "${account}" here.`
  throw fail('login.account', `${says} There are keys of: ${known}.`)
}

/** The server signed in to last. @throws login.unsafe, login.damaged, cli.folder */
export async function currentServer(env: Environment): Promise<string | undefined> {
  return (await readFileOfCredentials(env)).current
}

/**
 * Becomes the one that commands without --account use; those of other accounts stay.
 * @returns what it replaces: the earlier one of the same account. @throws login.unsafe, login.damaged, cli.folder
 */
export async function storeCredential(
  env: Environment,
  server: string,
  entry: StoredCredential,
): Promise<StoredCredential | undefined> {
  const file = await readFileOfCredentials(env)
  const before = await storedFor(env, server)
  const others = before.filter(({ account }) => account !== entry.account)
  await write(env, { ...withEntries(file, server, [entry, ...others]), current: server })
  return before.find(({ account }) => account === entry.account)
}

/**
 * @param account default: the one signed in to last. The next latest takes its place
 * @returns what was stored, so that it can be revoked. @throws login.account, login.unsafe, login.damaged, cli.folder
 */
export async function forgetCredential(
  env: Environment,
  server: string,
  account?: string,
): Promise<StoredCredential | undefined> {
  const file = await readFileOfCredentials(env)
  const before = await storedFor(env, server)
  const [latest] = before
  const entry = account === undefined || !latest ? latest : pick(before, account)
  if (!entry) return undefined
  const left = before.filter((one) => one !== entry)
  const { current, ...rest } = withEntries(file, server, left)
  const isGone = current === server && left.length === 0
  await write(env, { ...rest, ...(current && !isGone && { current }) })
  return entry
}

/** @param entries the latest first */
function withEntries(
  file: CredentialsFile,
  server: string,
  [latest, ...further]: readonly StoredCredential[],
): CredentialsFile {
  const { [server]: _, ...servers } = file.servers
  const { [server]: __, ...others } = file.others ?? {}
  return {
    ...file,
    servers: latest ? { ...servers, [server]: latest } : servers,
    others: further.length > 0 ? { ...others, [server]: further } : others,
  }
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
