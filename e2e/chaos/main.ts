/**
 * `npm run chaos`: a real server and agent in network namespaces, and everything a network does to them. Builds the
 * namespaces, runs scenarios from inside the visitors' one, and takes everything down again.
 *
 *   npm run chaos -- --only black-hole --seed 7      npm run chaos -- --short
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { missingOf, sayMissing } from '../harness/installed.ts'
import { readOptions } from '../harness/options.ts'
import { buildNetwork, nameNetwork } from './network.ts'
import { scenarios } from './scenarios.ts'

const values = readOptions({
  name: 'chaos',
  what: 'A real server and agent in network namespaces, and everything that a network does to them.',
  takes: 'Takes about 25 minutes, with --short about 8; needs root, ip, nft and ss.',
  options: {
    only: {
      type: 'string',
      multiple: true,
      default: [],
      value: 'scenario',
      says: `may be repeated: ${scenarios.map(({ name }) => name).join(', ')}`,
    },
    seed: {
      type: 'string',
      value: 'number',
      says: 'repeats a run; drawn by default',
    },
    short: { type: 'boolean', default: false, says: 'each scenario once, and briefly' },
  },
})

const seed = values.seed ?? String(randomInt(1_000_000))

const say = (line: string) => process.stdout.write(`${line}\n`)

async function main(): Promise<number> {
  const unknown = values.only.filter((name) => !scenarios.some((scenario) => scenario.name === name))
  if (unknown.length > 0) {
    say(`no scenario ${unknown.join(', ')}; there are ${scenarios.map(({ name }) => name).join(', ')}`)
    return 2
  }
  const missing = missingOf(['ip', 'nft', 'ss', 'namespaces'])
  if (missing.length > 0) {
    say(`left out: chaos: ${sayMissing(missing)}`)
    return process.env.CI === 'true' ? 1 : 0
  }
  const name = `ptun-chaos-${process.pid}`
  const network = nameNetwork(name)
  let inner: ChildProcess | undefined
  const leave = () => inner?.kill('SIGTERM')
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, leave)
  try {
    buildNetwork(network)
    say(`seed ${seed}${values.short ? ', short' : ''}`)
    say('| scenario | | measured | took |\n|---|---|---|---|')
    const command = ['netns', 'exec', network.at('visitors'), process.execPath, run, '--network', name]
    const only = values.only.flatMap((one) => ['--only', one])
    const args = [...command, '--seed', seed, ...only, ...(values.short ? ['--short'] : [])]
    // The channel tells the runner that this process is gone, whatever ended it.
    inner = spawn('ip', args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const [code] = await once(inner, 'exit')
    return typeof code === 'number' ? code : 1
  } finally {
    network.remove()
  }
}

const run = fileURLToPath(new URL('run.ts', import.meta.url))
process.exitCode = await main()
