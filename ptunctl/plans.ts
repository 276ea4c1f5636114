/** The catalogue of plans as a file (docs/plans.md): ptunctl reads the YAML, and the control plane judges it. */
import { createReadStream } from 'node:fs'
import { fail } from '@porttunneler/shared/base/errors'
import { readText } from '@porttunneler/shared/base/read-text'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { parse, stringify } from 'yaml'
import { z } from 'zod'

const fileBytesMax = 256 * 1024
const inputSchema = z.looseObject({ file: z.string().min(1) })

/** @returns the input with the file's content in place of its name @throws operator.usage, plan.catalogue */
export async function withPlans(input: object): Promise<object> {
  const { file, ...others } = inputSchema.parse(input)
  return { ...others, file: readYaml(await readFile(file)) }
}

/** As `ptunctl plans apply` reads it. */
export function plansText(catalogue: unknown): string {
  return stringify(catalogue, { lineWidth: 110 })
}

async function readFile(path: string): Promise<string> {
  try {
    return await readText(createReadStream(path), fileBytesMax)
  } catch (cause) {
    throw fail('operator.usage', `${path} cannot be read: ${sayFileError(cause)}.`, { cause })
  }
}

function readYaml(text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 10 })
  } catch (cause) {
    throw fail('plan.catalogue', cause instanceof Error ? cause.message : undefined, { cause })
  }
}
