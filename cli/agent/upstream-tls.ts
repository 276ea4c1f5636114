/**
 * TLS from the agent to an `https://` upstream. The visitor's own TLS ended at the relay; this is a separate
 * connection, and its certificate is checked unless the user said otherwise.
 */
import { isIP, type Socket } from 'node:net'
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import type { ErrorKey } from '@porttunneler/shared/base/errors'

/** The user's settings for the upstream's certificate. */
export type UpstreamTls = {
  /** Any certificate is accepted. */
  readonly isUnchecked?: true
  /** PEM: only these authorities are trusted. Undefined: those of Node.js. */
  readonly ca?: string
  /** Whose certificate it must be, if not the upstream's own host. */
  readonly name?: string
}

/** What is spoken inside TLS, as ALPN names it. */
export type InnerProtocol = 'http/1.1' | 'h2'

/** A context parses all authorities, so each tunnel has one for all of its connections. */
const contexts = new WeakMap<UpstreamTls, SecureContext>()
const usual: UpstreamTls = {}

/**
 * Begins TLS on a connected socket. 'secureConnect' or 'error' follows. SNI tells the upstream whose certificate is
 * expected, unless that is an address.
 */
export function beginTls(
  raw: Socket,
  host: string,
  { tls = usual, protocol }: { tls: UpstreamTls | undefined; protocol: InnerProtocol },
): TLSSocket {
  const name = tls.name ?? host
  const context = contexts.get(tls) ?? createSecureContext(tls.ca === undefined ? {} : { ca: tls.ca })
  contexts.set(tls, context)
  const socket = connect({
    socket: raw,
    host: name,
    ...(isIP(name) === 0 && { servername: name }),
    secureContext: context,
    ALPNProtocols: [protocol],
    rejectUnauthorized: !tls.isUnchecked,
  })
  // A TLS socket cannot reset, but the socket below it can.
  socket.resetAndDestroy = () => {
    raw.resetAndDestroy()
    return socket.destroy()
  }
  return socket
}

const keyByCode: Readonly<Record<string, ErrorKey>> = {
  CERT_HAS_EXPIRED: 'upstream.expired',
  CERT_NOT_YET_VALID: 'upstream.expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'upstream.misnamed',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'upstream.untrusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'upstream.untrusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'upstream.untrusted',
  UNABLE_TO_GET_ISSUER_CERT: 'upstream.untrusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'upstream.untrusted',
}

/** What a failure before 'secureConnect' means; an unknown one is a failed handshake. */
export function keyOfTlsError(code: string, protocol: InnerProtocol): ErrorKey {
  // The server knows none of what we offered.
  if (code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL')
    return protocol === 'h2' ? 'upstream.no_http_two' : 'upstream.only_http_two'
  return keyByCode[code] ?? 'upstream.tls'
}
