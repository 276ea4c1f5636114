/**
 * What this relay may still carry for an account, as the newest ticket of it says. Reconnecting with the same ticket
 * grants nothing again, and open connections are never cut.
 */
import type { TicketClaims } from '@porttunneler/shared/protocol/ticket'
import type { TunnelMeter } from './tunnel-meter.ts'

/** Accounts with a limit; the longest known goes, and gets a fresh share with its next ticket. */
const accountsMax = 50_000

type Share = {
  readonly issuedAt: number
  readonly bytes: number
  readonly meters: Set<TunnelMeter>
  /** What the meters showed when it was granted. */
  base: number
}

export class TransferShares {
  readonly #shares = new Map<string, Share>()

  /** A checked ticket was bound; `meter` counts its tunnel. */
  granted(
    { account, iat, shareBytes }: Pick<TicketClaims, 'account' | 'iat' | 'shareBytes'>,
    meter: TunnelMeter,
  ): void {
    const known = this.#shares.get(account)
    if (known !== undefined && known.issuedAt >= iat) {
      // What it has counted before belongs to no share of now.
      if (!known.meters.has(meter)) known.base += carriedBy([meter])
      known.meters.add(meter)
      return
    }
    this.#shares.delete(account)
    if (shareBytes === undefined) return
    const meters = new Set(known?.meters).add(meter)
    this.#shares.set(account, { issuedAt: iat, bytes: shareBytes, meters, base: carriedBy(meters) })
    const [first] = this.#shares.keys()
    if (this.#shares.size > accountsMax && first !== undefined) this.#shares.delete(first)
  }

  /** Whether new connections of the account must be refused. */
  isSpent(account: string): boolean {
    const share = this.#shares.get(account)
    return share !== undefined && carriedBy(share.meters) - share.base >= share.bytes
  }

  /** The control plane should hear of usage each time the account has carried so much more: 1 % of what is left. */
  reportBytes(account: string): number {
    return (this.#shares.get(account)?.bytes ?? Number.POSITIVE_INFINITY) / 100
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
