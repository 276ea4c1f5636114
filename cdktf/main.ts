/**
 * Synthesises the stacks of one environment: `node cdktf/main.ts --env prod`. A release names what it deploys:
 * `--functions SHA256 --relays relay-vm/dist/SHA256SUMS`.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { readEnvironment, withDeployed } from './read-environment.ts'
import { makeStacks } from './stacks/all.ts'

const text = { type: 'string' } as const
const {
  env = '',
  functions,
  relays,
} = parseArgs({ options: { env: text, functions: text, relays: text } }).values
if ((functions === undefined) !== (relays === undefined))
  throw new Error('Name --functions and --relays, or none')
const written = readEnvironment(env)
const environment =
  functions === undefined || relays === undefined
    ? written
    : withDeployed(written, { functions, relays: readFileSync(relays, 'utf8') })
const { app, stacks } = makeStacks(environment, join(import.meta.dirname, 'cdktf.out'))
app.synth()
process.stdout.write(`Synthesised for ${env}: ${stacks.map(({ node }) => node.id).join(', ')}\n`)
