/**
 * Three network namespaces as three machines: agent, relay, visitors. The agent reaches the relay by an uplink that can
 * be made to fail; it reaches its upstreams, which are beside the visitors, by a line of its own that never fails.
 *
 *   visitors 10.77.2.2 ── 10.77.2.1 relay 10.77.1.1 ──uplink── 10.77.1.2 agent
 *       └ 10.77.3.1 ─────────────── office ────────────────── 10.77.3.2 ┘
 */
import { execFileSync, spawnSync } from 'node:child_process'

export const addresses = {
  /** The relay's own address, on no link, so it is reached over any. */
  relay: '10.77.0.1',
  visitors: '10.77.2.2',
  /** Upstreams listen here. */
  office: '10.77.3.1',
  /** Strangers come from another /24 than visitors, so that limits by source tell them apart. */
  stranger: '10.77.66.2',
} as const

export type Place = 'agent' | 'relay' | 'visitors'

export type Network = {
  /** Name of a place's namespace. */
  at(place: Place): string
  remove(): void
}

/** @param name in front of the namespaces' names; at most 20 characters */
export function nameNetwork(name: string): Network {
  const at = (place: Place) => `${name}-${place}`
  return {
    at,
    remove: () => {
      // Links go with their namespaces; a missing one does not matter.
      for (const place of ['agent', 'relay', 'visitors'] as const)
        spawnSync('ip', ['netns', 'del', at(place)], { stdio: 'ignore' })
    },
  }
}

export function buildNetwork(network: Network): void {
  for (const place of ['agent', 'relay', 'visitors'] as const) ip('netns', 'add', network.at(place))
  link(network, ['relay', 'agents', '10.77.1.1/24'], ['agent', 'uplink', '10.77.1.2/24'])
  link(network, ['relay', 'public', '10.77.2.1/24'], ['visitors', 'public', `${addresses.visitors}/24`])
  link(network, ['agent', 'office', '10.77.3.2/24'], ['visitors', 'office', `${addresses.office}/24`])
  const inside = (place: Place, ...args: string[]) => ip('-n', network.at(place), ...args)
  for (const place of ['agent', 'relay', 'visitors'] as const) inside(place, 'link', 'set', 'lo', 'up')
  inside('relay', 'addr', 'add', `${addresses.relay}/32`, 'dev', 'lo')
  inside('relay', 'addr', 'add', '10.77.66.1/24', 'dev', 'public')
  inside('visitors', 'addr', 'add', `${addresses.stranger}/24`, 'dev', 'public')
  inside('agent', 'route', 'add', addresses.relay, 'via', '10.77.1.1')
  inside('visitors', 'route', 'add', addresses.relay, 'via', '10.77.2.1', 'src', addresses.visitors)
}

/** The failures between agent and relay. */
export class Faults {
  readonly #network: Network
  #moves = 0

  constructor(network: Network) {
    this.#network = network
  }

  /** Drops everything both ways, and tells neither side. */
  blackHole(): void {
    this.#atInput('drop')
  }

  /** Each packet is lost with this chance, both ways. */
  lose(percent: number): void {
    this.#atInput(`numgen random mod 1000 < ${Math.round(percent * 10)} drop`)
  }

  /** Like `lose`, on the line of wire.ts, also for packets that only pass the relay's machine. */
  loseOnWire(percent: number): void {
    this.heal()
    const rule = `iifname "wire" numgen random mod 1000 < ${Math.round(percent * 10)} drop`
    for (const place of ['relay', 'agent'] as const) this.#addTable(place, rule, 'prerouting')
  }

  /** The relay's answer to the stranger's SYN does not arrive: its connections stay half-open. */
  muteAnswersToStranger(): void {
    const rule = `ip daddr ${addresses.stranger} tcp flags & (syn | ack) == syn | ack drop`
    this.#addTable('visitors', rule)
  }

  heal(): void {
    for (const place of ['agent', 'relay', 'visitors'] as const)
      spawnIn(this.#network.at(place), 'nft', 'delete', 'table', 'inet', 'chaos')
  }

  /** The agent's machine changes networks: its open connections lead nowhere. */
  moveAgent(): void {
    this.#moves += 1
    const agent = this.#network.at('agent')
    ip('-n', agent, 'addr', 'flush', 'dev', 'uplink')
    ip('-n', agent, 'addr', 'add', `${this.#agentAddress}/24`, 'dev', 'uplink')
    ip('-n', agent, 'route', 'replace', addresses.relay, 'via', '10.77.1.1')
  }

  /** The agents' machine stands for eight offices: its connections come from eight networks in turn. */
  spreadAgents(): void {
    const offices = Array.from({ length: 8 }, (_, index) => `${index} : 10.78.${index}.2`)
    const rule = `oifname "uplink" snat to numgen inc mod ${offices.length} map { ${offices.join(', ')} }`
    const chain = `chain out { type nat hook postrouting priority 100; ${rule}; }`
    inNamespace(this.#network.at('agent'), 'nft', `table ip offices { ${chain}; }`)
    ip('-n', this.#network.at('relay'), 'route', 'replace', '10.78.0.0/16', 'via', this.#agentAddress)
  }

  /** All come from one network again; does nothing if they already do. */
  gatherAgents(): void {
    spawnIn(this.#network.at('agent'), 'nft', 'delete', 'table', 'ip', 'offices')
  }

  /** Ends the established connections at a port of the relay, each side with an error. @returns how many */
  killConnections(port: number): number {
    const filter = ['state', 'established', `( sport = :${port} )`]
    const said = inNamespace(this.#network.at('relay'), 'ss', '-tKnH', ...filter)
    return said.split('\n').filter((line) => line.trim() !== '').length
  }

  get #agentAddress(): string {
    return `10.77.1.${2 + this.#moves}`
  }

  #atInput(verdict: string): void {
    this.heal()
    this.#addTable('relay', `iifname "agents" ${verdict}`)
    this.#addTable('agent', `iifname "uplink" ${verdict}`)
  }

  #addTable(place: Place, rule: string, hook: 'input' | 'prerouting' = 'input'): void {
    const table = `table inet chaos { chain ${hook} { type filter hook ${hook} priority -10; ${rule}; }; }`
    inNamespace(this.#network.at(place), 'nft', table)
  }
}

/** Runs the command to its end. @returns its stdout; rejects with its error output */
export function inNamespace(namespace: string, ...command: string[]): string {
  return execFileSync('ip', ['netns', 'exec', namespace, ...command], { encoding: 'utf8' })
}

/** Does not check for success. */
function spawnIn(namespace: string, ...command: string[]): void {
  spawnSync('ip', ['netns', 'exec', namespace, ...command], { stdio: 'ignore' })
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

type End = readonly [place: Place, device: string, address: string]

/** Made inside the namespaces at once, so that it is never visible outside. */
function link(network: Network, near: End, far: End): void {
  const peer = ['peer', 'name', far[1], 'netns', network.at(far[0])]
  ip('-n', network.at(near[0]), 'link', 'add', near[1], 'type', 'veth', ...peer)
  for (const [place, device, address] of [near, far]) {
    ip('-n', network.at(place), 'addr', 'add', address, 'dev', device)
    ip('-n', network.at(place), 'link', 'set', device, 'up')
  }
}
