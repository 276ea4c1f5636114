/** The parts of every group of routes: dependencies, a request's environment, declarations, shapes for OpenAPI. */
import { createRoute, OpenAPIHono, type RouteConfig, type RouteHandler } from '@hono/zod-openapi'
import type { Context, MiddlewareHandler } from 'hono'
import type { z } from 'zod'
import { codes, type ErrorKey, fail } from '../base/errors.ts'
import type { Caller } from '../control/caller.ts'
import type { AccountControl, Control } from '../control/control.ts'
import type { RelayClaims } from '../control/platform.ts'
import type { Principals, SignedIn } from '../control/principals.ts'
import type { Source } from '../control/sign-ins/beginning.ts'
import type { Permission } from './schemas/access.ts'

export type ApiDeps = {
  readonly control: Control
  readonly principals: Principals
  /** Where a request came from, as far as the shell around the API trusts it. */
  readonly addressOf: (context: Context) => string
  /** Undefined where relays prove themselves in another way. */
  readonly enrolment?: {
    enrol(
      key: string,
      name: string,
    ): Promise<{ readonly relay: string; readonly cell: string; readonly credential: string }>
  }
  /** Further routes of the shell, such as its sign-in. */
  readonly mounts?: readonly RouteGroup[]
  /** Requests a minute, counted in this process. */
  readonly rates?: { readonly perCaller: number; readonly perAddress: number }
}

export type ApiEnv = { readonly Variables: { readonly requestId: string; readonly call?: AnyCall } }
export type ApiContext = Context<ApiEnv>

/**
 * Who may call a route. The check, the description's `security`, and the table in docs/api.md follow from it.
 * `permission` is for a member of the chosen account, or for its keys unless `by` asks for a person. `evenStopped`: also
 * while the account is suspended or being deleted, and for a person who is leaving, who has a right to these.
 */
export type Access =
  | { readonly permission: Permission; readonly by?: 'any' | 'person'; readonly evenStopped?: true }
  | {
      readonly signedIn: 'person'
      readonly evenStopped?: true
      /** Also a sign-in that still has to show its second factor may call it. */
      readonly before?: 'factor'
    }
  | { readonly relay: true }
  | {
      readonly public: string
      /** The route checks a bearer itself, because no account is concerned. */
      readonly bearer?: 'required' | 'optional'
    }

/** How many of the caller's requests a minute a call counts as. */
export const rateClasses = { usual: 1, costly: 10 } as const
export type RateClass = keyof typeof rateClasses

/** A call for one account: `control` has nothing of other accounts. */
export type AccountCall = { readonly caller: Caller; readonly control: AccountControl }
type PersonCall = { readonly signedIn: SignedIn }
type RelayCall = { readonly relay: RelayClaims }
export type AnyCall = AccountCall | PersonCall | RelayCall | Record<never, never>

type CallOf<A extends Access> = A extends { readonly permission: Permission }
  ? AccountCall
  : A extends { readonly signedIn: 'person' }
    ? PersonCall
    : A extends { readonly relay: true }
      ? RelayCall
      : Record<never, never>

/** How a route is declared: OpenAPI's part, who may call it, what it costs, and how long its body may be. */
export type Declared = Omit<RouteConfig, 'security' | 'middleware'> & {
  readonly access: Access
  /** Default: usual. */
  readonly rate?: RateClass
  /**
   * Whether a person must have shown a moment ago who they are (control/sign-ins/fresh.ts). Words say when, and then
   * the handler asks. Keys are not asked.
   */
  readonly fresh?: true | string
  /** An operator who views the account or person gets it too (viewing.ts). Only for reads that show no secret. */
  readonly viewable?: true
  /** Default: 256 KiB, and 16 KiB where anybody may call. */
  readonly bodyBytesMax?: number
}

/** Keeps a declaration's literal types, which check its handler. */
export function route<const R extends Declared>(declared: R): R {
  return declared
}

type Entry = {
  readonly declared: Declared
  readonly handler: (c: ApiContext, call: AnyCall) => Response | Promise<Response>
}

/** Routes of one kind. Only `add` makes a route, so none lacks its declaration. */
export class RouteGroup {
  readonly #entries: Entry[] = []

  get declared(): readonly Declared[] {
    return this.#entries.map(({ declared }) => declared)
  }

