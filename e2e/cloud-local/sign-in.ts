/**
 * Sign-in on a laptop: the official Firebase Auth emulator where it is installed, otherwise a stand-in that supports
 * only passwords; and the first account, made as a person would make it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { keyCreatedSchema } from '@porttunneler/shared/api/schemas/accounts'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { z } from 'zod'
import { within } from '../harness/events.ts'
import { root } from '../harness/programs.ts'
import { callApi } from '../harness/service.ts'
import { startAuthStandIn } from './auth-stand-in.ts'

const emulator = join(root, 'e2e/auth-emulator')
/** It first compiles the description of its own API, which takes minutes while a machine does much else. */
const startMs = 240_000

export type SignIn = {
  /** `host:port` */
  readonly host: string
  readonly kind: 'emulator' | 'stand-in'
  close(): Promise<void>
}

/** @param kind default: the emulator where it is installed. @throws local.start */
export async function startSignIn(
  project: string,
  { kind, clock }: { readonly kind?: SignIn['kind'] | undefined; readonly clock: Clock },
): Promise<SignIn> {
  const isInstalled = existsSync(join(emulator, 'node_modules/firebase-tools'))
  if (kind === 'emulator' && !isInstalled)
    throw fail('local.start', 'The Auth emulator is not installed: run "npm ci" in e2e/auth-emulator.')
  if (kind === 'stand-in' || !isInstalled)
    return { kind: 'stand-in', ...(await startAuthStandIn(project, clock)) }
  return { kind: 'emulator', ...(await startEmulator(project)) }
}

async function startEmulator(project: string): Promise<Omit<SignIn, 'kind'>> {
  // It ends with its standard input, and so with us, however we end. Ctrl-C in the terminal reaches only us.
  const child = spawn(process.execPath, [join(emulator, 'main.ts'), project, '0'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  })
  const close = () => stop(child)
  const ended = once(child, 'exit').then((): never => {
    throw fail('local.start', 'The Auth emulator ended before it was ready.')
  })
  try {
    const [line] = await within(
      Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended]),
      'the start of the Auth emulator',
      startMs,
    )
    ended.catch(() => undefined)
    return { ...z.object({ host: z.string() }).parse(JSON.parse(`${line}`)), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

export type Person = { readonly email: string; readonly password: string }

/** Signing somebody up as the project's owner returns no token for them. */
const signedUpSchema = z.object({ localId: z.string() })
const signedInSchema = z.object({ idToken: z.string() })

/** Registers the person with a confirmed address, unless that was done before. @returns an ID token */
export async function signInAt(host: string, project: string, person: Person): Promise<string> {
  const signedUp = await post(host, 'accounts:signUp?key=local', { ...person, returnSecureToken: true })
  if (signedUp.ok) {
    const { localId } = signedUpSchema.parse(await signedUp.json())
    await post(host, `projects/${project}/accounts:update`, { localId, emailVerified: true })
  }
  const signedIn = await post(host, 'accounts:signInWithPassword?key=local', {
    ...person,
    returnSecureToken: true,
  })
  if (!signedIn.ok) throw new Error(`${person.email} cannot sign in: ${await signedIn.text()}`)
  return signedInSchema.parse(await signedIn.json()).idToken
}

/** Makes an API key with every right of the person. */
export async function makeKey(api: string, idToken: string): Promise<string> {
  const wanted = { name: 'cloud:local', scopes: ['read', 'tunnels', 'admin'] }
  return keyCreatedSchema.parse(await callApi({ api, key: idToken }, 'POST', '/v1/keys', wanted)).secret
}

function post(host: string, method: string, body: object): Promise<Response> {
  return fetch(`http://${host}/identitytoolkit.googleapis.com/v1/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer owner' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  })
}
