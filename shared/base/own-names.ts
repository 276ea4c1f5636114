/**
 * The host names that a server of ours accepts. A stranger's page can point its own name at this machine (DNS
 * rebinding), and the browser then takes our answers for the page's own. The Host of such a request is still the
 * stranger's name, so a server that knows its own names refuses it.
 */
import { isIP } from 'node:net'
import { plainName } from './labels.ts'

/** A port may follow; an IPv6 address stands in brackets. */
const hostPattern = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/i

/** @returns the name or address in a Host header, in lower case, without port and final dot */
export function hostOf(header: string): string | undefined {
  const [, address, name] = hostPattern.exec(header.trim()) ?? []
  const given = address ?? name
  return given === undefined ? undefined : plainName(given)
}

/**
 * Loopback names and addresses always belong: no name server can give `localhost` or an address to somebody else.
 * @param names further own names, in any case
 */
export function ownNames(names: readonly string[]): (host: string) => boolean {
  const known = new Set(names.map((name) => name.toLowerCase()))
  return (host) => {
    if (isIP(host) !== 0 || host === 'localhost' || host.endsWith('.localhost')) return true
    return known.has(host)
  }
}
