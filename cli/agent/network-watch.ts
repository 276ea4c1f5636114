/**
 * Notices that the machine's network changed or that it slept, so that dead connections are found at once and not by
 * their silence (wire protocol, rule 25): another list of interface addresses, or a wall clock that ran away from the
 * monotonic one.
 */
import { networkInterfaces } from 'node:os'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'

/** Reading the list costs about 0.1 ms; open connections wait at most this long for the new network. */
const lookMs = 500
/** NTP moves the wall clock by less; a laptop that slept moved it by more. */
const jumpMs = 5_000

export type NetworkWatchOptions = {
  readonly clock: Clock
  /** `gone`: addresses that the machine had at the last look and no longer has. */
  readonly onChange: (gone: ReadonlySet<string>) => void
  /** Tests have their own. */
  readonly addresses?: () => string
}

export class NetworkWatch {
  readonly #options: NetworkWatchOptions
  #timer: Timer | undefined
  #addresses = ''
  #offsetMs = 0

  constructor(options: NetworkWatchOptions) {
    this.#options = options
  }

  start(): void {
    this.#addresses = this.#read()
    this.#offsetMs = this.#offset()
    this.#timer ??= this.#options.clock.every(lookMs, this.#look, { background: true })
  }

  close(): void {
    this.#timer?.clear()
    this.#timer = undefined
  }

  readonly #look = (): void => {
    const addresses = this.#read()
    const offsetMs = this.#offset()
    const gone = withoutThose(this.#addresses, addresses)
    const isChanged = addresses !== this.#addresses || Math.abs(offsetMs - this.#offsetMs) > jumpMs
    this.#addresses = addresses
    this.#offsetMs = offsetMs
    if (isChanged) this.#options.onChange(gone)
  }

  #offset(): number {
    const { clock } = this.#options
    return clock.now() - clock.monotonic()
  }

  #read(): string {
    return (this.#options.addresses ?? interfaceAddresses)()
  }
}

/** Both are lists of "interface address" lines: the addresses of `before` that no interface has in `after`. */
function withoutThose(before: string, after: string): ReadonlySet<string> {
  return addressesIn(before).difference(addressesIn(after))
}

function addressesIn(lines: string): Set<string> {
  return new Set(lines.split('\n').map((line) => line.slice(line.lastIndexOf(' ') + 1)))
}

/** Every address but those that IPv6 makes up for a while and drops again by itself. */
function interfaceAddresses(): string {
  const addresses: string[] = []
  for (const [name, list] of Object.entries(networkInterfaces()))
    for (const { address, family, internal } of list ?? [])
      if (!internal && (family === 'IPv4' || !address.startsWith('fe80:')))
        addresses.push(`${name} ${address}`)
  return addresses.sort().join('\n')
}
