/** Where ptun keeps its files: the XDG Base Directory folders. Only the user can read them. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { fail } from '@porttunneler/shared/base/errors'
import { closeToOthers } from '@porttunneler/shared/base/private-files'
import { sayFileError } from '@porttunneler/shared/base/system-errors'

export type Environment = Readonly<Record<string, string | undefined>>

const folderName = 'porttunneler'

/** Credentials. @throws cli.folder without a home */
export function configFolder(env: Environment): string {
  return join(xdg(env, 'XDG_CONFIG_HOME') ?? join(home(env), '.config'), folderName)
}

/** The agent's id and its last leases; losing them does no harm. @throws cli.folder without a home */
export function stateFolder(env: Environment): string {
  return join(xdg(env, 'XDG_STATE_HOME') ?? join(home(env), '.local', 'state'), folderName)
}

/**
 * Status sockets of running agents; if the system has no runtime folder, below the state folder.
 * @throws cli.folder
 */
export function runtimeFolder(env: Environment): string {
  const given = xdg(env, 'XDG_RUNTIME_DIR')
  return given ? join(given, folderName) : join(stateFolder(env), 'run')
}

/** The specification says that relative paths are to be ignored. */
function xdg(env: Environment, name: string): string | undefined {
  const value = env[name]
  return value && isAbsolute(value) ? value : undefined
}

/** A container may run as a user id without a passwd entry and without HOME. @throws cli.folder */
function home(env: Environment): string {
  if (env.HOME) return env.HOME
  try {
    return homedir()
  } catch (cause) {
    throw fail(
      'cli.folder',
      'This user has no home folder: HOME is not set, and no passwd entry names one.',
      {
        cause,
      },
    )
  }
}

/**
 * Makes a folder that only the user can enter.
 * @throws cli.folder
 */
export async function makePrivateFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    closeToOthers(folder)
  } catch (cause) {
    throw fail('cli.folder', `${folder} cannot be made${sayFileError(cause)}`, { cause })
  }
}

/**
 * Replaces a file in one step, mode 0600, so that no reader sees half of it and nobody else sees any of it.
 * @throws cli.folder
 */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  await makePrivateFolder(dirname(path))
  const next = `${path}.${process.pid}.new`
  try {
    // A leftover of the same name would keep its mode, and a process that has it open would read along.
    await rm(next, { force: true })
    await writeFile(next, text, { mode: 0o600, flag: 'wx' })
    await rename(next, path)
  } catch (cause) {
    // If nothing can be written there is nothing to remove either; report the first reason.
    await rm(next, { force: true }).catch(() => undefined)
    throw fail('cli.folder', `${path} cannot be written${sayFileError(cause)}`, { cause })
  }
}

export function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? String(error)
}
