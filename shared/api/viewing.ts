/**
 * What an operator who views an account (control/operator/views.ts) may call: reads that say `viewable`, and those that
 * need nobody. This is the one place that decides it, before anything of the request is looked at. Everything else is
 * closed, so a new route is closed until somebody opens it; access.test.ts has the list.
 */
import { fail } from '../base/errors.ts'
import { requirePermission } from '../control/caller.ts'
import { controlOf } from '../control/control.ts'
import { countRead, lookThrough, type Viewed } from '../control/operator/views.ts'
import { bearerOf } from './bearer.ts'
import type { AnyCall, ApiContext, ApiDeps, Declared } from './kit.ts'

/** Names the view, beside the operator's own bearer. */
const viewHeader = 'porttunneler-view'

/** @returns the view that the request is made through, if it is. @throws view.closed */
export function viewOf(c: ApiContext, declared: Declared): string | undefined {
  const view = c.req.header(viewHeader)
  if (view !== undefined && !isOpen(declared)) throw fail('view.closed')
  return view
}

function isOpen({ method, access, viewable }: Declared): boolean {
  if (method !== 'get') return false
  return 'public' in access ? access.bearer === undefined : viewable === true
}

/**
 * The call as the account's people would make it. Requests count for the operator.
 * @throws auth.*, view.over, view.closed where a page belongs to a person and the view is of the account alone
 */
export async function findViewCall(
  { control, principals, addressOf }: ApiDeps,
  c: ApiContext,
  {
    access,
    operationId: read = '',
    view,
  }: Pick<Declared, 'access' | 'operationId'> & { readonly view: string },
): Promise<{ readonly call: AnyCall; readonly subject: string }> {
  const bearer = bearerOf(c.req.header('authorization'))
  if (bearer.startsWith('pts_')) throw fail('auth.person')
  const from = addressOf(c)
  const { person: operator } = await principals.signIn(bearer, {
    from,
    userAgent: c.req.header('user-agent'),
  })
  const viewed = await lookThrough(control, operator, { view, from })
  const call = callOf(control, access, viewed)
  await countRead(control, operator, { view, read })
  return { call, subject: operator.id }
}

/** @throws auth.scope, view.closed */
function callOf(
  control: ApiDeps['control'],
  access: Declared['access'],
  { caller, person }: Viewed,
): AnyCall {
  if ('permission' in access) {
    requirePermission(caller, access.permission)
    return { caller, control: controlOf(control, caller.account) }
  }
  if (!('signedIn' in access) || !person)
    throw fail('view.closed', 'This page belongs to a person. View the account as that member to see it.')
  return { signedIn: person }
}
