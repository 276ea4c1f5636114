/**
 * `npm run trust`: makes the server's local authority, and has this machine trust it. It shows the commands of
 * trust-stores.ts, asks, and then runs them. `--undo` takes out exactly what was put in; `--print` changes nothing.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { makeFolder } from '@porttunneler/shared/base/make-folder'
import { outliveOutputOf } from '@porttunneler/shared/base/outlive-output'
import { isOpenToOthers } from '@porttunneler/shared/base/private-files'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { readSettings, readTextFile, type Settings } from './config.ts'
import { writePrivateFile } from './data-folder.ts'
import {
  type Authority,
  authorityFiles,
  covers,
  localNames,
  makeAuthority,
  readAuthority,
  writeAuthority,
} from './local-authority.ts'
import { failureText, type Paint, paintFor } from './output.ts'
import { type Machine, sayCommand, type TrustStore, trustStores } from './trust-stores.ts'

const usage = `npm run trust [-- --undo | --print] [--yes] [--browsers] [--data <folder>]

Makes a certificate authority for this server alone, and has this machine trust it.
Console, API and tunnels then have HTTPS without warnings.

  --undo      take it out of every store again, and delete it: the server goes back to HTTP
  --print     show the commands, change nothing
  --browsers  leave the system's own list alone: only that needs an administrator
  --yes       do not ask
  --data      the server's data folder (default: data, or PORTTUNNELER_DATA)
`

const options = {
  undo: { type: 'boolean' },
  print: { type: 'boolean' },
  yes: { type: 'boolean' },
  browsers: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  data: { type: 'string' },
} as const

type Wish = {
  readonly undo: boolean
  readonly print: boolean
  readonly yes: boolean
  readonly browsers: boolean
}
type Place = { readonly folder: string; readonly secret: string; readonly root: string }

async function main(): Promise<void> {
  const given = readArgs()
  if (given.help) return say(usage)
  const args = given.data === undefined ? [] : ['--data', given.data]
  const sources = { args, env: process.env, readText: readTextFile, isOpen: isOpenToOthers }
  const settings = readSettings(sources)
  // npm keeps a flag that stands without "--" before it.
  const npmHas = (name: string) => process.env[`npm_config_${name}`] === 'true'
  const wish = {
    undo: given.undo ?? npmHas('undo'),
    print: given.print ?? npmHas('print'),
    yes: given.yes ?? npmHas('yes'),
    browsers: given.browsers ?? npmHas('browsers'),
  }
  await (wish.undo ? undo(settings, wish) : trust(settings, wish))
}

/** @throws standalone.trust */
function readArgs() {
  try {
    return parseArgs({ options }).values
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw fail('standalone.trust', `${why}\n\n${usage.trimEnd()}`, { cause })
  }
}

async function trust({ config, data }: Settings, wish: Wish): Promise<void> {
  if (config.acme || config.certificate)
    throw fail(
      'standalone.trust',
      'The settings give this server certificates already ("acme" or "certificate").',
    )
  const place = placeOf(data)
  const before = readKept(place)
  const names = localNames(config)
  const isKept = before !== undefined && covers(before, names)
  const authority = isKept ? before : makeAuthority(names, systemClock.now())
  if (before && !isKept) {
    say(`The names of this server have changed: the authority of before (${before.names.join(', ')}) goes.\n`)
    if (!(await runAll(storesOf(place, before, wish), 'remove', wish))) return
  }
  say(`An authority for ${names.join(', ')}, the names below, and nothing else: ${place.root}\n`)
  if (wish.print && !isKept) say('It is not made yet; its number will be another one.\n')
  const isNew = !wish.print && !isKept
  if (isNew) write(place, authority)
  const isDone = await runAll(storesOf(place, authority, wish), 'add', wish)
  if (!isDone && isNew) rmSync(place.folder, { recursive: true })
  if (!isDone || wish.print) return
  say(`Done. Start the server (npm start): it has HTTPS now. "npm run trust -- --undo" takes all of this back.
Other devices trust it when you bring them the file root.crt. Keep authority.json to yourself.
`)
}

