/** What every rule of the control plane gets: the platform, time, randomness, a log, and the operator's settings. */
import type { TermsDocument } from '../api/schemas/terms.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { RelaySecrets } from './certificates/relay-secrets.ts'
import { ClaimLanes } from './claim-lane.ts'
import { Challenges } from './factors/challenges.ts'
import { Flags } from './flags.ts'
import { FreeEndpoints } from './free-endpoints.ts'
import { kick } from './jobs/kick.ts'
import { OffLinks } from './mail/off-links.ts'
import { Catalogues } from './money/catalogues.ts'
import type { Platform, Store } from './platform.ts'
import { ProxyNetworks } from './proxy-networks.ts'
import { Cells } from './recent-cells.ts'
import type { Registration } from './registration.ts'
import { type AccountStore, scopedStore } from './scoped-store.ts'
import { SignIns } from './sign-ins/sign-ins.ts'
import { Terms } from './terms/terms.ts'
import { Signer } from './tickets.ts'

export type Settings = {
  /** Public address of the control plane, without a final slash; the `iss` of tickets. */
  readonly issuer: string
  /** Where people sign in and approve devices. */
  readonly consoleUrl: string
  /** Problem documents point to `<docsUrl>/errors/PT-nnnn`. */
  readonly docsUrl: string
  readonly version: string
  readonly registration: Registration
  /** Only people whose mail address is proven get keys, and serve tunnels. Default: no. */
  readonly provenMail?: boolean
  /** Services that people can sign in with beside a password; where identity is `local`. */
  readonly services?: readonly { readonly id: string; readonly name: string }[]
  /** Documents that people accept before they change anything. Default: none. */
  readonly terms?: readonly TermsDocument[]
  /** The plan of a new account. */
  readonly defaultPlan: string
  /** What the console needs to sign people in at Firebase; where identity is `firebase`. */
  readonly firebase?: {
    readonly apiKey: string
    readonly authDomain: string
    readonly projectId: string
    /** Providers besides a password. */
    readonly providers: readonly ('google.com' | 'github.com')[]
    /** Services of OpenID Connect, by their names at Identity Platform. */
    readonly issuers?: readonly { readonly id: `oidc.${string}`; readonly name: string }[]
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
  readonly cells: Cells
  readonly lanes: ClaimLanes
  readonly free: FreeEndpoints
  readonly relaySecrets: RelaySecrets
  readonly proxyNetworks: ProxyNetworks
  readonly flags: Flags
  readonly offLinks: OffLinks
  readonly signIns: SignIns
  readonly catalogues: Catalogues
  readonly challenges: Challenges
  readonly terms: Terms
}

/** What an account's calls get: everything, but only that account's part of the store. */
export type AccountControl = Omit<Control, 'store'> & { readonly store: AccountStore }

/** For rules that both use: each read and write names the account itself. */
export type AnyControl = Omit<Control, 'store'> & { readonly store: Omit<Store, 'close'> }

export function controlOf(control: Control, account: string): AccountControl {
  return { ...control, store: scopedStore(control.store, account) }
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
  const { store, vault, bus, identity } = platform
  const signer = new Signer({ store, vault, clock, issuer: settings.issuer })
  return {
    ...platform,
    clock,
    random,
    log,
    settings,
    signer,
    cells: new Cells(store, clock),
    lanes: new ClaimLanes(),
    free: new FreeEndpoints(),
    relaySecrets: new RelaySecrets({ store, vault }),
    proxyNetworks: new ProxyNetworks({ store, clock }),
    flags: new Flags({ store, clock, log }),
    offLinks: new OffLinks({ store, vault }),
    signIns: new SignIns({ store, clock, log, identity, kick: (ids) => kick({ bus, log }, ids) }),
    catalogues: new Catalogues({ store, clock, log }),
    challenges: new Challenges({ store, vault, clock }),
    terms: new Terms({ store, clock, settings }),
  }
}
