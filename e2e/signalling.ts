/**
 * `npm run signalling`: how long a deleted tunnel goes on serving its visitors, by Pub/Sub's emulator, SQLite and a
 * real relay; with `--down`, with Pub/Sub away, so that `sync` alone brings the command. docs/reliability.md
 *
 *   npm run signalling -- --deletes 100
 *   npm run signalling -- --down --deletes 3
 */
import { startPubsub } from '../functions/testing/emulators.ts'
import { readOptions } from './harness/options.ts'
import { startSignalling } from './harness/signalling.ts'

const values = readOptions({
  name: 'signalling',
  what: 'How long a deleted tunnel goes on serving its visitors: Pub/Sub’s emulator, SQLite and a real relay.',
  takes: 'Takes one to two minutes, with --down half a minute for each delete; needs Java.',
  options: {
    deletes: { type: 'string', default: '100', value: 'number', says: 'how many tunnels' },
    down: { type: 'boolean', default: false, says: 'Pub/Sub is away: sync alone brings the command' },
  },
})
const count = Number(values.deletes)
const emulator = values.down ? { host: '127.0.0.1:1', stop: async () => {} } : await startPubsub(process.env)
const signalling = await startSignalling({
  pubsub: emulator.host,
  project: `demo-signalling-${process.pid}`,
  isDown: values.down,
})
const took: number[] = []
try {
  const names = Array.from({ length: count }, (_, n) => `t${n}`)
  for (let start = 0; start < count; start += 20)
    for (const tunnel of await signalling.open(names.slice(start, start + 20))) {
      if ((await signalling.visit(tunnel)) !== 200) throw new Error(`${tunnel.name} serves nobody`)
      took.push(await signalling.timeDelete(tunnel))
    }
} finally {
  await signalling.close()
  await emulator.stop()
}
const sorted = took.toSorted((a, b) => a - b)
const at = (share: number) => Math.round(sorted[Math.ceil(sorted.length * share) - 1] ?? 0)
process.stdout.write(
  `${took.length} deletes${values.down ? ' without Pub/Sub' : ''}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms\n`,
)
