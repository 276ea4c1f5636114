/**
 * Makes a release of relays: the relay's archive, that of the lock file's Node, the bill of materials, and the list of
 * all, which the key of releases signs. The bytes depend on the source alone and not on who builds where and when:
 * names, times and modes are fixed, and the lock file's Node compresses. `--without-node` leaves Node out, which takes
 * longest; `--out` names another folder than dist/.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { sbomOf } from '@porttunneler/packaging/sbom'
import { buildRelay } from './build.ts'
import { type Archive, releaseList } from './deploy/release-list.ts'
import manifest from './package.json' with { type: 'json' }

const here = import.meta.dirname
const options = {
  'without-node': { type: 'boolean' },
  out: { type: 'string', default: join(here, 'dist') },
} as const
const { 'without-node': withoutNode, out } = parseArgs({ options }).values
const archiveBytesMax = 512 * 1024 * 1024

mkdirSync(out, { recursive: true })
const files = [await packRelay(), ...(withoutNode ? [] : [packNode()])]
writeFileSync(join(out, 'SHA256SUMS'), releaseList(manifest.version, files))

async function packRelay(): Promise<Archive> {
  const folder = mkdtempSync(join(tmpdir(), 'pt-archive-'))
  try {
    const sbom = sbomOf(
      { name: 'porttunneler-relay', version: manifest.version },
      await buildRelay(folder),
      process.versions,
    )
    for (const place of [folder, out]) writeFileSync(join(place, 'sbom.cdx.json'), sbom)
    const deployed = ['nftables.conf', 'porttunneler-relay@.service']
    return pack('relay-vm.tar.gz', ['-C', folder, '.', '-C', join(here, 'deploy'), ...deployed])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function packNode(): Archive {
  const folder = join(here, '../node_modules', `node-linux-${process.arch}`)
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const content = ['--transform', 's,^,node/,', '-C', folder, 'LICENSE', 'bin/node']
  return pack(`node-${version}-linux-${process.arch}.tar.gz`, content)
}

function pack(name: string, content: readonly string[]): Archive {
  const fixed = [
    '--sort=name',
    '--mtime=@0',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=u=rwX,go=rX',
  ]
  const args = [...fixed, '--format=gnu', '-cf', '-', ...content]
  const bytes = gzipSync(execFileSync('tar', args, { maxBuffer: archiveBytesMax }))
  writeFileSync(join(out, name), bytes)
  return { name, bytes }
}
