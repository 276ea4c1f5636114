/** What one address of the API does: its parameters, which are checked before anything happens, and its effect. */
import type { z } from 'zod'
import { refusalOf } from './params.ts'
import type { World } from './world.ts'

export type Route = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: RegExp
  /** Reads the parameters and does it. @param ids what `:id` in the path was */
  readonly run: (world: World, raw: unknown, ids: readonly string[]) => object
}

/**
 * @param name such as `POST /v1/customers/:id`
 * @param run throws Refusal; must not have changed anything then, as Stripe's requests are all or nothing
 */
export function route<S extends z.ZodType>(
  name: `${Route['method']} /${string}`,
  schema: S,
  run: (world: World, params: z.output<S>, ...ids: string[]) => object,
): Route {
  const [method = '', path = ''] = name.split(' ')
  const pattern = path.replace(/:id/g, '([A-Za-z0-9_.-]+)').replaceAll('/', '\\/')
  return {
    method: method as Route['method'],
    path: new RegExp(`^${pattern}$`),
    run: (world, raw, ids) => {
      const read = schema.safeParse(raw, { reportInput: true })
      if (!read.success) throw refusalOf(read.error)
      return run(world, read.data, ...ids)
    },
  }
}