async function undo({ data }: Settings, wish: Wish): Promise<void> {
  const place = placeOf(data)
  const authority = readKept(place)
  if (!authority) return say('There is no local authority here: nothing to undo.\n')
  if (!(await runAll(storesOf(place, authority, wish), 'remove', wish)) || wish.print) return
  rmSync(place.folder, { recursive: true })
  say('Done. The authority is deleted; the server has HTTP alone when it is started next.\n')
}

function storesOf({ root }: Place, authority: Authority, { browsers }: Wish): readonly TrustStore[] {
  return trustStores(machine, root, authority.root).filter(({ kind }) => !browsers || kind === 'browser')
}

function placeOf(data: string): Place {
  const folder = join(data, authorityFiles.folder)
  return { folder, secret: join(folder, authorityFiles.secret), root: join(folder, authorityFiles.root) }
}

function readKept({ secret }: Place): Authority | undefined {
  const text = readTextFile(secret)
  return text === undefined ? undefined : readAuthority(secret, text)
}

function write({ folder, secret, root }: Place, authority: Authority): void {
  try {
    makeFolder(folder)
    writePrivateFile(root, authority.root)
    writePrivateFile(secret, writeAuthority(authority))
  } catch (cause) {
    throw fail('standalone.trust', `${folder} cannot be written${sayFileError(cause)}`, { cause })
  }
}

/**
 * Shows the commands of all stores, asks, and runs those that are ours to run.
 * @returns false when the person said no
 * @throws standalone.trust
 */
async function runAll(stores: readonly TrustStore[], act: 'add' | 'remove', wish: Wish): Promise<boolean> {
  for (const { name, isRun, note, [act]: commands } of stores) {
    if (commands.length === 0 && note === undefined) continue
    say(`\n${paint('bold', name)}${isRun ? '' : ' (by you)'}\n`)
    for (const words of commands) say(`  ${sayCommand(words)}\n`)
    if (note !== undefined) say(`  ${paint('dim', note)}\n`)
  }
  say('\n')
  const ours = stores.filter(({ isRun }) => isRun).flatMap(({ [act]: commands }) => commands)
  if (wish.print || ours.length === 0) return true
  if (!wish.yes && !(await isAgreed())) {
    say('Nothing was changed.\n')
    process.exitCode = 1
    return false
  }
  for (const words of ours) {
    const problem = run(words)
    if (problem === undefined) continue
    if (act === 'add') throw fail('standalone.trust', problem)
    say(`  ${paint('yellow', problem)} It may have been taken out before.\n`)
  }
  return true
}

async function isAgreed(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    say('There is no terminal to ask at; --yes runs these commands without asking. ')
    return false
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const answer = await terminal.question('Run these commands? [y/N] ')
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    terminal.close()
  }
}

/** @returns what went wrong */
function run(words: readonly string[]): string | undefined {
  const [program = '', ...args] = words
  say(`${paint('dim', '$')} ${sayCommand(words)}\n`)
  const { status, error } = spawnSync(program, args, {
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
  })
  if (error) return `${program} could not be run: ${error.message}.`
  return status === 0 ? undefined : `This command failed (${status}): ${sayCommand(words)}.`
}

const paint: Paint = paintFor(process.stdout)
function say(text: string): void {
  process.stdout.write(text)
}

/** Programs for administrators are not everybody's PATH on Debian. */
const path = [process.env.PATH ?? '', '/usr/sbin', '/sbin'].join(delimiter)

/** A user id without passwd entry and HOME has no browsers either. */
function home(): string {
  try {
    return homedir()
  } catch {
    return '/nonexistent'
  }
}

const machine: Machine = {
  platform: process.platform,
  home: home(),
  isRoot: process.getuid?.() === 0,
  exists: existsSync,
  list: (folder) => (existsSync(folder) ? readdirSync(folder) : []),
  has: (program) => path.split(delimiter).some((folder) => existsSync(join(folder, program))),
}

// Half of the stores must not be left out because nobody reads what it says.
outliveOutputOf(process)
try {
  await main()
} catch (error) {
  if (!isFailure(error)) throw error
  process.stderr.write(`\n${failureText(error, paintFor(process.stderr))}`)
  process.exitCode = 2
}
