/**
 * Signing in at Firebase, by its own SDK: only the pages that sign in load it (35 kB compressed). It keeps nothing: the
 * tokens go to our Session as local ones do, which refreshes them without it (firebase-refresh.ts).
 */
import { type FirebaseApp, FirebaseError, initializeApp } from '@firebase/app'
import {
  type Auth,
  browserPopupRedirectResolver,
  connectAuthEmulator,
  createUserWithEmailAndPassword,
  GithubAuthProvider,
  GoogleAuthProvider,
  getRedirectResult,
  initializeAuth,
  inMemoryPersistence,
  OAuthProvider,
  sendEmailVerification,
  sendPasswordResetEmail,
  signInWithCustomToken,
  signInWithEmailAndPassword,
  signInWithPopup,
  signInWithRedirect,
  type User,
} from '@firebase/auth'
import type { Tokens } from '@porttunneler/shared/api/schemas/accounts'
import type { FirebaseSignIn } from '@porttunneler/shared/api/schemas/service'
import { ApiFailure, unreachable } from './failure.ts'
import { type Advice, adviceOf, withoutAddress } from './firebase-advice.ts'

export type Provider =
  | FirebaseSignIn['providers'][number]
  | NonNullable<FirebaseSignIn['issuers']>[number]['id']

/** Somebody who signed in; without a confirmed address there are no tokens yet. */
export type Outcome = { readonly tokens: Tokens } | { readonly unconfirmed: Unconfirmed }
export type Unconfirmed = {
  readonly email: string
  sendMail(): Promise<void>
  /** Asks Firebase whether the link in the mail was followed. */
  look(): Promise<Outcome>
}

let opened: { readonly config: string; readonly app: FirebaseApp; readonly auth: Auth } | undefined

/** One for each project, however often it is asked for. */
function authOf(config: FirebaseSignIn): Auth {
  const { apiKey, authDomain, projectId, emulatorUrl } = config
  const key = JSON.stringify(config)
  if (opened?.config === key) return opened.auth
  const app = initializeApp({ apiKey, authDomain, projectId }, key)
  const auth = initializeAuth(app, {
    persistence: inMemoryPersistence,
    popupRedirectResolver: browserPopupRedirectResolver,
  })
  if (emulatorUrl !== undefined) connectAuthEmulator(auth, emulatorUrl, { disableWarnings: true })
  opened = { config: key, app, auth }
  return auth
}

export async function signIn(config: FirebaseSignIn, { email, password }: Given): Promise<Outcome> {
  return told(async () => outcomeOf((await signInWithEmailAndPassword(authOf(config), email, password)).user))
}

/** With what our API gives to somebody who has shown a passkey or another second factor. */
export async function signInByToken(config: FirebaseSignIn, customToken: string): Promise<Tokens> {
  return told(async () => tokensOf((await signInWithCustomToken(authOf(config), customToken)).user))
}

/** Makes the account and sends the mail that confirms the address. */
export async function register(config: FirebaseSignIn, { email, password }: Given): Promise<Outcome> {
  return told(async () => {
    const { user } = await createUserWithEmailAndPassword(authOf(config), email, password)
    await sendConfirmation(user)
    return outcomeOf(user)
  })
}

/**
 * In a window of its own; where the browser allows none the page itself goes there, and comes back to `finishRedirect`.
 * undefined when the person closed the window, or the page is on its way.
 */
export async function signInWith(config: FirebaseSignIn, name: Provider): Promise<Outcome | undefined> {
  const auth = authOf(config)
  const provider = providerOf(name)
  return told(async () => {
    try {
      return await outcomeByProvider((await signInWithPopup(auth, provider)).user)
    } catch (error) {
      if (hasCode(error, 'auth/popup-closed-by-user', 'auth/cancelled-popup-request')) return undefined
      if (!hasCode(error, 'auth/popup-blocked', 'auth/operation-not-supported-in-this-environment'))
        throw error
      return signInWithRedirect(auth, provider)
    }
  })
}

/** The sign-in that the page comes back from, if it does. */
export async function finishRedirect(config: FirebaseSignIn): Promise<Outcome | undefined> {
  return told(async () => {
    const result = await getRedirectResult(authOf(config))
    return result ? outcomeByProvider(result.user) : undefined
  })
}

/** Resolves whether or not there is such an account. */
export async function sendReset(config: FirebaseSignIn, email: string): Promise<void> {
  return told(async () => {
    try {
      await sendPasswordResetEmail(authOf(config), email, backHere())
    } catch (error) {
      if (!hasCode(error, 'auth/user-not-found')) throw error
    }
  })
}

type Given = { readonly email: string; readonly password: string }

/** Firebase believes Google's addresses but not GitHub's: the mail to confirm one goes out with the sign-in. */
async function outcomeByProvider(user: User): Promise<Outcome> {
  if (user.email === null) throw new ApiFailure({ ...withoutAddress, type: `/errors/${withoutAddress.code}` })
  if (!user.emailVerified) await sendConfirmation(user)
  return outcomeOf(user)
}

async function outcomeOf(user: User): Promise<Outcome> {
  if (user.emailVerified) return { tokens: await tokensOf(user) }
  const unconfirmed: Unconfirmed = {
    email: user.email ?? '',
    sendMail: () => told(() => sendConfirmation(user)),
    look: () =>
      told(async () => {
        await user.reload()
        // The token from before still says that nobody has confirmed.
        if (user.emailVerified) await user.getIdToken(true)
        return outcomeOf(user)
      }),
  }
  return { unconfirmed }
}

async function tokensOf(user: User): Promise<Tokens> {
  const { token, expirationTime, issuedAtTime } = await user.getIdTokenResult()
  const expiresIn = Math.floor((Date.parse(expirationTime) - Date.parse(issuedAtTime)) / 1_000)
  return { accessToken: token, refreshToken: user.refreshToken, expiresIn }
}

function sendConfirmation(user: User): Promise<void> {
  return sendEmailVerification(user, backHere())
}

/** Firebase's page about the link ends with a way back. */
function backHere() {
  return { url: `${location.origin}/sign-in` }
}

function providerOf(name: Provider): GoogleAuthProvider | GithubAuthProvider | OAuthProvider {
  if (name === 'google.com') return new GoogleAuthProvider()
  if (name !== 'github.com') {
    const issuer = new OAuthProvider(name)
    issuer.addScope('email')
    return issuer
  }
  const github = new GithubAuthProvider()
  // Without it GitHub tells only addresses that are public.
  github.addScope('user:email')
  return github
}

/** What Firebase says, in the words and codes that the API has for the same things. */
async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (hasCode(cause, 'auth/network-request-failed', 'auth/timeout')) throw unreachable(cause)
    if (!(cause instanceof FirebaseError)) throw cause
    throw new ApiFailure(problemOf(cause.code, adviceOf(cause.code)), { cause })
  }
}

function problemOf(firebaseCode: string, advice: Advice | undefined) {
  if (advice) return { ...advice, ...(advice.code && { type: `/errors/${advice.code}` }) }
  return {
    title: 'Firebase refused the sign-in',
    status: 400,
    detail: `It gave the reason ${firebaseCode}.`,
    cure: 'Try again; if it goes on, tell this reason to whoever runs the service.',
  }
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof FirebaseError && codes.includes(error.code)
}
