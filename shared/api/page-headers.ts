/**
 * The headers of the console's pages, wherever they are served: by your own server, or by Firebase Hosting
 * (firebase.json, which a test compares with this). No framing, no sniffing, and a page can load only what is named
 * here.
 */

export type PageNeeds = {
  /** Origins that pages may call besides their own: relays' live figures, sign-in. */
  readonly connect: readonly string[]
  /** Whether the public address is https: then browsers are told to use only that. */
  readonly isHttps: boolean
  /** For sign-in by another service, in a window of that service. */
  readonly signIn?: {
    /** Origins of scripts. */
    readonly script: readonly string[]
    /** Origins shown in frames. */
    readonly frame: readonly string[]
  }
}

/** In the order in which they are sent. */
export function pageHeaders({ connect, isHttps, signIn }: PageNeeds): Readonly<Record<string, string>> {
  const policy = [
    "default-src 'self'",
    `connect-src ${["'self'", ...connect].join(' ')}`,
    ...(signIn
      ? [`script-src ${["'self'", ...signIn.script].join(' ')}`, `frame-src ${signIn.frame.join(' ')}`]
      : []),
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ]
  return {
    'content-security-policy': policy.join('; '),
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    // The other service's window reports back to the page that opened it.
    'cross-origin-opener-policy': signIn ? 'same-origin-allow-popups' : 'same-origin',
    ...(isHttps ? { 'strict-transport-security': 'max-age=31536000' } : {}),
  }
}
