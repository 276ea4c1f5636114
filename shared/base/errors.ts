/**
 * The one error class and the one table of codes. Everything a user can meet carries a code `PT-nnnn` that never
 * changes its meaning; API problems, CLI messages, visitor pages and RESET frames all speak the same numbers.
 * Code names failures by key (`lease.held`), people by number (`PT-2101`); docs/errors/ has a page for each number.
 */
import { abuseCodes } from './codes/abuse.ts'
import { accountCodes } from './codes/account.ts'
import { agentCodes } from './codes/agents.ts'
import { alertCodes } from './codes/alerts.ts'
import { apiCodes } from './codes/api.ts'
import { backupCodes } from './codes/backup.ts'
import { certificateCodes } from './codes/certificates.ts'
import { cliCodes } from './codes/cli.ts'
import { cloudCodes } from './codes/cloud.ts'
import { domainCodes } from './codes/domains.ts'
import { factorCodes } from './codes/factors.ts'
import { hostCodes } from './codes/host.ts'
import { httpVisitorCodes } from './codes/http.ts'
import { inspectorCodes } from './codes/inspector.ts'
import { leaseCodes } from './codes/lease.ts'
import { logCodes } from './codes/logs.ts'
import { nameCodes } from './codes/names.ts'
import { operatorCodes } from './codes/operator.ts'
import { peopleCodes } from './codes/people.ts'
import { planCodes } from './codes/plan.ts'
import { releaseCodes } from './codes/release.ts'
import { socialCodes } from './codes/social.ts'
import { standaloneCodes } from './codes/standalone.ts'
import { teamCodes } from './codes/team.ts'
import { terminalCodes } from './codes/terminal.ts'
import { termsCodes } from './codes/terms.ts'
import { upstreamCodes } from './codes/upstream.ts'
import { viewCodes } from './codes/views.ts'
import { visitorCodes } from './codes/visitor.ts'
import { wireCodes } from './codes/wire.ts'

/** One row of the catalogue. `http` is the status an API or visitor page answers with; `exit` the CLI's exit code. */
export type ErrorEntry = {
  readonly code: `PT-${number}`
  readonly http: number
  readonly exit: number
  /**
   * now: the same call may work at once; later: after a pause or `Retry-After`; never: only after something is changed.
   */
  readonly retry: 'now' | 'later' | 'never'
  /** Who can mend it. */
  readonly owner: 'user' | 'operator' | 'peer' | 'upstream' | 'service'
  readonly title: string
  readonly cause: string
  readonly cure: string
}

export const codes = {
  ...alertCodes,
  ...logCodes,
  ...apiCodes,
  ...accountCodes,
  ...socialCodes,
  ...factorCodes,
  ...teamCodes,
  ...planCodes,
  ...peopleCodes,
  ...viewCodes,
  ...leaseCodes,
  ...agentCodes,
  ...nameCodes,
  ...abuseCodes,
  ...domainCodes,
  ...certificateCodes,
  ...wireCodes,
  ...httpVisitorCodes,
  ...visitorCodes,
  ...hostCodes,
  ...standaloneCodes,
  ...cloudCodes,
  ...operatorCodes,
  ...releaseCodes,
  ...backupCodes,
  ...cliCodes,
  ...terminalCodes,
  ...inspectorCodes,
  ...termsCodes,
  ...upstreamCodes,
} as const satisfies Record<string, ErrorEntry>

export type ErrorKey = keyof typeof codes

/** Only what may be shown to anybody goes into `detail`; ids, addresses and inner causes go to `fields` and `cause`. */
export class PortTunnelerError extends Error {
  override readonly name = 'PortTunnelerError'
  readonly key: ErrorKey
  readonly detail: string
  readonly fields: Readonly<Record<string, unknown>>

  constructor(
    key: ErrorKey,
    detail: string,
    { fields = {}, cause }: { fields?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(`${codes[key].code} ${detail}`, cause === undefined ? undefined : { cause })
    this.key = key
    this.detail = detail
    this.fields = fields
  }

  get entry(): ErrorEntry {
    return codes[this.key]
  }

  /** The stable `PT-nnnn`. */
  get code(): string {
    return codes[this.key].code
  }

  /** The number that RESET carries: the digits of the code. */
  get wire(): number {
    return wireCode(this.key)
  }
}

/**
 * Makes the error to throw: `throw fail('lease.held', 'laptop-2 serves this tunnel')`. Without a detail the error says
 * the catalogue's cause.
 */
export function fail(
  key: ErrorKey,
  detail?: string,
  options?: { fields?: Record<string, unknown>; cause?: unknown },
): PortTunnelerError {
  return new PortTunnelerError(key, detail ?? codes[key].cause, options)
}

export function isFailure<K extends ErrorKey>(error: unknown, key?: K): error is PortTunnelerError {
  return error instanceof PortTunnelerError && (key === undefined || error.key === key)
}

/** The u16 that a RESET frame carries for `key`. */
export function wireCode(key: ErrorKey): number {
  return Number(codes[key].code.slice(3))
}

const keyByCode = new Map<string, ErrorKey>(
  (Object.keys(codes) as ErrorKey[]).map((key) => [codes[key].code, key]),
)

/** The key of a `PT-nnnn` or of a RESET's number; undefined for a code from a newer version. */
export function keyOfCode(code: string | number): ErrorKey | undefined {
  return keyByCode.get(typeof code === 'number' ? `PT-${String(code).padStart(4, '0')}` : code)
}
