/**
 * The stores of trusted authorities on a machine, and the commands that put a root into each and take it out again. It
 * only looks and says; trust.ts runs the commands. Those of macOS and Windows have never run in our tests, so nothing
 * runs them: a person reads and enters them.
 */
import { X509Certificate } from 'node:crypto'
import { basename, join } from 'node:path'

export type TrustStore = {
  readonly kind: 'system' | 'browser'
  readonly name: string
  /** The commands in order, as words. */
  readonly add: readonly (readonly string[])[]
  readonly remove: readonly (readonly string[])[]
  /** Whether `npm run trust` runs them; otherwise a person does. */
  readonly isRun: boolean
  /** Something that a person has to know or do. */
  readonly note?: string
}

/** What it needs to know of the machine. */
export type Machine = {
  readonly platform: string
  readonly home: string
  readonly isRoot: boolean
  exists(path: string): boolean
  /** The names in a folder, [] when there is none. */
  list(folder: string): readonly string[]
  /** Whether a program is installed. */
  has(program: string): boolean
}

/** @param rootFile the PEM file of the root @param root its text */
export function trustStores(machine: Machine, rootFile: string, root: string): readonly TrustStore[] {
  const { fingerprint, subject } = new X509Certificate(root)
  const sha1 = fingerprint.replaceAll(':', '')
  const mark: Mark = { rootFile, sha1, nick: subject.replace(/^CN=/, '') }
  if (machine.platform === 'darwin') return [keychain(mark), ...firefox(machine, mark)]
  if (machine.platform === 'win32') return [windowsStore(mark), ...firefox(machine, mark)]
  return [linuxStore(machine, mark), chromium(machine, mark), ...firefox(machine, mark)]
}

type Mark = {
  readonly rootFile: string
  readonly sha1: string
  /** Its name in NSS, which no other root has. */
  readonly nick: string
}

/** By the folder for further roots, and the command that reads it. */
const linuxFolders = [
  { folder: '/usr/local/share/ca-certificates', update: ['update-ca-certificates'] },
  { folder: '/etc/pki/ca-trust/source/anchors', update: ['update-ca-trust', 'extract'] },
  { folder: '/etc/ca-certificates/trust-source/anchors', update: ['trust', 'extract-compat'] },
] as const

function linuxStore(machine: Machine, { rootFile, nick }: Mark): TrustStore {
  const name = 'System (curl, and programs that use its list)'
  const found = linuxFolders.find(
    ({ folder, update: [program] }) => machine.exists(folder) && machine.has(program),
  )
  if (!found) {
    const note = 'No list of authorities was found that we know (package ca-certificates).'
    return { kind: 'system', name, add: [], remove: [], isRun: false, note }
  }
  const target = join(found.folder, `${nick.replaceAll(' ', '-').toLowerCase()}.crt`)
  const asRoot = machine.isRoot ? [] : ['sudo']
  const update = [...asRoot, ...found.update]
  return {
    ...{ kind: 'system', name },
    add: [[...asRoot, 'install', '-m', '0644', rootFile, target], update],
    remove: [[...asRoot, 'rm', '-f', target], update],
    isRun: true,
  }
}

function chromium(machine: Machine, mark: Mark): TrustStore {
  const name = 'Chromium and Chrome'
  const folder = join(machine.home, '.pki/nssdb')
  const isThere = machine.exists(join(folder, 'cert9.db'))
  const make = [
    ['mkdir', '-p', folder],
    ['certutil', '-d', `sql:${folder}`, '-N', '--empty-password'],
  ]
  const { add, remove } = inNss(folder, mark)
  const store = {
    kind: 'browser',
    name,
    add: isThere ? [add] : [...make, add],
    remove: isThere ? [remove] : [],
  } as const
  if (machine.has('certutil')) return { ...store, isRun: true }
  const note =
    'The program certutil is missing: install it (libnss3-tools, nss-tools or nss) and run this again.'
  return { ...store, isRun: false, note }
}

/** Only printed: Firefox writes its profiles while it runs. */
function firefox({ platform, home, exists, list }: Machine, mark: Mark): readonly TrustStore[] {
  const folders: Readonly<Record<string, readonly string[]>> = {
    darwin: ['Library/Application Support/Firefox/Profiles'],
    win32: ['AppData/Roaming/Mozilla/Firefox/Profiles'],
  }
  const parents = folders[platform] ?? ['.mozilla/firefox', 'snap/firefox/common/.mozilla/firefox']
  const profiles = parents
    .map((parent) => join(home, parent))
    .flatMap((parent) => list(parent).map((profile) => join(parent, profile)))
    .filter((profile) => exists(join(profile, 'cert9.db')))
  return profiles.map((profile) => {
    const { add, remove } = inNss(profile, mark)
    const note = 'Close Firefox first. Or import the file in its settings: Certificates, Authorities.'
    return {
      kind: 'browser',
      name: `Firefox (${basename(profile)})`,
      add: [add],
      remove: [remove],
      isRun: false,
      note,
    }
  })
}

function inNss(folder: string, { rootFile, nick }: Mark) {
  const database = ['certutil', '-d', `sql:${folder}`]
  return {
    add: [...database, '-A', '-t', 'C,,', '-n', nick, '-i', rootFile],
    remove: [...database, '-D', '-n', nick],
  }
}

const notRun = 'Not run: these commands are not tested by us. Read them, then enter them yourself.'

function keychain({ rootFile, sha1 }: Mark): TrustStore {
  const chain = '/Library/Keychains/System.keychain'
  const add = ['sudo', 'security', 'add-trusted-cert', '-d', '-r', 'trustRoot', '-k', chain, rootFile]
  const remove = ['sudo', 'security', 'delete-certificate', '-Z', sha1, '-t', chain]
  return {
    kind: 'system',
    name: 'macOS (Safari, Chrome, curl)',
    add: [add],
    remove: [remove],
    isRun: false,
    note: notRun,
  }
}

function windowsStore({ rootFile, sha1 }: Mark): TrustStore {
  const add = ['certutil', '-user', '-addstore', 'Root', rootFile]
  const remove = ['certutil', '-user', '-delstore', 'Root', sha1]
  return {
    kind: 'system',
    name: 'Windows (Edge, Chrome, curl)',
    add: [add],
    remove: [remove],
    isRun: false,
    note: notRun,
  }
}

/** A command as a person would type it. */
export function sayCommand(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ')
}
