/** What every rule of the control plane is handed: the platform, time, chance, a log, and the operator's settings. */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { PlanName } from './plans.ts'
import type { Platform } from './platform.ts'
import { Signer } from './tickets.ts'

export type Settings = {
  /** Public address of the control plane, without a slash at its end; the `iss` of tickets. */
  readonly issuer: string
  /** Where people sign in and approve devices. */
  readonly consoleUrl: string
  /** Problem documents point to `<docsUrl>/errors/PT-nnnn`. */
  readonly docsUrl: string
  readonly version: string
  /** Whether strangers may make accounts by themselves. */
  readonly registration: boolean
  /** The plan of a new account. */
  readonly defaultPlan: PlanName
  /** What the console needs to sign people in at Firebase; where identity is `firebase`. */
  readonly firebase?: {
    readonly apiKey: string
    readonly authDomain: string
    readonly projectId: string
    /** Besides a password. */
    readonly providers: readonly ('google.com' | 'github.com')[]
    readonly emulatorUrl?: string
  }
}

export type Control = Platform & {
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly log: Log
  readonly settings: Settings
  readonly signer: Signer
}

export function makeControl(
  platform: Platform,
  {
    clock,
    random,
    log,
    settings,
  }: {
    readonly clock: Clock
    readonly random: () => number
    readonly log: Log
    readonly settings: Settings
  },
): Control {
  const { store, vault } = platform
  const signer = new Signer({ store, vault, clock, issuer: settings.issuer })
  return { ...platform, clock, random, log, settings, signer }
}
