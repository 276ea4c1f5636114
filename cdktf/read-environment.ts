import { z } from 'zod'
import { type Environment, environmentSchema } from './environment.ts'
import { dev } from './environments/dev.ts'
import { prod } from './environments/prod.ts'
import { staging } from './environments/staging.ts'

export const environments = { dev, staging, prod } as const
export type EnvironmentName = keyof typeof environments

/** @throws Error with every fault and its place */
export function readEnvironment(name: string): Environment {
  const input = Object.entries(environments).find(([known]) => known === name)?.[1]
  if (!input) throw new Error(`No environment ${name}: ${Object.keys(environments).join(', ')}`)
  const parsed = environmentSchema.safeParse(input)
  if (!parsed.success) throw new Error(`cdktf/environments/${name}.ts:\n${z.prettifyError(parsed.error)}`)
  return parsed.data
}
