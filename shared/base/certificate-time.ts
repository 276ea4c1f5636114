/**
 * A certificate refused for its dates. Most often the clock of this machine is wrong (a flat battery, a container
 * without NTP), so the message must point people to the clock and not to a proxy.
 */

/** Names of OpenSSL's verdicts, as Node gives them. */
const verdicts = ['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']

/** Whether the certificate's dates made a TLS connection fail. `fetch` wraps the reason once more. */
export function isOutOfTime(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return ('code' in error && verdicts.includes(String(error.code))) || isOutOfTime(error.cause)
}

/** "the clock of this machine says 2046-11-28 21:17 UTC" */
export function sayClock(nowMs: number): string {
  return `the clock of this machine says ${new Date(nowMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
