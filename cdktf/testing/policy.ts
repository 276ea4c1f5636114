/**
 * Facts about the cloud that no schema holds: what providers accept although it is wrong. Each policy looks at the
 * synthesised resources, and has mistakes that it must find, so that none can pass everything.
 */
import { z } from 'zod'
import type { Synthesised } from '../offline/workbench.ts'

/** A resource as synthesised. */
export type Settings = { [name: string]: unknown }
/** All stacks of an environment, as one. */
export type Stacks = {
  /** Every resource of a type, by its name in the file. */
  of(type: string): readonly (readonly [name: string, settings: Settings])[]
  readonly types: readonly string[]
  readonly providers: readonly (readonly [name: string, settings: Settings])[]
  readonly variables: readonly (readonly [name: string, settings: Settings])[]
}

export type Policy = {
  readonly rule: string
  /** A line for each breach; none: all is well. */
  breaches(stacks: Stacks): readonly string[]
  /** Each changes the resources so that the rule is broken. */
  readonly mistakes: readonly ((stacks: Stacks) => void)[]
}

export function stacksOf(contents: readonly Synthesised[]): Stacks {
  const all = contents.flatMap(({ resource }) => Object.entries(resource))
  return {
    of: (type) => all.filter(([name]) => name === type).flatMap(([, list]) => Object.entries(list)),
    types: [...new Set(all.map(([type]) => type))],
    providers: contents.flatMap(({ provider }) =>
      Object.entries(provider).flatMap(([name, list]) => list.map((settings) => [name, settings] as const)),
    ),
    variables: contents.flatMap(({ variable }) => Object.entries(variable)),
  }
}

/** A policy about each resource of some types. */
export function each(
  rule: string,
  types: readonly string[],
  isGood: (settings: Settings, type: string) => boolean,
  mistakes: readonly ((settings: Settings) => void)[],
): Policy {
  return {
    rule,
    breaches: (stacks) =>
      types.flatMap((type) => {
        const found = stacks.of(type)
        if (found.length === 0) return [`${type}: there is none`]
        return found.filter(([, settings]) => !isGood(settings, type)).map(([name]) => `${type}.${name}`)
      }),
    mistakes: mistakes.map((mistake) => (stacks) => {
      // The last one: a policy that looks only at the first would not notice.
      const last = stacks.of(types.at(-1) ?? '').at(-1)
      if (last) mistake(last[1])
    }),
  }
}

const settingsSchema = z.record(z.string(), z.unknown())

/** The parts of a nested block: Terraform takes one as an object and several as a list. */
export function parts(settings: Settings, name: string): readonly Settings[] {
  const value = settings[name]
  if (value === undefined) return []
  // Not parsed copies: a mistake must change the original.
  return (Array.isArray(value) ? value : [value]).filter(
    (part): part is Settings => settingsSchema.safeParse(part).success,
  )
}

export function part(settings: Settings, name: string): Settings {
  return parts(settings, name)[0] ?? {}
}

export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : []
}

/** Reads a duration such as `60s` or `0.1s`. */
export function seconds(value: unknown): number {
  return Number(/^(\d+(?:\.\d+)?)s$/.exec(String(value))?.[1] ?? Number.NaN)
}

export function has(settings: Settings, expected: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(expected).every(([name, value]) => settings[name] === value)
}
