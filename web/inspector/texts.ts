/** Words and figures of requests, the same in the list and at the top of one. */
import type { InspectedSummary } from '@porttunneler/shared/api/schemas/inspection'

const clocks = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
})

export function clockText(at: number): string {
  return clocks.format(at)
}

/** 0.4 ms, 12 ms, 1.3 s. */
export function millisecondsText(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`
}

export function statusText({ status, ms }: Pick<InspectedSummary, 'status' | 'ms'>): string {
  return status === undefined ? (ms === undefined ? '…' : 'none') : String(status)
}

export function statusLook({
  status,
  failure,
  ms,
}: Pick<InspectedSummary, 'status' | 'failure' | 'ms'>): string {
  if (failure !== undefined || (status ?? 0) >= 500 || (status === undefined && ms !== undefined))
    return 'text-danger'
  if ((status ?? 0) >= 400) return 'text-warn'
  return status !== undefined && status < 300 ? 'text-ok' : 'text-muted'
}

const failures: Readonly<Record<string, string>> = {
  unanswered: 'Your program closed the connection without an answer.',
  cut: 'The connection ended before the answer was complete.',
  unread: 'These bytes are no HTTP that every program reads alike, so no more was recorded.',
}

export function failureText(failure: string): string {
  return failures[failure] ?? `It broke off with ${failure}.`
}

export const signatureTexts = {
  valid: 'Its signature is right.',
  wrong: 'Its signature is wrong: another secret, or somebody changed it.',
  missing: 'It has no signature.',
  old: 'Its signature is right, but too old: somebody may have sent it again.',
  unchecked: 'Its signature was not checked, because its body is too long.',
} as const
