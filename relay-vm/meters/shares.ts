/**
 * What this relay may still carry for an account, as its tickets say: a number of bytes from the hour on up to which
 * the control plane has counted. Showing the same ticket again grants nothing, and open connections are never cut.
 *
 * A ticket divides the rest among the relays by figures that are an hour old, so a newer ticket may give a relay bytes
 * that another has meanwhile carried by its older one. Therefore the lower of the last two counts is valid: all relays
 * together may carry at any time at most what one count had left. docs/decisions/0048
 */
import { limits } from '@porttunneler/shared/protocol/limits'
import type { TicketClaims } from '@porttunneler/shared/protocol/ticket'
import type { TunnelMeter } from './tunnel-meter.ts'

/**
 * Accounts with a limit; beyond it the account known longest is dropped, and gets a fresh share with its next ticket.
 */
const accountsMax = 50_000
/** Hours with traffic that are remembered: the control plane counts an hour 20 min after its end. */
const marksMax = 26
/** When two tickets are valid at the same time, at most this time lies between their issue. */
const togetherMs = limits.ticketMs + 2 * limits.skewMs
/** Streams and tunnels that are read for each new visitor: an account with 40,000 open would cost 0.2 ms for each. */
const stepsMax = 64

type Granting = Pick<TicketClaims, 'account' | 'iat' | 'shareBytes' | 'shareFrom' | 'shareOf'>

type Share = {
  issuedAt: number
  readonly bytes: number
  /** Up to where the control plane had counted; undefined: it does not say, and the share counts from the grant. */
  readonly from: number | undefined
  /** Period and limit. Figures of another period or limit have nothing to do with it. */
  readonly of: string | undefined
  /** What may be carried in all, by the newest count and by the one before. */
  readonly end: number
  readonly endBefore: number
  readonly carried: Carried
}

export class TransferShares {
  readonly #shares = new Map<string, Share>()

  /** Call it when a checked ticket was bound; `meter` counts its tunnel. */
  granted(ticket: Granting, meter: TunnelMeter): void {
    const { account, iat, shareBytes } = ticket
    const known = this.#shares.get(account)
    known?.carried.join(meter)
    const isOlder = known !== undefined && known.issuedAt >= iat
    // Both are good now, unless the clock that has issued the one known was ahead and is set back.
    if (isOlder && known.issuedAt - iat <= togetherMs / 1_000) return
    this.#shares.delete(account)
    if (shareBytes === undefined) return
    const before = isOlder ? undefined : known
    this.#shares.set(account, shareOf(ticket, shareBytes, before, known?.carried ?? new Carried(meter)))
    const [first] = this.#shares.keys()
    if (this.#shares.size > accountsMax && first !== undefined) this.#shares.delete(first)
  }

  /** Call it when a full hour has begun: bytes from now on are in no count that ends with it. */
  mark(hour: number): void {
    for (const { carried } of this.#shares.values()) carried.mark(hour)
  }

  /** The meter counts no more. */
  left(meter: TunnelMeter): void {
    this.#shares.get(meter.account)?.carried.leave(meter)
  }

  /** Whether new connections of the account must be refused. Called for each that comes. */
  isSpent(account: string): boolean {
    const share = this.#shares.get(account)
    return share !== undefined && share.carried.bytesOfLate >= Math.min(share.end, share.endBefore)
  }

  /**
   * The control plane should get a usage report each time the account has carried this much more: 1 % of what is left.
   */
  reportBytes(account: string): number {
    return (this.#shares.get(account)?.bytes ?? Number.POSITIVE_INFINITY) / 100
  }
}

function shareOf(ticket: Granting, bytes: number, known: Share | undefined, carried: Carried): Share {
  const { iat: issuedAt, shareFrom: from, shareOf: of } = ticket
  // An instance of the control plane that lags behind knows less than the valid figures.
  if (known?.from !== undefined && from !== undefined && known.of === of && from < known.from)
    return { ...known, issuedAt }
  const end = (from === undefined ? carried.bytes : carried.at(from)) + bytes
  const isNewCount = known === undefined || known.from !== from || known.of !== of
  const before = known?.from === undefined || known.of !== of ? Number.POSITIVE_INFINITY : known.end
  const endBefore = isNewCount ? before : known.endBefore
  return { issuedAt, bytes, from, of, end, endBefore, carried }
}

/** The bytes carried for an account since this relay was told its share. */
class Carried {
  readonly #meters: Set<TunnelMeter>
  /** What its meters had counted before. */
  #offset: number
  #late = 0
  #skips = 0
  readonly #marks: { readonly hour: number; readonly bytes: number }[] = []

  constructor(meter: TunnelMeter) {
    this.#meters = new Set([meter])
    this.#offset = carriedBy([meter])
  }

  get bytes(): number {
    return carriedBy(this.#meters) - this.#offset
  }

  /** The same bytes, as they were a few visitors ago where there is very much to count. */
  get bytesOfLate(): number {
    if (this.#skips-- > 0) return this.#late
    let steps = this.#meters.size
    for (const { active } of this.#meters) steps += active
    this.#skips = Math.floor(steps / stepsMax)
    this.#late = this.bytes
    return this.#late
  }

  join(meter: TunnelMeter): void {
    if (this.#meters.has(meter)) return
    this.#meters.add(meter)
    this.#offset += carriedBy([meter])
  }

  /** Its bytes stay counted, but it is not read again: otherwise short-lived tunnels would be counted for ever. */
  leave(meter: TunnelMeter): void {
    if (this.#meters.delete(meter)) this.#offset -= carriedBy([meter])
  }

  /** Hours without traffic need no mark of their own. */
  mark(hour: number): void {
    const { bytes } = this
    if ((this.#marks.at(-1)?.bytes ?? 0) === bytes) return
    this.#marks.push({ hour, bytes })
    if (this.#marks.length > marksMax) this.#marks.shift()
  }

  /** The bytes at a full hour. An hour that is no longer known counts as nothing, which grants less. */
  at(hour: number): number {
    return this.#marks.findLast((mark) => mark.hour <= hour)?.bytes ?? 0
  }
}

function carriedBy(meters: Iterable<TunnelMeter>): number {
  let bytes = 0
  for (const meter of meters) {
    const read = meter.read()
    bytes += read.in + read.out
  }
  return bytes
}
