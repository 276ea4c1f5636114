/** The whole API in one process, with two signed-in people, keys of every scope, and a ready relay. */
import { makeApi } from '@porttunneler/shared/api/app'
import type { ApiDeps } from '@porttunneler/shared/api/kit'
import type { Scope } from '@porttunneler/shared/api/schemas/access'
import type { Control } from '@porttunneler/shared/control/control'
import { users } from '@porttunneler/shared/control/documents'
import { signInByPasskey } from '@porttunneler/shared/control/factors/passkey-sign-in'
import { createKey } from '@porttunneler/shared/control/keys'
import { runAct } from '@porttunneler/shared/control/operator/acts'
import type { Principals } from '@porttunneler/shared/control/principals'
import { admitStranger } from '@porttunneler/shared/control/registration'
import { hasInvitation } from '@porttunneler/shared/control/team/open-invitations'
import { signInRoutes } from '../platform/identity.local.routes.ts'
import { makeTestControl } from './control.ts'

export type TestApi = Awaited<ReturnType<typeof makeTestApi>>

export type Call = {
  readonly token?: string
  readonly json?: unknown
  readonly form?: Readonly<Record<string, string>>
  /** Sent unchanged. */
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

export async function makeTestApi(
  changes: Partial<ApiDeps> = {},
  options: Parameters<typeof makeTestControl>[0] = {},
) {
  const t = makeTestControl(options)
  await t.openCell()
  const { identity, relayIdentity } = t
  const addressOf: ApiDeps['addressOf'] = (c) => c.req.header('x-test-from') ?? '192.0.2.1'
  /** The API of this control plane, or of another one over the same store. */
  const over = (control: Control, principals: Principals) => {
    const admit = (code: string | undefined) => admitStranger(control, code)
    const isInvited = (asked: Parameters<typeof hasInvitation>[1]) => hasInvitation(control, asked)
    const checkPasskey: Parameters<typeof signInRoutes>[0]['checkPasskey'] = (assertion, source) =>
      signInByPasskey(control, assertion, source)
    const confirm = (signIn: string) => control.signIns.confirm(signIn, 'password')
    const mounts = [
      signInRoutes({ identity, addressOf, isHttps: () => true, admit, isInvited, checkPasskey, confirm }),
    ]
    const app = makeApi({ control, principals, addressOf, enrolment: relayIdentity, mounts, ...changes })
    const call = async (method: string, path: string, asked: Call = {}) =>
      app.request(`https://tunnel.example.com${path}`, { method, ...requestOf(asked) })
    return { app, call }
  }
  const signUp = async (email: string) =>
    (await identity.register({ email, password: 'correct horse battery' }, { from: '' })).tokens.accessToken
  const ada = await signUp('ada@example.com')
  const eve = await signUp('eve@example.com')
  const owner = await t.principals.authenticate(ada, '')
  const keyWith = async (scope: Scope) =>
    (await createKey(t.of(owner), owner, { name: `${scope} key`, scopes: [scope] })).secret
  return {
    ...t,
    ...over(t.control, t.principals),
    over,
    ada,
    eve,
    owner,
    adminKey: await keyWith('admin'),
    tunnelsKey: await keyWith('tunnels'),
    readKey: await keyWith('read'),
  }
}

/** Signs up somebody, makes them an operator, and waits until every process knows. @returns their token and id */
export async function signInOperator(t: TestApi, email = 'grace@example.com') {
  const { tokens } = await t.identity.register({ email, password: 'correct horse battery' }, { from: '' })
  const { member } = await t.principals.authenticate(tokens.accessToken, '')
  const office = { control: t.control, enrolment: t.relayIdentity }
  await runAct(office, { act: 'operators.add', input: { who: member }, operator: 'test' })
  // Only a proven address makes an operator.
  await t.control.store.update(users.ref(member), { emailVerified: true })
  t.clock.advance(31_000)
  return { token: tokens.accessToken, member }
}

function requestOf({ token, json, form, body, headers = {} }: Call): RequestInit {
  const type = form ? 'application/x-www-form-urlencoded' : 'application/json'
  const sent = body ?? (form ? new URLSearchParams(form).toString() : json && JSON.stringify(json))
  return {
    headers: {
      ...(sent === undefined ? {} : { 'content-type': type }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(typeof sent === 'string' ? { body: sent } : {}),
  }
}
