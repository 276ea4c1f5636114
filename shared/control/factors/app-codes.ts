/**
 * Authenticator apps: TOTP (RFC 6238) with what all of them know, SHA-1, six digits, 30 seconds. The step before and
 * the one after count too, for clocks of phones that are a little off (section 5.2). A code is good only once.
 */
import type { AppDoc } from './factor-documents.ts'

const stepMs = 30_000
const stepsAround = 1
/** More than are valid at once, so a code cannot come back after others. */
const usedStepsMax = 10
/** As long as SHA-1's output, which RFC 4226, section 4, recommends. */
const secretBytes = 20

type AppSecret = { readonly secret: string; readonly uri: string }

export async function newAppSecret(email: string, issuer: string): Promise<AppSecret> {
  const { Secret, TOTP } = await import('otpauth')
  const secret = new Secret({ size: secretBytes })
  return { secret: secret.base32, uri: new TOTP({ issuer, label: email, secret }).toString() }
}

/** @returns the step that the code belongs to; undefined for a wrong code */
export async function stepOf(secret: string, code: string, nowMs: number): Promise<number | undefined> {
  const token = code.replace(/[\s-]/g, '')
  if (!/^\d{6}$/.test(token)) return undefined
  const { Secret, TOTP } = await import('otpauth')
  const app = new TOTP({ secret: Secret.fromBase32(secret) })
  const delta = app.validate({ token, timestamp: nowMs, window: stepsAround })
  return delta === null ? undefined : Math.floor(nowMs / stepMs) + delta
}

/** @returns the app after its code was used; undefined when that step's code was used before */
export function useStep(app: AppDoc, step: number, nowMs: number): AppDoc | undefined {
  if (app.usedSteps.includes(step)) return undefined
  return { ...app, usedAt: nowMs, usedSteps: [...app.usedSteps, step].slice(-usedStepsMax) }
}
