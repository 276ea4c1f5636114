/**
 * What the system's own error codes mean to a person: the cause in words, and what cures it. A spelling, a firewall, a
 * full disk and a lack of descriptors need different cures, and one code means different things to who dials, listens
 * or writes. Whoever makes a failure out of a system error puts these words in its detail; the cure of its code then
 * only points to them.
 */
type Words = Readonly<Record<string, string | undefined>>

const descriptorWords: Words = {
  EMFILE: 'this program may open no more files; raise its limit (ulimit -n)',
  ENFILE: 'this machine has no file descriptors left; end some programs, or raise fs.file-max',
}

const noWay = 'no way leads there; check the network of this machine'
const ownFirewall = 'this machine does not let it through; check its own firewall'
const silence = 'nobody answered; a firewall may be in the way'

const networkWords: Words = {
  ...descriptorWords,
  ECONNREFUSED: 'nothing listens there; check the port, and that the program runs',
  ECONNRESET: 'the connection was cut; the program may just restart',
  ENOTFOUND: 'no name server knows the name; check its spelling',
  EAI_AGAIN: 'the name server does not answer; check the network and the DNS of this machine',
  ETIMEDOUT: silence,
  UND_ERR_CONNECT_TIMEOUT: silence,
  EHOSTUNREACH: noWay,
  ENETUNREACH: noWay,
  EHOSTDOWN: noWay,
  ENETDOWN: noWay,
  EADDRNOTAVAIL: 'this machine has no local port or address left for it; close some connections',
  EACCES: ownFirewall,
  EPERM: ownFirewall,
}

const noRight = 'this user has no right to it; give it the right (chown, chmod)'
const inTheWay = 'something else is in the way; move it, or choose another path'

const fileWords: Words = {
  ...descriptorWords,
  ENOSPC: 'the disk is full; make room on it',
  EDQUOT: "this user's quota is used up; remove some files, or have it raised",
  EROFS: 'the file system is read-only; mount it writable, or choose another folder',
  EACCES: noRight,
  EPERM: noRight,
  EIO: 'the disk fails; look at what the kernel says (dmesg), and have a backup ready',
  ENOENT: 'it does not exist; check the path',
  ENOTDIR: inTheWay,
  EEXIST: inTheWay,
  EISDIR: 'it is a folder, and a file is needed; check the path',
  ENAMETOOLONG: 'the path is too long; choose a shorter one',
}

/** A socket is found like a file, and answers like a server. */
const socketWords: Words = {
  ...fileWords,
  ECONNREFUSED: networkWords.ECONNREFUSED,
  ECONNRESET: networkWords.ECONNRESET,
}

const listenWords: Words = {
  ...descriptorWords,
  EADDRINUSE: 'another program listens there; stop it (ss -ltnp shows it), or choose another port',
  EACCES: 'this user may not listen there; choose a port above 1023, or grant cap_net_bind_service',
  EADDRNOTAVAIL: 'no network interface has this address; use one of this machine, or 0.0.0.0 for all of them',
  EAFNOSUPPORT: 'this machine has no addresses of that family; use one that it has',
}

/** The code that the system gave; `fetch` and several addresses of a name wrap it. */
function codeOf(error: unknown, words: Words): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('code' in error && typeof error.code === 'string' && error.code in words) return error.code
  const inner = error instanceof AggregateError ? error.errors[0] : undefined
  return codeOf(inner, words) ?? codeOf(error.cause, words)
}

function say(error: unknown, words: Words): string {
  const code = codeOf(error, words)
  return code === undefined ? '' : ` (${code}): ${words[code]}`
}

/** Why a connection could not be made. @returns ` (CODE): cause; cure`, or nothing for a cause that we do not know */
export function sayNetworkError(error: unknown): string {
  return say(error, networkWords)
}

/** Why a file or folder could not be read, made or written; in the system's words where we have none. */
export function sayFileError(error: unknown): string {
  return say(error, fileWords) || systemWords(error)
}

/** Why nobody could be asked at the path of a socket. @returns as `sayNetworkError` */
export function saySocketError(error: unknown): string {
  return say(error, socketWords)
}

/** Why a server socket could not be opened; in the system's words where we have none. */
export function sayListenError(error: unknown): string {
  return say(error, listenWords) || systemWords(error)
}

function systemWords(error: unknown): string {
  return ` (${error instanceof Error ? error.message : String(error)})`
}
