/**
 * `npm run docs:check [-- guides/ssh.md]`: runs the examples of the documents as they stand, against a real server with
 * its usual ports. All of it is in a network of its own (Linux, `unshare`), where these ports are free and nothing
 * outside can be reached. It prints a line for each page and ends with 1 where an example fails.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fencesOf } from '../../site/fences.ts'
import { missingOf, sayMissing } from '../harness/installed.ts'
import { root } from '../harness/programs.ts'
import { firstLogin, startStandalone, temporaryFolder } from '../harness/standalone.ts'
import { runPage } from './page.ts'
import { surroundings } from './surroundings.ts'

const isInside = process.env.PT_DOCS_NETWORK === 'own'
const wanted = process.argv.slice(2)
process.exitCode = isInside ? await checkPages(wanted) : enterNetwork()

/** Starts this program again, in a network that has only a loopback. */
function enterNetwork(): number {
  const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user']
  const inside = [
    'sh',
    '-c',
    'ip link set lo up && exec "$@"',
    'sh',
    process.execPath,
    ...process.argv.slice(1),
  ]
  const { status, error } = spawnSync('unshare', ['--net', ...asRoot, ...inside], {
    stdio: 'inherit',
    env: { ...process.env, PT_DOCS_NETWORK: 'own' },
  })
  if (error) process.stderr.write(`The examples need Linux with unshare and ip: ${error.message}\n`)
  return status ?? 1
}

async function checkPages(named: readonly string[]): Promise<number> {
  const pages = named.length > 0 ? named : pagesWithExamples()
  const folder = temporaryFolder('docs-server')
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  const server = await startStandalone({ folder: data, env: { PORTTUNNELER_DEMO: 'false' } })
  let failed = 0
  let ran = 0
  try {
    const { api, key } = await firstLogin(server)
    for (const page of pages) {
      const outcome = await checkPage(page, { folder, env: { PTUN_SERVER: api, PTUN_KEY: key } })
      ran += outcome.ran
      failed += outcome.failed
    }
  } finally {
    await server.program.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  say(`${ran - failed} examples passed, ${failed} failed`)
  return failed === 0 && ran > 0 ? 0 : 1
}

function pagesWithExamples(): readonly string[] {
  const docs = join(root, 'docs')
  return readdirSync(docs, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .filter((path) => fencesOf(readFileSync(join(docs, path), 'utf8')).some(({ mark }) => mark === 'run'))
    .sort()
}

type Where = { readonly folder: string; readonly env: Readonly<Record<string, string>> }

async function checkPage(page: string, { folder, env }: Where): Promise<{ ran: number; failed: number }> {
  const around = surroundings[page]
  const missing = missingOf(around?.needs ?? [])
  if (missing.length > 0) {
    say(`left out ${page}: ${sayMissing(missing)}`)
    return { ran: 0, failed: process.env.CI ? 1 : 0 }
  }
  const started = await around?.start()
  try {
    const programs = writePrograms(folder, started?.ssh ?? [])
    // Python keeps what it prints to itself where no terminal is.
    const all = { ...env, PATH: `${programs}:${process.env.PATH}`, PYTHONUNBUFFERED: '1', NO_COLOR: '1' }
    const { ran, shown, failures } = await runPage(page, all, around?.look)
    for (const failure of failures) say(failure)
    const notRun = shown.length > 0 ? `, ${shown.length} not run` : ''
    say(`${failures.length === 0 ? 'passed' : 'FAILED'} ${page}: ${ran} run${notRun}`)
    return { ran, failed: failures.length }
  } finally {
    await started?.stop()
  }
}

/** `npx` and `ptun` run this checkout, and what npm has installed here; `ssh` has the key of the test. */
function writePrograms(folder: string, sshOptions: readonly string[]): string {
  const programs = join(folder, 'programs')
  mkdirSync(programs, { recursive: true })
  const ptun = `exec node ${join(root, 'cli/ptun.js')} "$@"`
  const texts = {
    ptun,
    npx: `if [ "$1" = porttunneler ]; then shift; ${ptun}; fi\nexec "${join(root, 'node_modules/.bin')}/$@"`,
    ssh: `exec /usr/bin/ssh ${sshOptions.join(' ')} "$@"`,
    node: `exec ${process.execPath} "$@"`,
  }
  for (const [name, text] of Object.entries(texts)) {
    writeFileSync(join(programs, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(programs, name), 0o755)
  }
  return programs
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
