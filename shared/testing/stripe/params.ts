/**
 * Schemas of parameters, tied to the SDK's declarations: a name that the SDK does not have, or a value that it does not
 * allow, does not compile. A parameter that is in no schema is refused, as Stripe refuses those it does not know.
 */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { invalid, type Refusal } from './refusal.ts'

type Plain = string | number | boolean | null | undefined
/** As it is on the wire, where decimals are texts; what may be absent may also be undefined, as in zod's types. */
type Wired<T> = T extends Plain
  ? T
  : T extends Stripe.Decimal
    ? string
    : T extends readonly (infer I)[]
      ? readonly Wired<I>[]
      : {
          readonly [K in keyof T]: Wired<T[K]> | (Record<never, never> extends Pick<T, K> ? undefined : never)
        }
type Shape<P> = { readonly [K in keyof P]?: z.ZodType<Wired<P[K]> | undefined> }
type NoOthers<S, P> = { readonly [K in Exclude<keyof S, keyof P>]: never }

/** `params<Stripe.CustomerCreateParams>()({ email: text.optional() })` */
export function params<P>() {
  return <const S extends Shape<P> & Readonly<Record<string, z.ZodType>>>(shape: S & NoOthers<S, P>) =>
    z.strictObject<S>(shape)
}

export const text = z.string().min(1).max(5_000)
export const int = z
  .string()
  .regex(/^-?\d{1,15}$/, 'Invalid integer')
  .transform(Number)
export const flag = z.enum(['true', 'false']).transform((value) => value === 'true')
/** Stripe allows 12 places after the point. */
export const decimal = z.string().regex(/^-?\d{1,15}(\.\d{1,12})?$/, 'Invalid decimal')
export const empty = z.literal('')
export const metadata = z
  .record(z.string().min(1).max(40), z.string().max(500))
  .refine((map) => Object.keys(map).length <= 50, 'You can only specify up to 50 metadata keys')
export const anyMetadata = z.union([empty, metadata])
export const currency = z
  .string()
  .regex(/^[a-z]{3}$/i, 'Invalid currency')
  .transform((code) => code.toLowerCase())
export const url = z.url({ protocol: /^https?$/ }).max(2_048)

export const createdRange = z.union([
  int,
  z.strictObject({ gt: int.optional(), gte: int.optional(), lt: int.optional(), lte: int.optional() }),
])
export type CreatedRange = z.output<typeof createdRange>

/** What every list takes. */
export const paging = {
  limit: z
    .string()
    .regex(/^\d{1,3}$/, 'Invalid integer')
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= 100, 'This value must be between 1 and 100')
    .optional(),
  starting_after: text.optional(),
  ending_before: text.optional(),
}
export const none = z.strictObject({})

/** The first problem, in Stripe's words and with Stripe's code. */
export function refusalOf(error: z.ZodError): Refusal {
  const issue = deepest(error.issues[0])
  if (!issue) return invalid('Invalid request')
  const [first, ...rest] = issue.path.map(String)
  const param = [first, ...rest.map((part) => `[${part}]`)].join('')
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys
    const name = first === undefined ? key : `${param}[${key}]`
    return invalid(`Received unknown parameter: ${name}`, { param: name, code: 'parameter_unknown' })
  }
  if (issue.code === 'invalid_type' && issue.input === undefined)
    return invalid(`Missing required param: ${param}.`, { param, code: 'parameter_missing' })
  return invalid(`${issue.message}: ${param}`, { param, code: codeOf(issue.message) })
}

type Issue = z.core.$ZodIssue

/** In a union, the branch that came furthest: most people mean that one. */
function deepest(issue: Issue | undefined): Issue | undefined {
  if (issue?.code !== 'invalid_union') return issue
  const inner = issue.errors
    .flatMap(([first]) => (first ? [deepest(first)] : []))
    .filter((one): one is Issue => one !== undefined)
    .sort((a, b) => b.path.length - a.path.length || rank(b) - rank(a))[0]
  return inner ? { ...inner, path: [...issue.path, ...inner.path] } : issue
}

function rank({ code }: Issue): number {
  return code === 'unrecognized_keys' ? 1 : 0
}

function codeOf(message: string): string {
  if (message.startsWith('Invalid integer')) return 'parameter_invalid_integer'
  return message.startsWith('Too small') ? 'parameter_invalid_empty' : 'parameter_invalid'
}
