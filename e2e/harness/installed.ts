/** Programs and rights of the machine beyond npm packages: which are there, and how to get the missing ones. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Debian keeps PostgreSQL's server programs out of PATH, in a folder for each version. */
const postgresFolders = ['17', '16', '15', '14', '13'].map((version) => `/usr/lib/postgresql/${version}/bin`)

export const authEmulatorFolder = join(import.meta.dirname, '../auth-emulator')

const programs = {
  chromium: { names: ['chromium', 'chromium-browser', 'google-chrome'], install: 'apt-get install chromium' },
  certutil: { names: ['certutil'], install: 'apt-get install libnss3-tools' },
  sshd: { names: ['sshd'], install: 'apt-get install openssh-server' },
  ssh: { names: ['ssh'], install: 'apt-get install openssh-client' },
  sshKeygen: { names: ['ssh-keygen'], install: 'apt-get install openssh-client' },
  psql: { names: ['psql'], install: 'apt-get install postgresql-client' },
  postgres: { names: ['postgres'], install: 'apt-get install postgresql' },
  initdb: { names: ['initdb'], install: 'apt-get install postgresql' },
  ip: { names: ['ip'], install: 'apt-get install iproute2' },
  ss: { names: ['ss'], install: 'apt-get install iproute2' },
  nginx: { names: ['nginx'], install: 'apt-get install nginx' },
  setpriv: { names: ['setpriv'], install: 'apt-get install util-linux' },
  prlimit: { names: ['prlimit'], install: 'apt-get install util-linux' },
  curl: { names: ['curl'], install: 'apt-get install curl' },
  h2load: { names: ['h2load'], install: 'apt-get install nghttp2-client' },
  microsocks: { names: ['microsocks'], install: 'apt-get install microsocks' },
  python3: { names: ['python3'], install: 'apt-get install python3' },
  schemathesis: { names: ['schemathesis'], install: 'pip install schemathesis==4.32.5' },
  pebble: { names: ['pebble'], install: 'apt-get install pebble' },
  pebbleNames: { names: ['pebble-challtestsrv'], install: 'apt-get install pebble' },
  nsenter: { names: ['nsenter'], install: 'apt-get install util-linux' },
  dpkg: { names: ['dpkg-deb'], install: 'use Debian or Ubuntu' },
  openssl: { names: ['openssl'], install: 'apt-get install openssl' },
  terraform: { names: ['terraform'], install: 'https://developer.hashicorp.com/terraform/install' },
  zip: { names: ['zip'], install: 'apt-get install zip' },
  unzip: { names: ['unzip'], install: 'apt-get install unzip' },
  buildah: { names: ['buildah'], install: 'apt-get install buildah' },
  mmdebstrap: { names: ['mmdebstrap'], install: 'apt-get install mmdebstrap' },
  podman: { names: ['podman'], install: 'apt-get install podman netavark aardvark-dns iptables' },
  podmanCompose: { names: ['podman-compose'], install: 'apt-get install podman-compose' },
  nft: { names: ['nft'], install: 'apt-get install nftables' },
} as const

export type Program = keyof typeof programs
/**
 * `mounts`: file systems of the test's own, which needs root and CAP_SYS_ADMIN. `namespaces`: network namespaces with
 * nftables inside, which needs root. `authEmulator`: Firebase's own, whose packages are larger than all others together
 * and so are installed in a folder of their own. `stack`: the cloud stack's packages, which are as large.
 */
export type Need = Program | 'mounts' | 'namespaces' | 'authEmulator' | 'stack'

/** The absolute path, or undefined where it is not installed. */
export function findProgram(program: Program): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', ...postgresFolders]
  return programs[program].names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path))
}

/** The absolute path of a program that the caller has asked for before, by `describeWith` or `missingOf`. */
export function programPath(program: Program): string {
  const path = findProgram(program)
  if (path === undefined) throw new Error(`${program} is not installed: ${installOf(program)}`)
  return path
}

export function installOf(need: Need): string {
  if (need === 'namespaces') return 'run it as root on Linux with nf_tables'
  if (need === 'mounts') return 'run it as root on Linux where it may mount a tmpfs'
  if (need === 'stack') return 'npm ci in cdktf'
  return need === 'authEmulator' ? 'npm ci in e2e/auth-emulator' : programs[need].install
}

/** Those of `needs` that this machine does not have. */
export function missingOf(needs: readonly Need[]): readonly Need[] {
  return needs.filter((need) => !isThere(need))
}

function isThere(need: Need): boolean {
  if (need === 'namespaces') return hasNamespaces()
  if (need === 'mounts') return hasMounts()
  if (need === 'stack') return existsSync(join(import.meta.dirname, '../../cdktf/node_modules'))
  if (need === 'authEmulator') return existsSync(join(authEmulatorFolder, 'node_modules/firebase-tools'))
  return findProgram(need) !== undefined
}

function hasMounts(): boolean {
  return spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/tmp']).status === 0
}

function hasNamespaces(): boolean {
  return spawnSync('unshare', ['--net', 'nft', 'add', 'table', 'inet', 'probe']).status === 0
}

/** "ip missing (apt-get install iproute2)" */
export function sayMissing(missing: readonly Need[]): string {
  const cures = new Set(missing.map(installOf))
  return `${missing.join(', ')} missing (${[...cures].join('; ')})`
}
