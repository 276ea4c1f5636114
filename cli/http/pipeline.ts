/**
 * What the agent does with each request of an http tunnel: a list of stages, run in order by the gate
 * (request-gate.ts). A stage sees a parsed head and may change it, or answer the request itself; then no later stage
 * and no upstream sees it. Tunnels without rules have no gate, and their bytes pass unread.
 */
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { RequestHead } from '@porttunneler/shared/http/head'
import type { HeaderEdits, Redirect } from '@porttunneler/shared/protocol/http-edits'
import type { HeadEdit } from './head-edit.ts'
import type { Guesses } from './stages/guesses.ts'
import { requestHeaderStage } from './stages/headers.ts'
import { hostStage } from './stages/host.ts'
import type { Login } from './stages/logins.ts'
import { passwordStage } from './stages/password.ts'
import { redirectStage } from './stages/redirects.ts'

/** The user's settings as data, so that two versions of them can be compared; missing or empty parts change nothing. */
export type RequestRules = {
  /** The Host that the upstream gets. */
  readonly host?: string
  /** The origin that the upstream gets instead of the visitor's own. */
  readonly origin?: string
  /** Only these may come in. Empty: everybody. */
  readonly logins: readonly Login[]
  readonly redirects?: readonly Redirect[]
  readonly requestHeaders?: HeaderEdits
}

/** A request on its way through the stages. */
export type PassingRequest = {
  /** As the relay sent it. */
  readonly head: RequestHead
  /** As the upstream will get it. */
  readonly edit: HeadEdit
  readonly visitorAddress: string
}

/** An answer of the agent's own: the page of a code, or a redirect. */
export type Reply =
  | {
      readonly kind: 'page'
      readonly key: ErrorKey
      /** Header lines besides the usual ones. */
      readonly fields?: readonly string[]
      readonly retryAfterSeconds?: number
    }
  | { readonly kind: 'redirect'; readonly status: number; readonly location: string }

export type Stage = {
  /** @returns an answer if the request goes no further */
  onRequest(request: PassingRequest): Reply | undefined
}

export type StageParts = {
  /** The tunnel's wrong passwords. */
  readonly guesses: Guesses
  /** The name in the visitor's password prompt. */
  readonly realm: string
}

/** The stages in the order in which a request meets them. */
export function stagesOf(rules: RequestRules, parts: StageParts): readonly Stage[] {
  const { redirects, logins, host, origin, requestHeaders } = rules
  return [
    ...(redirects ? [redirectStage(redirects)] : []),
    ...(logins.length > 0 ? [passwordStage(logins, parts)] : []),
    ...(host === undefined ? [] : [hostStage(host, origin)]),
    ...(requestHeaders ? [requestHeaderStage(requestHeaders)] : []),
  ]
}

/** Whether some requests may never need the upstream. */
export function mayReply({ redirects, logins }: RequestRules): boolean {
  return redirects !== undefined || logins.length > 0
}
