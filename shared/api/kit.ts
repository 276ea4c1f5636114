/** What every group of routes is made with: dependencies, the environment of a request, and shapes for OpenAPI. */
import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { z } from 'zod'
import { fail } from '../base/errors.ts'
import type { Caller } from '../control/caller.ts'
import type { Control } from '../control/control.ts'
import type { RelayClaims } from '../control/platform.ts'
import type { Principals } from '../control/principals.ts'

export type ApiDeps = {
  readonly control: Control
  readonly principals: Principals
  /** Where a request came from, as far as the shell around the API trusts it. */
  readonly addressOf: (context: Context) => string
  /** Absent where relays prove themselves otherwise than by enrolment. */
  readonly enrolment?: {
    enrol(
      key: string,
      name: string,
    ): Promise<{ readonly relay: string; readonly cell: string; readonly credential: string }>
  }
  /** Further routes of the shell, such as its sign-in. They answer without a caller, and show in the description. */
  readonly mounts?: readonly OpenAPIHono[]
  /** Requests a minute, in this process. */
  readonly rates?: { readonly perCaller: number; readonly perAddress: number }
}

export type ApiEnv = {
  readonly Variables: {
    readonly requestId: string
    readonly caller?: Caller
    readonly relay?: RelayClaims
  }
}
export type Routes = OpenAPIHono<ApiEnv>
export type ApiContext = Context<ApiEnv>

/** An empty group whose invalid requests become problems. */
export function newRoutes(): Routes {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalid(result.error)
    },
  })
}

/** Says which field is wrong, never what was sent in it. */
function invalid(error: z.core.$ZodError) {
  const issues = error.issues
    .slice(0, 20)
    .map(({ path, message }) => ({ path: path.map(String).join('.'), message }))
  const [first] = issues
  const detail = first && (first.path === '' ? first.message : `${first.path}: ${first.message}`)
  return fail('api.invalid', detail, { fields: { issues } })
}

/** Who asks; routes that are not public have one. */
export function callerOf(c: ApiContext): Caller {
  const caller = c.get('caller')
  if (!caller) throw fail('auth.invalid')
  return caller
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

/** Routes of one tag that want a bearer. */
export const signedIn = (tag: string) => ({ tags: [tag], security: [{ bearer: [] }] })
