/** A real PostgreSQL server on an empty data folder of its own. */
import { execFileSync } from 'node:child_process'
import { chownSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { eventually } from './events.ts'
import { programPath } from './installed.ts'
import { runProgram, startProgram, textOf } from './programs.ts'
import { dial } from './sockets.ts'

export type Postgres = {
  readonly port: number
  /** Path of its unix socket. */
  readonly socket: string
  readonly user: string
  close(): Promise<void>
}

/** @param at its port; default: one that is free */
export async function startPostgres(at?: number): Promise<Postgres> {
  const folder = mkdtempSync(join(tmpdir(), 'ptun-postgres-'))
  const as = servingUser()
  if (as.uid !== undefined && as.gid !== undefined) chownSync(folder, as.uid, as.gid)
  const initdb = realpathSync(programPath('initdb'))
  const port = at ?? (await freePorts(1))[0] ?? 0
  const options = ['-D', folder, '-U', 'tester', '--auth=trust', '-E', 'UTF8', '--locale=C', '--no-sync']
  const made = await runProgram(initdb, options, { ...as, cwd: folder, deadlineMs: 60_000 })
  if (made.exit.code !== 0) throw new Error(`initdb: ${made.stderr}`)
  const settings = ['-D', folder, '-h', '127.0.0.1', '-p', String(port), '-k', folder, '-F']
  const server = await startProgram(join(dirname(initdb), 'postgres'), settings, { ...as, cwd: folder })
  try {
    await eventually('PostgreSQL listens', async () => (await dial({ host: '127.0.0.1', port })).destroy())
  } catch (cause) {
    await server.stop('SIGKILL')
    throw new Error(textOf(server, 'stderr'), { cause })
  }
  return {
    port,
    socket: join(folder, `.s.PGSQL.${port}`),
    user: 'tester',
    close: async () => {
      await server.stop('SIGINT')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** PostgreSQL refuses to run as root: then it runs as `postgres`, or as `nobody` where that user is missing. */
function servingUser(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {}
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (what: string) =>
        Number(execFileSync('id', [what, name], { encoding: 'utf8', stdio: 'pipe' }))
      return { uid: id('-u'), gid: id('-g') }
    } catch {
      // It tries the next name.
    }
  }
  throw new Error('neither postgres nor nobody is a user of this machine')
}
