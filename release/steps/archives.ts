/**
 * Builds what is deployed, and brings it to where Google and the VMs fetch it from. Builds are reproducible, so the
 * hashes also prove that a release that goes on elsewhere is the same.
 */
import { fail } from '@porttunneler/shared/base/errors'
import { archivesBucket, functionsObject, releaseKey, sourcesBucket } from '../../cdktf/names.ts'
import type { Step } from '../release.ts'

const functionsFile = 'functions/dist/functions.zip'
const relayFolder = 'relay-vm/dist'
/** Names the archives of relays with their hashes; it is what is signed, and what VMs look at first. */
export const relayList = `${relayFolder}/SHA256SUMS`
const signature = `${relayList}.sig`
/** Bills of materials of what is not an archive that strangers fetch: they are published by commit. */
export const bills = { functions: 'functions/dist/sbom.cdx.json', console: 'web/sbom.cdx.json' } as const

export const build: Step = {
  name: 'build',
  title: 'Console, functions and relay are built from the commit',
  neededUntil: 'web',
  async run({ run, note, state }) {
    const npm = (why: string, ...args: string[]) => run({ program: 'npm', args, why, minutes: 20 })
    await npm('exactly the packages of the lock file', 'ci')
    await npm('those of the cloud stack too', 'ci', '--prefix', 'cdktf')
    await npm('the console', 'run', '--silent', 'build', '-w', 'web')
    await npm('the archives of relays, and Node for them', 'run', '--silent', 'archive', '-w', 'relay-vm')
    await npm('the archive of functions', 'run', '--silent', 'archive', '-w', 'functions')
    const sums = await run({ program: 'sha256sum', args: [functionsFile, relayList], why: 'what they are' })
    const hashOf = (file: string) => {
      const line = sums.split('\n').find((one) => one.endsWith(`  ${file}`))
      const hash = line?.slice(0, 64) ?? ''
      if (!/^[0-9a-f]{64}$/.test(hash)) throw fail('release.answer', `sha256sum has no line for ${file}`)
      return hash
    }
    const archives = { functions: hashOf(functionsFile), relays: hashOf(relayList) }
    const { archives: known = archives } = state
    if (known.functions !== archives.functions || known.relays !== archives.relays)
      throw fail('release.differs', `Commit ${state.commit} gave other archives here than where it was begun`)
    await note({ archives })
  },
}

export const upload: Step = {
  name: 'upload',
  title: 'The archives are signed, and where they are fetched from',
  async run({ run, environment, state }) {
    if (!state.archives) throw new Error('Archives are uploaded before they are built')
    const { functions, relays } = state.archives
    const { project, region } = environment
    await run({
      program: 'gcloud',
      args: [
        ...['kms', 'asymmetric-sign', `--key=${releaseKey.name}`, `--keyring=${releaseKey.ring}`],
        ...[`--version=${releaseKey.version}`, `--location=${region}`, `--project=${project}`],
        ...[`--input-file=${relayList}`, `--signature-file=${signature}`],
      ],
      why: 'relay VMs run only what this key has signed',
    })
    // What is there already is the same: the names have the hashes.
    const copy = (why: string, from: string, to: string) =>
      run({
        program: 'gcloud',
        args: ['storage', 'cp', from, `gs://${to}`, '--no-clobber'],
        why,
        minutes: 15,
      })
    await copy('functions', functionsFile, `${sourcesBucket(environment)}/${functionsObject(functions)}`)
    const folder = `${archivesBucket(environment)}/relays-${relays}/`
    await copy('the relay and Node', `${relayFolder}/*.tar.gz`, folder)
    await copy('what they consist of', `${relayFolder}/sbom.cdx.json`, folder)
    await copy('their list and its signature', `${relayFolder}/SHA256SUMS*`, folder)
    for (const [part, file] of Object.entries(bills))
      await copy(
        `packages inside: ${part}`,
        file,
        `${archivesBucket(environment)}/bills/${state.commit}/${part}.cdx.json`,
      )
  },
}
