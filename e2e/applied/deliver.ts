/**
 * Builds what is deployed, and applies the stack with its hashes, as an operator does by the first steps; then each
 * `gcloud storage cp` of those steps copies into a folder that stands for the bucket.
 */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sha256Of } from '@porttunneler/relay-vm/deploy/release-list'
import { buildWhatIsStale } from '../cloud-local/builds.ts'
import { root, runProgram } from '../harness/programs.ts'
import { makeRelease } from '../vm/archives.ts'
import { type Applied, readApplied } from './state.ts'
import { files } from './world.ts'

/** Where this machine has the functions, and the files of a release of relays. */
type Delivered = { readonly functions: string; readonly release: string }

export async function deliver(folder: string): Promise<Applied> {
  const project = `ptun-${randomBytes(4).toString('hex')}`
  await buildWhatIsStale(() => undefined)
  const made: Delivered = { functions: join(folder, 'functions.zip'), release: join(folder, 'release') }
  execFileSync('zip', ['-qr', made.functions, '.'], { cwd: join(root, 'functions/dist') })
  mkdirSync(made.release)
  const bucket = `https://storage.googleapis.com/${project}-archives`
  // Where the first steps put it.
  const release = makeRelease(made.release, (sha256) => `${bucket}/relays-${sha256}`)
  const applied = await apply({
    project,
    functionsArchiveSha256: sha256Of(readFileSync(made.functions)),
    relayArchive: { url: release['ptun-bundle-url'], sha256: release['ptun-bundle-sha256'] },
    nodeArchive: { url: release['ptun-node-url'], sha256: release['ptun-node-sha256'] },
    release: {
      url: release['ptun-release-url'],
      keys: [release['ptun-release-keys']],
      oldest: release['ptun-oldest-release'],
    },
  })
  writeFileSync(join(folder, files.applied), JSON.stringify(applied))
  upload(applied, made, join(folder, files.buckets))
  return applied
}

/** @param facts of the environment, in place of those of prod */
async function apply(facts: object): Promise<Applied> {
  const { exit, stdout, stderr } = await runProgram('node', ['cdktf/offline/apply.ts', 'prod'], {
    input: JSON.stringify(facts),
    deadlineMs: 120_000,
  })
  if (exit.code !== 0) throw new Error(`the stack was not applied:\n${stderr.slice(-4_000)}`)
  return readApplied(stdout)
}

function upload({ steps }: Applied, { functions, release }: Delivered, buckets: string): void {
  const [hash, list] = [functions, join(release, 'SHA256SUMS')].map((file) => sha256Of(readFileSync(file)))
  const lines = steps
    .flatMap(({ commands }) => commands)
    .filter((line) => line.startsWith('gcloud storage cp '))
  for (const command of lines) {
    const line = command
      .replace('$(sha256sum functions/dist/functions.zip | cut -c1-64)', hash ?? '')
      .replace('$(sha256sum relay-vm/dist/SHA256SUMS | cut -c1-64)', list ?? '')
    const words = line
      .split(' ')
      .slice(3)
      .filter((word) => !word.startsWith('--'))
    const place = join(buckets, words.pop()?.replace(/^gs:\/\//, '') ?? '')
    mkdirSync(line.includes('/ ') ? place : dirname(place), { recursive: true })
    for (const word of words) {
      if (word === 'functions/dist/functions.zip') copyFileSync(functions, place)
      else if (word.startsWith('relay-vm/dist/')) cpSync(release, place, { recursive: true })
      else throw new Error(`no step makes ${word}`)
    }
  }
}
