/**
 * What `ptun import` makes of another program's configuration: tunnels as ptun.yaml has them, and a note for whatever
 * was left out or changed. A setting is taken over, known to need nothing, or noted: none is dropped in silence.
 */
import { nameMax, slipOfLabel } from '@porttunneler/shared/base/labels'
import { z } from 'zod'

/** @property place where it stands in the file that was read, such as `tunnels.web.oauth` */
export type Note = { readonly place: string; readonly text: string }

/** One tunnel on its way: rules fill it. */
export type Into = { name: string; readonly tunnel: { kind?: string; [setting: string]: unknown } }

export type Draft = {
  readonly tunnels: readonly Into[]
  readonly notes: readonly Note[]
  /** The outbound proxy of the agent. */
  readonly proxy?: string
}

/** Takes a setting over into a tunnel. @returns what the user has to know about it */
export type Rule = (value: unknown, into: Into) => string | undefined
export type Rules = { readonly [setting: string]: Rule }

export const text = z.string()
export const texts = z.array(text)
export const objectSchema = z.record(text, z.unknown())

/** It needs nothing here. */
export const needless: Rule = () => undefined

/** There is nothing like it here, or it is elsewhere. A setting that is off says nothing. */
export function cannot(text: string): Rule {
  return (value) => (value === false || value === '' || value === null ? undefined : text)
}

/** A rule for a value of this shape; another value is left out with a note. */
export function rule<T>(schema: z.ZodType<T>, take: (value: T, into: Into) => string | undefined): Rule {
  return (value, into) => {
    const parsed = schema.safeParse(value)
    if (!parsed.success) return 'its value was not understood'
    return take(parsed.data, into) ?? undefined
  }
}

/** Sets one field of the tunnel. */
export function into<T>(field: string, schema: z.ZodType<T>, as: (value: T) => unknown = (value) => value) {
  return rule(schema, (value, { tunnel }) => {
    tunnel[field] = as(value)
  })
}

/** Applies a rule to each setting. `before` is the place of them all, with its final dot. */
export function takeOver(
  settings: { readonly [setting: string]: unknown },
  { rules, target, before }: { readonly rules: Rules; readonly target: Into; readonly before: string },
): readonly Note[] {
  return Object.entries(settings).flatMap(([setting, value]) => {
    const own = Object.hasOwn(rules, setting) ? rules[setting] : undefined
    const text = own ? own(value, target) : 'ptun import does not know this setting; it was left out'
    return text === undefined ? [] : [{ place: `${before}${setting}`, text }]
  })
}

/** Gives each tunnel a name that it can have and no other one has. @returns them */
export function named(tunnels: readonly Into[]): readonly Into[] {
  const taken = new Set<string>()
  for (const tunnel of tunnels) {
    tunnel.name = nameFor(tunnel.name, taken)
    taken.add(tunnel.name)
  }
  return tunnels
}

/** A name that a tunnel can have, near to `wanted` and none of `taken`. */
function nameFor(wanted: string, taken: ReadonlySet<string>): string {
  const plain = wanted
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, nameMax - 4)
    .replace(/^-+|-+$/g, '')
  const base =
    plain === '' || slipOfLabel(plain, nameMax)
      ? `tunnel${plain && `-${plain}`}`.slice(0, nameMax - 4)
      : plain
  const tries = Array.from({ length: taken.size + 1 }, (_, at) => (at === 0 ? base : `${base}-${at + 1}`))
  return tries.find((name) => !taken.has(name)) ?? base
}
