/**
 * Synthesises the stacks of one environment: `node cdktf/main.ts --env prod`. A release names what it deploys:
 * `--functions SHA256 --relays relay-vm/dist/SHA256SUMS`.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { runFor } from './command.ts'
import { withDeployed } from './read-environment.ts'
import { makeStacks } from './stacks/all.ts'

await runFor(
  (written, { functions, relays }) => {
    if ((functions === undefined) !== (relays === undefined))
      throw new Error('Name --functions and --relays, or none')
    const environment =
      typeof functions !== 'string' || typeof relays !== 'string'
        ? written
        : withDeployed(written, { functions, relays: readFileSync(relays, 'utf8') })
    const { app, stacks } = makeStacks(environment, join(import.meta.dirname, 'cdktf.out'))
    app.synth()
    process.stdout.write(
      `Synthesised for ${environment.name}: ${stacks.map(({ node }) => node.id).join(', ')}\n`,
    )
  },
  { functions: { type: 'string' }, relays: { type: 'string' } },
)
