/** The relay machine's packet filter (relay-vm/deploy/nftables.conf): floods stop there, everybody else passes. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { eventually, patienceMs } from '../../harness/events.ts'
import { root, startProgram } from '../../harness/programs.ts'
import { inNamespace, type Network } from '../network.ts'
import { assertAtMost, ms, type Scenario } from '../scenario.ts'
import { askWeb, pingOnce, untilServed } from '../visitors.ts'
import { openWorld, relayPorts } from '../world.ts'

const file = join(root, 'relay-vm/deploy/nftables.conf')
/** What the file grants one /24; a fifth is added for the filter's own inaccuracy. */
const burst = 2_000
const perSecond = 200
const grain = 1.2

export const firewall: Scenario = {
  name: 'firewall',
  title: 'nftables.conf: agents and visitors pass, a flood from one network is cut down to its rate',
  async run({ network, isShort }) {
    const world = await openWorld(network)
    load(network)
    try {
      await pingOnce(world.echo)
      const flood = isShort ? 2_000 : 4_000
      const stranger = await startProgram('node', [
        'e2e/chaos/stranger.ts',
        'connect',
        String(world.echo.port),
        `${flood}`,
      ])
      const startMs = systemClock.monotonic()
      if (!isShort) await sleep(systemClock, 10_000)
      // On a busy machine the stranger takes its time to become a flood.
      await eventually('the flood is cut down', () => droppedIn(network) > 0 || undefined)
      // In the middle of it the agent comes anew, and visitors from another network get in.
      await world.agent.stop('SIGKILL')
      await world.restartAgent()
      const servedMs = await untilServed(world.echo, patienceMs)
      assert.equal((await askWeb(world)).status, 200)
      const passed = Number(/connected (\d+)/.exec(stranger.lines.items.at(-1)?.text ?? '')?.[1] ?? 0)
      const granted = burst + ((systemClock.monotonic() - startMs) / 1_000) * perSecond
      await stranger.stop('SIGKILL')
      const dropped = droppedIn(network)
      assert(passed > 0, 'the flood did not even begin')
      assert(dropped > 0, 'nothing was dropped')
      assertAtMost(passed, granted * grain, 'connections of the flood that got through')
      return [`${flood}/s: ${passed} got through, ${dropped} dropped`, `a visitor beside it ${ms(servedMs)}`]
    } finally {
      inNamespace(network.at('relay'), 'nft', 'delete', 'table', 'inet', 'porttunneler')
      await world.close()
    }
  },
}

/** As shipped, except for the ports. */
function load(network: Network): void {
  const text = readFileSync(file, 'utf8')
    .replace('agent_ports = { 443 }', `agent_ports = { ${relayPorts.tls} }`)
    .replace('visitor_ports = { 80,', `visitor_ports = { ${relayPorts.http},`)
  const folder = mkdtempSync(join(tmpdir(), 'ptun-nft-'))
  try {
    writeFileSync(join(folder, 'nftables.conf'), text)
    // Twice: loading it again must replace it.
    for (const _ of [1, 2]) inNamespace(network.at('relay'), 'nft', '-f', join(folder, 'nftables.conf'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Packets dropped by the rates for visitors. */
function droppedIn(network: Network): number {
  const rules = inNamespace(
    network.at('relay'),
    'nft',
    'list',
    'chain',
    'inet',
    'porttunneler',
    'new_connections',
  )
  const line = rules.split('\n').find((one) => one.includes('@visitors4')) ?? ''
  return Number(/counter packets (\d+)/.exec(line)?.[1] ?? 0)
}
