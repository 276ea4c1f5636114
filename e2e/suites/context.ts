/** The input of a suite: the service of its platform, started once for all suites of a file. */
import type { Service } from '../harness/service.ts'

export type Context<S extends Service = Service> = { readonly service: S }
