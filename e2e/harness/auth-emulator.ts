/** The official Firebase Auth emulator, and the calls of a browser or of Google's sign-in pages to it. */
import { join } from 'node:path'
import { z } from 'zod'
import { authEmulatorFolder } from './installed.ts'
import { startProgram } from './programs.ts'

/** For every program that loads a Google SDK: nothing here is a VM of Google's, and looking for it costs a second. */
export const noMetadata = { METADATA_SERVER_DETECTION: 'none' }
/** It compiles its API description: 4 s of processor time, which take minutes while a machine does much else. */
const startDeadlineMs = 240_000

const hostSchema = z.object({ host: z.string() })
const signedInSchema = z.object({
  localId: z.string().optional(),
  idToken: z.string(),
  refreshToken: z.string(),
})
const refreshedSchema = z.object({ id_token: z.string(), refresh_token: z.string() })
const createdSchema = z.object({ localId: z.string() })
const usersSchema = z.object({ users: z.array(z.object({ validSince: z.string() })) })
const codesSchema = z.object({
  oobCodes: z.array(
    z.object({ email: z.string(), requestType: z.string(), oobCode: z.string(), oobLink: z.string() }),
  ),
})

export type SignedIn = { readonly idToken: string; readonly refreshToken: string }
export type AuthEmulator = Awaited<ReturnType<typeof startAuthEmulator>>

export async function startAuthEmulator(projectId: string) {
  const program = await startProgram('node', [join(authEmulatorFolder, 'main.ts'), projectId], {
    env: noMetadata,
  })
  const said = await program.lines.waitFor(({ text }) => text.startsWith('{"host"'), {
    what: 'Auth emulator',
    deadlineMs: startDeadlineMs,
  })
  const { host } = hostSchema.parse(JSON.parse(said.text))
  const url = `http://${host}`
  const post = async (path: string, body: object, headers: Readonly<Record<string, string>> = {}) => {
    const answer = await fetch(`${url}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    })
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }
  const asVisitor = async (verb: string, body: object): Promise<SignedIn> =>
    signedInSchema.parse(
      await post(`identitytoolkit.googleapis.com/v1/accounts:${verb}?key=public`, {
        ...body,
        returnSecureToken: true,
      }),
    )
  const asOwner = (path: string, body: object) =>
    post(`identitytoolkit.googleapis.com/v1/projects/${projectId}/${path}`, body, {
      authorization: 'Bearer owner',
    })
  return {
    host,
    url,
    register: (email: string, password: string) => asVisitor('signUp', { email, password }),
    signIn: (email: string, password: string) => asVisitor('signInWithPassword', { email, password }),
    /** Signs in as a person whom the service sends back. */
    signInBy: (
      provider: 'google.com' | 'github.com' | `oidc.${string}`,
      person: { sub: string; email: string },
    ) => {
      // Google says whether an address is the person's own; Firebase does not believe others about it.
      const claims = { ...person, ...(provider === 'google.com' && { email_verified: true }) }
      const postBody = `${new URLSearchParams({ providerId: provider, id_token: JSON.stringify(claims) })}`
      return asVisitor('signInWithIdp', { requestUri: 'http://localhost', postBody })
    },
    signInByToken: (uid: string) => asVisitor('signInWithCustomToken', { token: JSON.stringify({ uid }) }),
    /** With a token that the API has made. */
    signInByCustomToken: (token: string) => asVisitor('signInWithCustomToken', { token }),
    refresh: async (token: string): Promise<SignedIn> => {
      const body = { grant_type: 'refresh_token', refresh_token: token }
      const fresh = refreshedSchema.parse(await post('securetoken.googleapis.com/v1/token?key=public', body))
      return { idToken: fresh.id_token, refreshToken: fresh.refresh_token }
    },
    requestMail: (idToken: string) =>
      post('identitytoolkit.googleapis.com/v1/accounts:sendOobCode?key=public', {
        requestType: 'VERIFY_EMAIL',
        idToken,
      }),
    requestReset: (email: string) =>
      post('identitytoolkit.googleapis.com/v1/accounts:sendOobCode?key=public', {
        requestType: 'PASSWORD_RESET',
        email,
      }),
    /** Follows the link of the newest mail of that kind to the address. */
    followMail: async (email: string, kind: 'VERIFY_EMAIL' | 'PASSWORD_RESET', newPassword?: string) => {
      const answer = await fetch(`${url}/emulator/v1/projects/${projectId}/oobCodes`)
      const { oobCodes } = codesSchema.parse(await answer.json())
      const mail = oobCodes.findLast((code) => code.email === email && code.requestType === kind)
      if (!mail) throw new Error(`no mail of kind ${kind} to ${email}`)
      const link = new URL(mail.oobLink)
      if (newPassword !== undefined) link.searchParams.set('newPassword', newPassword)
      const followed = await fetch(link, { redirect: 'manual' })
      if (followed.status >= 400) throw new Error(`the link answered ${followed.status}`)
    },
    /** Makes a user, as an operator does in the Firebase console. */
    createUser: async (user: object) => createdSchema.parse(await asOwner('accounts', user)).localId,
    updateUser: (localId: string, changes: object) => asOwner('accounts:update', { localId, ...changes }),
    /** Since when sign-ins count, in seconds. */
    validSince: async (localId: string) => {
      const { users } = usersSchema.parse(await asOwner('accounts:lookup', { localId: [localId] }))
      return Number(users[0]?.validSince)
    },
    stop: () => program.stop('SIGKILL'),
  }
}
