/**
 * Programs that a test needs beyond npm packages. On a bare machine such a test is left out with one line
 * that says what is missing and how to get it; where CI=true everything has to be there, so a missing one
 * fails.
 */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, test } from 'vitest'

/** Debian keeps PostgreSQL's server programs out of PATH, in a folder for each version. */
const postgresFolders = ['17', '16', '15', '14', '13'].map((version) => `/usr/lib/postgresql/${version}/bin`)

const programs = {
  chromium: { names: ['chromium', 'chromium-browser', 'google-chrome'], install: 'apt-get install chromium' },
  sshd: { names: ['sshd'], install: 'apt-get install openssh-server' },
  ssh: { names: ['ssh'], install: 'apt-get install openssh-client' },
  sshKeygen: { names: ['ssh-keygen'], install: 'apt-get install openssh-client' },
  psql: { names: ['psql'], install: 'apt-get install postgresql-client' },
  postgres: { names: ['postgres'], install: 'apt-get install postgresql' },
  initdb: { names: ['initdb'], install: 'apt-get install postgresql' },
} as const

export type Program = keyof typeof programs

/** The absolute path, or undefined where it is not installed. */
function findProgram(program: Program): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', ...postgresFolders]
  return programs[program].names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path))
}

/** The absolute path of a program that the surrounding `describeWith` has asked for. */
export function programPath(program: Program): string {
  const path = findProgram(program)
  if (path === undefined) throw new Error(`${program} is not installed: ${programs[program].install}`)
  return path
}

/** A `describe` whose tests need programs. */
export function describeWith(needs: readonly Program[], name: string, body: () => void): void {
  const missing = needs.filter((program) => findProgram(program) === undefined)
  if (missing.length === 0) return void describe(name, body)
  const cures = new Set(missing.map((program) => programs[program].install))
  const says = `${missing.join(', ')} missing (${[...cures].join('; ')})`
  if (process.env.CI === 'true') {
    test(`${name}: needs ${missing.join(', ')}`, () => {
      throw new Error(says)
    })
    return
  }
  process.stderr.write(`left out: ${name}: ${says}\n`)
  describe.skipIf(true)(name, body)
}
