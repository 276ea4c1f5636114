import { z } from 'zod'
import { type Environment, environmentSchema } from './environment.ts'
import { dev } from './environments/dev.ts'
import { prod } from './environments/prod.ts'
import { staging } from './environments/staging.ts'
import { archivesBucket, relaysFolder } from './names.ts'

export const environments = { dev, staging, prod } as const
export type EnvironmentName = keyof typeof environments

/** @throws Error with every fault and its place */
export function readEnvironment(name: string): Environment {
  const input = Object.entries(environments).find(([known]) => known === name)?.[1]
  if (!input) throw new Error(`No environment ${name}: ${Object.keys(environments).join(', ')}`)
  const parsed = environmentSchema.safeParse(input)
  if (!parsed.success) throw new Error(`cdktf/environments/${name}.ts:\n${z.prettifyError(parsed.error)}`)
  return parsed.data
}

/** Archives of a release, which count instead of those that the file of the environment names. */
export type Deployed = {
  /** SHA-256 of the archive of functions. */
  readonly functions: string
  /** The text of the relays' SHA256SUMS. */
  readonly relays: string
}

/**
 * The environment with what a release deploys. The archives of relays are in a folder that has the hash of their list,
 * so that a later release leaves them as they are.
 * @throws Error when the list does not name both archives
 */
export function withDeployed(environment: Environment, { functions, relays }: Deployed): Environment {
  const folder = `https://storage.googleapis.com/${archivesBucket(environment)}/${relaysFolder(relays)}`
  const archive = (name: RegExp) => {
    const found = [...relays.matchAll(/^([0-9a-f]{64}) {2}(\S+)$/gm)].find(([, , file = '']) =>
      name.test(file),
    )
    if (!found) throw new Error(`The list of relays' archives has none like ${name}`)
    return { url: `${folder}/${found[2]}`, sha256: found[1] }
  }
  return environmentSchema.parse({
    ...environment,
    functionsArchiveSha256: functions,
    relayArchive: archive(/^relay-vm\.tar\.gz$/),
    nodeArchive: archive(/^node-[\w.-]+\.tar\.gz$/),
    release: { ...environment.release, url: `${folder}/SHA256SUMS` },
  })
}
