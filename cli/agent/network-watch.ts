/**
 * Notices that the machine's network changed or that it slept, so that dead connections are found at once and not by
 * their silence (wire protocol, rule 25): a different list of interface addresses, or a wall clock that ran away from
 * the monotonic one. While the system cannot list its addresses (no descriptors), they count as unchanged.
 */
import { networkInterfaces } from 'node:os'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { ClockJump } from '@porttunneler/shared/base/clock-jump'

/** Reading the list costs about 0.1 ms; open connections wait at most this long for the new network. */
const lookMs = 500

export type NetworkWatchOptions = {
  readonly clock: Clock
  /** `gone`: addresses that the machine had at the last look and no longer has. */
  readonly onChange: (gone: ReadonlySet<string>) => void
  /** The machine slept or its clock was set; called before `onChange`. */
  readonly onJump?: () => void
  /** Tests pass their own. */
  readonly addresses?: () => string
}

export class NetworkWatch {
  readonly #options: NetworkWatchOptions
  #timer: Timer | undefined
  #addresses = ''
  readonly #jump: ClockJump

  constructor(options: NetworkWatchOptions) {
    this.#options = options
    this.#jump = new ClockJump(options.clock)
  }

  start(): void {
    this.#addresses = this.#read()
    this.#jump.look()
    this.#timer ??= this.#options.clock.every(lookMs, this.#look, { background: true })
  }

  close(): void {
    this.#timer?.clear()
    this.#timer = undefined
  }

  readonly #look = (): void => {
    const addresses = this.#read()
    const hasJumped = this.#jump.look()
    const gone = withoutThose(this.#addresses, addresses)
    const isChanged = addresses !== this.#addresses || hasJumped
    this.#addresses = addresses
    if (hasJumped) this.#options.onJump?.()
    if (isChanged) this.#options.onChange(gone)
  }

  #read(): string {
    try {
      return (this.#options.addresses ?? interfaceAddresses)()
    } catch {
      // Listing needs a socket, and the process has no descriptor left.
      return this.#addresses
    }
  }
}

/** Both are lists of "interface address" lines; returns the addresses of `before` that no interface has in `after`. */
function withoutThose(before: string, after: string): ReadonlySet<string> {
  return addressesIn(before).difference(addressesIn(after))
}

function addressesIn(lines: string): Set<string> {
  return new Set(lines.split('\n').map((line) => line.slice(line.lastIndexOf(' ') + 1)))
}

/** Every address except IPv6's temporary ones. */
function interfaceAddresses(): string {
  const addresses: string[] = []
  for (const [name, list] of Object.entries(networkInterfaces()))
    for (const { address, family, internal } of list ?? [])
      if (!internal && (family === 'IPv4' || !address.startsWith('fe80:')))
        addresses.push(`${name} ${address}`)
  return addresses.sort().join('\n')
}
