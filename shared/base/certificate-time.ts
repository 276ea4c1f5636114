/**
 * A certificate that is refused for its dates: most often the clock of this machine is wrong (a flat battery, a
 * container without NTP), so people must be told to look at the clock and not for a proxy.
 */

/** Names of OpenSSL's verdicts, as Node gives them. */
const verdicts = ['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']

/** Whether that is why a TLS connection failed; `fetch` wraps the reason once more. */
export function isOutOfTime(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return ('code' in error && verdicts.includes(String(error.code))) || isOutOfTime(error.cause)
}

/** "the clock of this machine says 2046-11-28 21:17 UTC" */
export function sayClock(nowMs: number): string {
  return `the clock of this machine says ${new Date(nowMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
