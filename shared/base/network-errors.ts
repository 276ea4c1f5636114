/**
 * Why a connection could not be made, in the words of the cause that the system names: a spelling, a firewall and a
 * lack of descriptors need different cures.
 */

const words: Readonly<Record<string, string | undefined>> = {
  ECONNREFUSED: 'nothing listens there; check the port, and that the program runs',
  ECONNRESET: 'the connection was cut; the program may just restart',
  ENOTFOUND: 'no name server knows the name; check its spelling',
  EAI_AGAIN: 'the name server does not answer; check the network and the DNS of this machine',
  ETIMEDOUT: 'nobody answered; a firewall may be in the way',
  UND_ERR_CONNECT_TIMEOUT: 'nobody answered; a firewall may be in the way',
  EHOSTUNREACH: 'no way leads there; check the network of this machine',
  ENETUNREACH: 'no way leads there; check the network of this machine',
  EMFILE: 'ptun may open no more files; raise its limit (ulimit -n)',
  ENFILE: 'this machine has no file descriptors left; end some programs, or raise fs.file-max',
  EADDRNOTAVAIL: 'this machine has no local port or address left for it; close some connections',
  EACCES: 'this machine does not let it through; check its own firewall',
  EPERM: 'this machine does not let it through; check its own firewall',
}

/** The code that the system gave; `fetch` and several addresses of a name wrap it. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('code' in error && typeof error.code === 'string' && error.code in words) return error.code
  const inner = error instanceof AggregateError ? error.errors[0] : undefined
  return codeOf(inner) ?? codeOf(error.cause)
}

/** @returns ` (CODE): cause; cure`, or nothing where the system named no cause that we know */
export function sayNetworkError(error: unknown): string {
  const code = codeOf(error)
  return code === undefined ? '' : ` (${code}): ${words[code]}`
}
