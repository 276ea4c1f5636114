/**
 * Makes the image that ours stand on: glibc, libstdc++ and which Debian it is, from Debian's own packages with their
 * security updates. It has no program at all, so there is no shell to get into and nothing to fetch with. `mmdebstrap`
 * lays it out: it needs no container engine, takes fixes from their own archives, and makes the same bytes each time
 * (docs/decisions/0076). Scanners find the packages in /var/lib/dpkg/status.d.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { type Builder, buildImage } from './image-builder.ts'

/** Node wants these alone. base-files says which Debian it is, and has the folders. */
const packages = ['base-files', 'libc6', 'libstdc++6'] as const
/** Programs of these packages, and what only programs that we do not have would read. */
const leftOut = ['/usr/bin/*', '/usr/sbin/*', '/usr/lib/*/gconv/*', '/usr/share/*'] as const
const kept = '/usr/share/doc/*/copyright'
/** One file for each package, as images without dpkg have them. */
const noteDebs = `mkdir "$1/var/lib/dpkg/status.d"
for deb in "$1"/var/cache/apt/archives/*.deb; do
  dpkg-deb --field "$deb" >"$1/var/lib/dpkg/status.d/$(dpkg-deb --field "$deb" Package)"
done`
/** These describe the machine that builds it, or belong to apt, which is not in it. */
const removed = [
  'dev',
  'etc/apt',
  'etc/dpkg/dpkg.cfg.d',
  'etc/fstab',
  'etc/hostname',
  'etc/resolv.conf',
  'var/cache/apt',
  'var/lib/apt',
  'var/log/apt',
]

export type Base = {
  readonly tag: string
  /** Name and version of each package inside, by name. */
  readonly packages: readonly string[]
}

/**
 * @param suite Debian's name of a release, such as `trixie`
 * @param folder an empty one
 * @throws when mmdebstrap is missing or fails
 */
export function buildBase(builder: Builder, suite: string, folder: string): Base {
  if (spawnSync('mmdebstrap', ['--version']).error !== undefined)
    throw new Error('mmdebstrap is not installed: apt-get install mmdebstrap, or name a base by --base')
  const root = join(folder, 'root')
  const options = [
    ...['--quiet', '--mode=root', '--format=directory', '--variant=extract'],
    `--include=${packages.join(',')}`,
    ...leftOut.map((path) => `--dpkgopt=path-exclude=${path}`),
    `--dpkgopt=path-include=${kept}`,
    `--extract-hook=${noteDebs}`,
  ]
  execFileSync('mmdebstrap', [...options, suite, root], { stdio: ['ignore', process.stderr, 'inherit'] })
  for (const path of removed) rmSync(join(root, path), { recursive: true, force: true })
  mkdirSync(join(root, 'dev'))
  // Without it glibc asks the DNS before /etc/hosts, where engines write the names of containers.
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files dns\n')
  execFileSync('find', [root, '-exec', 'touch', '--no-dereference', '--date=@315532800', '{}', '+'])
  const file = join(folder, 'base.Dockerfile')
  writeFileSync(file, 'FROM scratch\nCOPY root/ /\n')
  const tag = `localhost/porttunneler-base:${suite}`
  buildImage(builder, { file, context: folder, tag })
  return { tag, packages: packagesIn(join(root, 'var/lib/dpkg/status.d')) }
}

function packagesIn(folder: string): readonly string[] {
  return readdirSync(folder)
    .sort()
    .map((name) => {
      const [, version] = /^Version: (.+)$/m.exec(readFileSync(join(folder, name), 'utf8')) ?? []
      return `${name} ${version}`
    })
}
