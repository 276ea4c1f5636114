/** Synthesises the stacks of one environment: `node cdktf/main.ts --env prod`. */
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { readEnvironment } from './read-environment.ts'
import { makeStacks } from './stacks/all.ts'

const { env = '' } = parseArgs({ options: { env: { type: 'string' } } }).values
const { app, stacks } = makeStacks(readEnvironment(env), join(import.meta.dirname, 'cdktf.out'))
app.synth()
process.stdout.write(`Synthesised for ${env}: ${stacks.map(({ node }) => node.id).join(', ')}\n`)
