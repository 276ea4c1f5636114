/**
 * A long line between agent and relay, which packets take their time on, in place of the uplink; and a way for visitors
 * to reach upstreams by the same line without any tunnel, to compare with.
 *
 *   visitors ── relay 10.77.4.1 ──wire── 10.77.4.2 agent ── office ── upstreams
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Program, startProgram } from '../harness/programs.ts'
import { addresses, inNamespace, type Network } from './network.ts'

const relayEnd = '10.77.4.1'
/** Where upstreams are reached at the agent's end of the line, at their own ports. */
export const wireAddress = '10.77.4.2'

export type Wire = {
  /** Sets it for all senders of the three machines, for connections that begin from now on. */
  useCongestionControl(name: 'reno' | 'bbr'): void
  remove(): Promise<void>
}

/** The toolchain that builds the line; without it there is no line. */
export function findGo(): string | undefined {
  for (const file of ['go', '/usr/local/go/bin/go'])
    try {
      execFileSync(file, ['version'], { stdio: 'ignore' })
      return file
    } catch {
      // It is not there.
    }
  return undefined
}

/** @param oneWayMs half of the round trip */
export async function layWire(network: Network, go: string, oneWayMs: number): Promise<Wire> {
  const folder = mkdtempSync(join(tmpdir(), 'ptun-wire-'))
  const binary = join(folder, 'wire')
  execFileSync(go, ['build', '-o', binary, '.'], { cwd: join(import.meta.dirname, 'wire') })
  const devices = { relay: `wr${process.pid}`, agent: `wa${process.pid}` }
  const program: Program = await startProgram(binary, [devices.relay, devices.agent, `${oneWayMs}`], {
    namespace: network.at('visitors'),
  })
  await program.lines.waitFor(({ text }) => text === 'ready', { what: 'the wire' })
  for (const [place, address] of [
    ['relay', relayEnd],
    ['agent', wireAddress],
  ] as const) {
    const device = devices[place]
    inNamespace(
      network.at('visitors'),
      'ip',
      'link',
      'set',
      device,
      'netns',
      network.at(place),
      'name',
      'wire',
    )
    const ip = (...args: string[]) => inNamespace(network.at(place), 'ip', ...args)
    ip('addr', 'add', `${address}/24`, 'dev', 'wire')
    ip('link', 'set', 'wire', 'up', 'txqueuelen', '10000')
    inNamespace(network.at(place), 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
  }
  inNamespace(network.at('agent'), 'ip', 'route', 'replace', addresses.relay, 'via', relayEnd)
  inNamespace(network.at('agent'), 'ip', 'route', 'add', `${addresses.visitors}/32`, 'via', relayEnd)
  inNamespace(network.at('visitors'), 'ip', 'route', 'add', '10.77.4.0/24', 'via', '10.77.2.1')
  // The agent's machine forwards packets from the line to the office, under its own address.
  inNamespace(network.at('agent'), 'nft', directTable)
  return {
    useCongestionControl: (name) => {
      for (const place of ['agent', 'relay', 'visitors'] as const)
        inNamespace(network.at(place), 'sysctl', '-qw', `net.ipv4.tcp_congestion_control=${name}`)
    },
    remove: async () => {
      inNamespace(network.at('agent'), 'ip', 'route', 'replace', addresses.relay, 'via', '10.77.1.1')
      await program.stop('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const directTable = `table ip direct {
  chain in {
    type nat hook prerouting priority -100;
    iifname "wire" ip daddr ${wireAddress} dnat to ${addresses.office};
  };
  chain out { type nat hook postrouting priority 100; oifname "office" masquerade; };
}`
