/**
 * Names that the stack shares with the programs. What the programs have a name for comes from them; the rest is made
 * here once, from the environment alone, so that one stack can refer to what another made without reading its state.
 */
import { createHash } from 'node:crypto'
import type { Cell, Environment } from './environment.ts'

/** Accounts that programs run as. An account's name has 6 to 30 characters. */
export const functionAccounts = {
  api: 'fn-api',
  onJobs: 'fn-jobs',
  onRelayEvent: 'fn-relay-event',
  onSchedule: 'fn-schedule',
  stripeWebhook: 'fn-stripe',
} as const

export const accounts = {
  trigger: 'fn-trigger',
  scheduler: 'fn-scheduler',
  build: 'fn-build',
  release: 'release',
} as const

export function relayAccount({ id }: Cell): string {
  return `relay-${id}`
}

export function emailOf({ project }: Environment, account: string): string {
  return `${account}@${project}.iam.gserviceaccount.com`
}

/** Google's own agents, which exist once a first step or an API made them. */
export function agentOf({ projectNumber }: Environment, service: string): string {
  return `serviceAccount:service-${projectNumber}@gcp-sa-${service}.iam.gserviceaccount.com`
}

export const keyRing = 'porttunneler'
export const signingKey = 'signing'

export function kmsKeyPath({ project, region }: Environment): string {
  return `projects/${project}/locations/${region}/keyRings/${keyRing}/cryptoKeys/${signingKey}`
}

/** One VM: a group of one instance, with subscriptions of its own. */
export type Vm = {
  readonly cell: Cell
  readonly zone: string
  /** Its group, template and slots have it too: `relay-eu-b`. */
  readonly name: string
}

export function vmsOf(cell: Cell): readonly Vm[] {
  return cell.zones.map((zone) => ({
    cell,
    zone,
    name: `relay-${cell.id}-${zone.slice(cell.region.length + 1)}`,
  }))
}

/** The key of a relay's subscription: the VM's name and the relay's number on it. */
export function slotsOf({ cell, name }: Vm): readonly string[] {
  return Array.from({ length: cell.relays }, (_, index) => `${name}.${index + 1}`)
}

export const network = 'porttunneler'

export function subnetOf(region: string): string {
  return `relays-${region}`
}

/** Terraform's state is there; a first step makes it. */
export function stateBucket({ project }: Environment): string {
  return `${project}-terraform`
}

export function archivesBucket({ project }: Environment): string {
  return `${project}-archives`
}

export function sourcesBucket({ project }: Environment): string {
  return `${project}-functions`
}

/** The only one whose tokens Google takes. */
export const releaseWorkflow = '.github/workflows/release.yml'

/** In KMS, made by a first step; only releases and their operator may sign with it. */
export const releaseKey = { ring: 'releases', name: 'release', version: 1 } as const

export function releaseKeyPath({ project, region }: Environment): string {
  return `projects/${project}/locations/${region}/keyRings/${releaseKey.ring}/cryptoKeys/${releaseKey.name}`
}

/** Secrets that a release reads besides those of the stack. First steps make them, outside the state. */
export const releaseSecrets = {
  smokeKey: 'release-smoke-key',
  cloudflareToken: 'release-cloudflare-token',
} as const

/** Names have the content's hash: otherwise a new release would not be noticed, and an old one would be gone. */
export function functionsObject(sha256: string): string {
  return `functions-${sha256}.zip`
}

/** @param list the text of the relays' SHA256SUMS */
export function relaysFolder(list: string): string {
  return `relays-${createHash('sha256').update(list).digest('hex')}`
}

/** Ports of a relay VM that the firewall opens, beside those of visitors. */
export const ownPort = 8444
export const httpPort = 80
export const tlsPort = 443

/** Two for each relay: TLS and plain. */
export function ownPorts({ relays }: Cell): string {
  return `${ownPort}-${ownPort + 2 * relays - 1}`
}
