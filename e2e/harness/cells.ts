/** Cells of a control plane in this process, each with a real relay. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Relay } from '@porttunneler/relay-vm/relay'
import { testConfig } from '@porttunneler/relay-vm/testing/test-relay'
import { syncSchema } from '@porttunneler/shared/api/schemas/relays'
import { silentLog } from '@porttunneler/shared/base/log'
import { ensureCell } from '@porttunneler/shared/control/cells'
import { syncRelay } from '@porttunneler/shared/control/relays'
import type { TestControl } from '@porttunneler/standalone/testing/control'
import { eventually } from './events.ts'

const host = '127.0.0.1'

type Plane = Pick<TestControl, 'control'>

/** Opens a cell with one relay that has proved itself. @returns where its visitors come in */
export async function openCell(t: Plane, id: string, n: number, closers: (() => unknown)[]): Promise<number> {
  const domain = `${id}.test`
  const face = { httpScheme: 'http', httpPort: 80, tlsPort: 443 } as const
  await ensureCell(t.control, { id, host: domain, domain, portFrom: 20_000, portTo: 20_001, ...face })
  const dataDir = await mkdtemp(join(tmpdir(), 'ptun-cells-'))
  const claims = { relay: `rel_${`${n}`.padStart(26, '0')}`, cell: id }
  const names = { agentHost: host, agentSni: `r.${domain}`, names: [`relay.${domain}`], domain }
  const relay = new Relay({
    config: testConfig(dataDir, { instance: `r-${id}`, public: names }),
    log: silentLog,
    random: Math.random,
    control: {
      enrol: async () => ({ ...claims, credential: 'ptc_test' }),
      sync: (request) => syncRelay(t.control, claims, syncSchema.parse(JSON.parse(JSON.stringify(request)))),
    },
  })
  closers.push(async () => {
    await relay.close()
    await rm(dataDir, { recursive: true })
  })
  const ports = await relay.start()
  // Its report that it is ready is on its way.
  await eventually(
    `the relay of ${id} is ready`,
    async () => (await t.control.cells.lately(id)).relays[0]?.data.state === 'ready' || undefined,
  )
  return ports.httpPort
}
