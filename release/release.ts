/** What every step of a release gets, and what a step is. */
import type { Clock } from '@porttunneler/shared/base/clock'
import type { Environment } from '../cdktf/environment.ts'
import type { Run } from './command.ts'
import type { Records, UnderWay } from './record.ts'

export type Wishes = {
  readonly allowDestroy: boolean
  /** How long the new version is watched while it has a small part of the calls. */
  readonly watchMinutes: number
  /** Variables with secrets that are set for Terraform already. */
  readonly given: readonly string[]
}

export type Release = {
  readonly environment: Environment
  readonly wishes: Wishes
  readonly run: Run
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly records: Records
  /** Makes a folder of the checkout, for files that a program writes. */
  makeFolder(path: string): void
  /** A remark for the person who reads along. */
  say(text: string): void
  /** How far it is, as stored. */
  readonly state: UnderWay
  /** Changes that and stores it before anything else happens. */
  note(change: Partial<UnderWay>): Promise<void>
}

export type Step = {
  readonly name: string
  readonly title: string
  /**
   * Its files are on this machine alone: a release that goes on does it again unless this later step is done.
   * Undefined: what it did is in the cloud.
   */
  readonly neededUntil?: string
  /** Can be repeated after a crash at any point of it. */
  run(release: Release): Promise<void>
}

/** The functions' services, in their region. */
export function inRegion({
  environment: { project, region },
}: Pick<Release, 'environment'>): readonly string[] {
  return [`--region=${region}`, `--project=${project}`]
}
