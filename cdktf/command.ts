/** The commands of this folder: `npm run cloud:… -- --env prod`. */
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { Environment } from './environment.ts'
import { readEnvironment } from './read-environment.ts'

type Options = NonNullable<Parameters<typeof parseArgs>[0]>['options']
type Values = ReturnType<typeof parseArgs>['values']

/**
 * Runs it for the environment that `--env` names. What is wrong with the command line or the environment is said in a
 * line, without a stack.
 */
export async function runFor(
  run: (environment: Environment, values: Values) => Promise<void> | void,
  options: Options = {},
): Promise<void> {
  let given: { readonly environment: Environment; readonly values: Values }
  try {
    const { values } = parseArgs({ options: { ...options, env: { type: 'string', default: '' } } })
    given = { environment: readEnvironment(String(values.env)), values }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
    return
  }
  await run(given.environment, given.values)
}
