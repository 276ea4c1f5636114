/**
 * What the agent does with each request of an http tunnel: a list of stages, run in order by the gate
 * (request-gate.ts). A stage sees a parsed head and may change it, or answer the request itself; then no later stage
 * and no upstream sees it. It may also change the heads of answers. Tunnels without rules have no gate, and their bytes
 * pass unread; answers are read only if a stage wants them.
 */
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { RequestHead } from '@porttunneler/shared/http/head'
import type { HeaderEdits, Hsts, Redirect } from '@porttunneler/shared/protocol/http-edits'
import type { GateOptions } from './gate-options.ts'
import type { HeadEdit } from './head-edit.ts'
import type { Guesses } from './stages/guesses.ts'
import { answerHeaderStage, requestHeaderStage } from './stages/headers.ts'
import { hostStage } from './stages/host.ts'
import { hstsStage } from './stages/hsts.ts'
import type { Login } from './stages/logins.ts'
import { passwordStage } from './stages/password.ts'
import { redirectStage } from './stages/redirects.ts'
import type { WebhookCheck } from './webhooks/held-webhook.ts'

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
  readonly responseHeaders?: HeaderEdits
  readonly hsts?: Hsts
  /** Only requests with such a signature may come in (held-webhook.ts). */
  readonly webhooks?: WebhookCheck
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

/** The head of a final answer on its way to the visitor. */
export type PassingAnswer = {
  /** As the visitor will get it. */
  readonly edit: HeadEdit
  readonly status: number
  /** The visitor asked by HTTPS. */
  readonly isHttps: boolean
  /** It is not the upstream's, but the agent's. */
  readonly isOwn: boolean
}

export type Stage = {
  /** @returns an answer if the request goes no further */
  onRequest?(request: PassingRequest): Reply | undefined
  onAnswer?(answer: PassingAnswer): void
}

/** The answer of the first stage that has one, if the request is for this tunnel at all. */
export function firstReply(
  { stages, endToEnd }: Pick<GateOptions, 'stages' | 'endToEnd'>,
  request: PassingRequest,
): Reply | undefined {
  // A host of somebody else's would reach an application that thinks it is its own.
  if (endToEnd && request.head.host !== endToEnd.host()) return { kind: 'page', key: 'http.misdirected' }
  for (const stage of stages) {
    const reply = stage.onRequest?.(request)
    if (reply) return reply
  }
  return undefined
}

export type StageParts = {
  /** The tunnel's wrong passwords. */
  readonly guesses: Guesses
  /** The name in the visitor's password prompt. */
  readonly realm: string
}

/** The stages in the order in which a request meets them; answers meet them in the same order. */
export function stagesOf(rules: RequestRules, parts: StageParts): readonly Stage[] {
  const { redirects, logins, host, origin, requestHeaders, responseHeaders, hsts } = rules
  return [
    ...(redirects ? [redirectStage(redirects)] : []),
    ...(logins.length > 0 ? [passwordStage(logins, parts)] : []),
    ...(host === undefined ? [] : [hostStage(host, origin)]),
    ...(requestHeaders ? [requestHeaderStage(requestHeaders)] : []),
    ...(hsts ? [hstsStage(hsts)] : []),
    ...(responseHeaders ? [answerHeaderStage(responseHeaders)] : []),
  ]
}

/** Whether some requests may never need the upstream. */
export function mayReply({ redirects, logins, webhooks }: RequestRules): boolean {
  return redirects !== undefined || webhooks !== undefined || logins.length > 0
}