  add<const R extends Declared>(
    declared: R,
    handler: (
      c: Parameters<RouteHandler<R, ApiEnv>>[0],
      call: CallOf<R['access']>,
    ) => ReturnType<RouteHandler<R, ApiEnv>>,
  ): this {
    this.#entries.push({ declared, handler: handler as unknown as Entry['handler'] })
    return this
  }

  /** @param guard runs before every request is looked at: authentication and limits, by the declaration */
  mount(guard: (declared: Declared) => readonly MiddlewareHandler[]): OpenAPIHono<ApiEnv> {
    const app = new OpenAPIHono<ApiEnv>({
      defaultHook: (result) => {
        if (!result.success) throw invalid(result.error)
      },
    })
    for (const { declared, handler } of this.#entries) {
      const { access: _, rate: __, bodyBytesMax: ___, fresh: ____, viewable: _____, ...config } = declared
      const route = createRoute({ ...config, ...describeAccess(declared), middleware: [...guard(declared)] })
      app.openapi(route, (c) => handler(c as ApiContext, c.get('call') ?? {}) as never)
    }
    return app
  }
}

/** The description's text about access: how to authenticate, the right that is needed, what the call counts as. */
function describeAccess({ access, rate = 'usual', fresh, viewable }: Declared) {
  const costs = {
    'x-rate': rate,
    ...(fresh && { 'x-fresh': fresh === true ? 'always' : fresh }),
    ...(viewable && { 'x-viewable': true }),
  }
  if ('public' in access) {
    const bearer = access.bearer ? [{ bearer: [] }] : []
    return {
      security: access.bearer === 'optional' ? [...bearer, {}] : bearer,
      'x-access': 'public',
      ...costs,
    }
  }
  if ('relay' in access) return { security: [{ relay: [] }], 'x-access': 'relay', ...costs }
  if ('signedIn' in access) return { security: [{ bearer: [] }], 'x-access': 'person', ...costs }
  const by = access.by === 'person' ? { 'x-by': 'person' } : {}
  return { security: [{ bearer: [] }], 'x-access': access.permission, ...by, ...costs }
}

/** Says which field is wrong, never what was sent in it; except for a name, where our own rule knows why. */
function invalid(error: z.core.$ZodError) {
  const pathOf = ({ path }: z.core.$ZodIssue) => path.map(String).join('.')
  const [coded] = error.issues.flatMap((issue) => codedIssue(issue) ?? [])
  if (coded && error.issues.every((issue) => pathOf(issue) === pathOf(coded.issue)))
    return fail(coded.key, coded.issue.message)
  const plain = error.issues.filter((issue) => codedIssue(issue) === undefined)
  const issues = plain.slice(0, 20).map((issue) => ({ path: pathOf(issue), message: messageOf(issue) }))
  const [first] = issues
  const detail = first && (first.path === '' ? first.message : `${first.path}: ${first.message}`)
  // Checks that a schema cannot express ran after it.
  const isShape = plain.some(({ code }) => code !== 'custom')
  return fail(isShape ? 'api.invalid' : 'api.combination', detail, { fields: { issues } })
}

/** A pattern tells people nothing; schemas that can say more bring words of their own. */
function messageOf({ message }: z.core.$ZodIssue): string {
  return message.startsWith('Invalid string: must match pattern')
    ? 'it is not written in the form that it has'
    : message
}

/** One of our checks that knows better than the schema what is wrong. */
function codedIssue(
  issue: z.core.$ZodIssue,
): { readonly key: ErrorKey; readonly issue: z.core.$ZodIssue } | undefined {
  const key = issue.code === 'custom' ? issue.params?.key : undefined
  return typeof key === 'string' && Object.hasOwn(codes, key) ? { key: key as ErrorKey, issue } : undefined
}

/** Where a request came from, and what its program calls itself. */
export function sourceReader({ addressOf }: Pick<ApiDeps, 'addressOf'>): (c: Context) => Source {
  return (c) => ({ from: addressOf(c), userAgent: c.req.header('user-agent') })
}

export const jsonBody = <T extends z.ZodType>(schema: T) => ({
  body: { required: true, content: { 'application/json': { schema } } },
})

export const formBody = <T extends z.ZodType>(schema: T) => ({
  body: { required: true, content: { 'application/x-www-form-urlencoded': { schema } } },
})

export const jsonAnswer = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

export const emptyAnswer = (description: string) => ({ 204: { description } })
