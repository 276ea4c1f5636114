/**
 * `ptun api METHOD PATH`: any call of the API as the signed-in user, so that a terminal can do what the console can.
 */
import { text as readAll } from 'node:stream/consumers'
import { call } from '@porttunneler/shared/api/client-call'
import { fail } from '@porttunneler/shared/base/errors'
import { z } from 'zod'
import { type Context, callOptionsFor, connectApi } from '../context.ts'

export type ApiCallOptions = { readonly data?: string; readonly ifMatch?: string }

const methodSchema = z.enum(['GET', 'POST', 'PATCH', 'DELETE'])

/** Prints the answer as JSON, also without --json. @throws cli.usage, login.*, server.*, and the API's errors */
export async function callApi(
  context: Context,
  [method, path]: readonly [method: string, path: string],
  { data, ifMatch }: ApiCallOptions,
): Promise<number> {
  const known = methodSchema.safeParse(method.toUpperCase())
  if (!known.success) throw fail('cli.usage', `"${method}" is none of GET, POST, PATCH and DELETE.`)
  if (!/^\/v1\/[^\s#]*$/.test(path))
    throw fail('cli.usage', `"${path}" is not a path of the API, like /v1/tunnels.`)
  const json = data === undefined ? undefined : parse(data === '-' ? await readAll(process.stdin) : data)
  const { server, credential } = await connectApi(context)
  const answer = await call(callOptionsFor(context, server, credential), {
    method: known.data,
    path,
    answer: z.unknown(),
    ...(json !== undefined && { json }),
    ...(ifMatch !== undefined && { ifMatch: `"${ifMatch.replaceAll('"', '')}"` }),
  })
  if (answer !== undefined)
    context.stdout.write(`${JSON.stringify(answer, undefined, context.isJson ? 0 : 2)}\n`)
  return 0
}

/** @throws cli.usage */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw fail('cli.usage', `The body is not JSON: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  }
}
