/**
 * Makes a release of relays in dist/: the relay's archive, that of the lock file's Node, and the list of both, which
 * the key of releases signs. The bytes depend on the source alone and not on who builds where and when: names, times
 * and modes are fixed, and the lock file's Node compresses. `--without-node` leaves Node out, which takes longest.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { type Archive, releaseList } from './deploy/release-list.ts'
import manifest from './package.json' with { type: 'json' }

const here = import.meta.dirname
const dist = join(here, 'dist')
const { values } = parseArgs({ options: { 'without-node': { type: 'boolean', default: false } } })

execFileSync(process.execPath, [join(here, 'build.ts')], { stdio: ['ignore', 'inherit', 'inherit'] })
const archives = [
  pack('relay-vm.tar.gz', ['-C', dist, '.', '-C', join(here, 'deploy'), 'nftables.conf', 'porttunneler-relay@.service']),
]
if (!values['without-node']) {
  const runtime = join(here, '../node_modules', `node-linux-${process.arch}`)
  const name = `node-${process.versions.node}-linux-${process.arch}.tar.gz`
  archives.push(pack(name, ['--transform', 's,^,node/,', '-C', runtime, 'LICENSE', 'bin/node']))
}
writeFileSync(join(dist, 'SHA256SUMS'), releaseList(manifest.version, archives))

function pack(name: string, content: readonly string[]): Archive {
  const fixed = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX']
  const tar = execFileSync('tar', [...fixed, '--format=gnu', '-cf', '-', ...content], { maxBuffer: 512 * 1024 * 1024 })
  const bytes = gzipSync(tar)
  writeFileSync(join(dist, name), bytes)
  return { name, bytes }
}
