/**
 * The DNS of a test: zones with their own servers, and resolvers that follow delegations only within this world, all on
 * loopback by UDP and TCP. Servers have addresses of the documentation networks; `reach` says where they listen. A
 * server's faults are its `Behaviour`.
 */
import { createSocket } from 'node:dgram'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode, type Packet, type Question } from 'dns-packet'
import type { Peer } from '../dns/exchange.ts'

/** Done instead of an answer, or to it. */
export type Behaviour =
  | 'silent'
  | 'servfail'
  | 'refused'
  | 'no_authority'
  | 'garbage'
  | 'forged'
  | 'lower_case'
  | 'only_tcp'
  | 'giant'

type Zone = {
  readonly name: string
  readonly servers: readonly (readonly [name: string, address: string])[]
  records: Answer[]
}
type Reply = { readonly code: number; readonly answers: Answer[]; readonly authorities: Answer[] }

const codes = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const
const udpBytes = 1_232

export class DnsWorld {
  readonly #zones = new Map<string, Zone>()
  /** What a single server has of a zone, instead of what the zone has. */
  readonly #differing = new Map<string, Answer[]>()
  readonly #behaviours = new Map<string, Behaviour>()
  readonly #listeners = new Map<string, { readonly peer: Peer; close(): void }>()
  readonly #remembered = new Set<string>()
  /** Who was asked what, in order. */
  readonly asked: string[] = []
  resolvers: Peer[] = []

  /** The variables by which a server asks these resolvers. Servers of zones must have public addresses elsewhere. */
  get variables() {
    return {
      PORTTUNNELER_RESOLVERS: this.resolvers.map(({ address, port }) => `${address}:${port}`).join(','),
      PORTTUNNELER_TRUST_RESOLVERS: 'true',
    }
  }

  static async open(resolverCount = 3): Promise<DnsWorld> {
    const world = new DnsWorld()
    for (let n = 0; n < resolverCount; n++)
      world.resolvers.push(await world.#listen(`resolver ${n}`, (question) => world.#cached(n, question)))
    return world
  }

  /**
   * @param records lines of `name TYPE value`: `@` is the zone, a name without a final dot is below it
   * @param addresses of its servers `ns1.<zone>`, `ns2.<zone>` and so on
   */
  async zone(
    name: string,
    records: readonly string[],
    addresses: readonly string[] = [`203.0.113.${this.#listeners.size}`],
  ) {
    const servers = addresses.map((address, n) => [`ns${n + 1}.${name}`, address] as const)
    const parsed = records.map((line) => parseRecord(name, line))
    this.#zones.set(name, { name, servers, records: parsed })
    for (const [, address] of servers)
      if (!this.#listeners.has(address))
        await this.#listen(address, (question) => this.#answerAt(address, question))
  }

  /** What only the server at the address says of a zone. */
  differ(address: string, zone: string, records: readonly string[]): void {
    this.#differing.set(
      `${address} ${zone}`,
      records.map((line) => parseRecord(zone, line)),
    )
  }

  /** @param who an address, or `resolver <n>` */
  behave(who: string, behaviour: Behaviour): void {
    this.#behaviours.set(who, behaviour)
  }

  /** A resolver keeps that the name has no records. */
  remember(resolver: number, name: string): void {
    this.#remembered.add(`${resolver} ${name}`)
  }

  /** Nobody does anything wrong any more. */
  behaveWell(): void {
    this.#behaviours.clear()
    this.#differing.clear()
    this.#remembered.clear()
  }

  readonly reach = (address: string): Peer | undefined => this.#listeners.get(address)?.peer

  close(): void {
    for (const { close } of this.#listeners.values()) close()
  }

  #answerAt(address: string, question: Question): Reply & { readonly isAuthoritative: boolean } {
    const name = question.name.toLowerCase()
    const zone = this.#zoneOf(name, (one) => one.servers.some(([, at]) => at === address))
    if (!zone) return { code: codes.REFUSED, answers: [], authorities: [], isAuthoritative: false }
    const records = this.#differing.get(`${address} ${zone.name}`) ?? zone.records
    return { ...lookUp(zone, records, question), isAuthoritative: true }
  }

  #cached(resolver: number, question: Question): Reply & { readonly isAuthoritative: boolean } {
    const name = question.name.toLowerCase()
    const zone = this.#zoneOf(name)
    return this.#remembered.has(`${resolver} ${name}`) && zone
      ? { code: codes.NOERROR, answers: [], authorities: [soa(zone.name)], isAuthoritative: false }
      : this.#resolve(question)
  }

  #resolve(question: Question): Reply & { readonly isAuthoritative: boolean } {
    const answers: Answer[] = []
    let name = question.name.toLowerCase()
    for (let hops = 0; hops < 12; hops++) {
      const zone = this.#zoneOf(name)
      if (!zone)
        return {
          code: codes.NXDOMAIN,
          answers,
          authorities: [soa(name.split('.').at(-1) ?? '')],
          isAuthoritative: false,
        }
      const reply = lookUp(zone, zone.records, { ...question, name })
      answers.push(...reply.answers)
      const alias = reply.answers.find((one) => one.type === 'CNAME')
      if (question.type === 'CNAME' || alias?.type !== 'CNAME')
        return { ...reply, answers, isAuthoritative: false }
      name = alias.data.toLowerCase()
    }
    return { code: codes.SERVFAIL, answers: [], authorities: [], isAuthoritative: false }
  }

  #zoneOf(name: string, fits: (zone: Zone) => boolean = () => true): Zone | undefined {
    const found = [...this.#zones.values()].filter((zone) => isUnder(name, zone.name) && fits(zone))
    return found.toSorted((a, b) => b.name.length - a.name.length)[0]
  }

  async #listen(
    who: string,
    answer: (question: Question) => Reply & { readonly isAuthoritative: boolean },
  ): Promise<Peer> {
    const replyTo = (message: Buffer, protocol: 'udp' | 'tcp') =>
      this.#reply(who, { message, protocol }, answer)
    const { udp, tcp, port } = await bindBoth()
    udp.on('message', (message, from) => {
      for (const bytes of replyTo(message, 'udp')) udp.send(bytes, from.port, from.address)
    })
    const sockets = new Set<Socket>()
    tcp.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
      socket.on('data', (chunk) => {
        for (const bytes of replyTo(chunk.subarray(2), 'tcp')) {
          const length = Buffer.alloc(2)
          length.writeUInt16BE(bytes.length)
          socket.write(Buffer.concat([length, bytes]))
        }
      })
    })
    const peer = { address: '127.0.0.1', port }
    const close = () => {
      udp.close()
      tcp.close()
      for (const socket of sockets) socket.destroy()
    }
    this.#listeners.set(who, { peer, close })
    return peer
  }

  #reply(
    who: string,
    { message, protocol }: { readonly message: Buffer; readonly protocol: 'udp' | 'tcp' },
    answer: (question: Question) => Reply & { readonly isAuthoritative: boolean },
  ): readonly Buffer[] {
    const packet = decode(message)
    const [question] = packet.questions ?? []
    if (!question) return []
    this.asked.push(`${who} ${protocol} ${question.type} ${question.name.toLowerCase()}`)
    const behaviour = this.#behaviours.get(who)
    if (behaviour === 'silent' || (behaviour === 'only_tcp' && protocol === 'udp')) return []
    if (behaviour === 'garbage') return [Buffer.from('this is no message of the DNS at all')]
    const { code, answers, authorities, isAuthoritative } =
      behaviour === 'servfail' || behaviour === 'refused'
        ? {
            code: behaviour === 'refused' ? codes.REFUSED : codes.SERVFAIL,
            answers: [],
            authorities: [],
            isAuthoritative: false,
          }
        : answer(question)
    const isAuthority = isAuthoritative && behaviour !== 'no_authority'
    const filler = behaviour === 'giant' ? giantOf(question.name) : []
    const spelt = behaviour === 'lower_case' ? { ...question, name: question.name.toLowerCase() } : question
    const base: Packet = {
      type: 'response',
      id: packet.id ?? 0,
      flags: (isAuthority ? AUTHORITATIVE_ANSWER : 0) | code,
      questions: [spelt],
      answers: [...answers, ...filler],
      authorities,
    }
    const bytes = encode(base)
    const whole =
      protocol === 'udp' && bytes.length > udpBytes
        ? encode({ ...base, flags: (base.flags ?? 0) | (1 << 9), answers: [], authorities: [] })
        : bytes
    // A forger does not know the id; the real answer comes after.
    return behaviour === 'forged' ? [forge(base), whole] : [whole]
  }
}

/** One port for both protocols, which other programs may take in between. */
async function bindBoth() {
  for (let tries = 1; ; tries++) {
    const tcp = createServer()
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve))
    const { port } = tcp.address() as AddressInfo
    const udp = createSocket('udp4')
    try {
      await new Promise<void>((resolve, reject) => {
        udp.once('error', reject)
        udp.bind(port, '127.0.0.1', resolve)
      })
      return { tcp, udp, port }
    } catch (error) {
      tcp.close()
      udp.close()
      if (tries === 20) throw error
    }
  }
}

function forge(base: Packet): Buffer {
  const answers: Answer[] = [{ type: 'TXT', name: base.questions?.[0]?.name ?? '.', data: 'forged' }]
  return encode({ ...base, id: ((base.id ?? 0) + 1) % 0x1_0000, answers })
}

function giantOf(name: string): Answer[] {
  return Array.from({ length: 220 }, (_, n) => ({
    type: 'TXT' as const,
    name,
    data: `${n}`.padEnd(250, 'x'),
  }))
}

function lookUp(zone: Zone, records: readonly Answer[], { name, type }: Question): Reply {
  const at = name.toLowerCase()
  if (at === zone.name && type === 'NS')
    return reply(zone.servers.map(([server]) => ({ type: 'NS', name: zone.name, data: server })))
  if (at === zone.name && type === 'SOA') return reply([soa(zone.name)])
  const server = zone.servers.find(([one]) => one === at)
  if (server && type === 'A') return reply([{ type: 'A', name: at, data: server[1] }])
  const exact = records.filter((record) => record.name === at)
  const parent = at.slice(at.indexOf('.') + 1)
  const isThere = at === zone.name || records.some((record) => isUnder(record.name, at))
  const covering = isThere ? [] : records.filter((record) => record.name === `*.${parent}`)
  const own = [...exact, ...covering.map((record) => ({ ...record, name: at }))]
  const found = own.filter((record) => record.type === type)
  const alias = own.filter((record) => record.type === 'CNAME')
  if (found.length > 0) return reply(found)
  if (alias.length > 0) return reply(alias)
  return {
    code: isThere || own.length > 0 ? codes.NOERROR : codes.NXDOMAIN,
    answers: [],
    authorities: [soa(zone.name)],
  }
}

function reply(answers: Answer[]): Reply {
  return { code: codes.NOERROR, answers, authorities: [] }
}

function soa(name: string): Answer {
  const times = { serial: 1, refresh: 60, retry: 60, expire: 60, minimum: 60 }
  return { type: 'SOA', name, data: { mname: `ns1.${name}`, rname: `admin.${name}`, ...times } }
}

function parseRecord(zone: string, line: string): Answer {
  const [, owner = '', type = '', value = ''] = /^(\S+) (\S+) (.*)$/.exec(line) ?? []
  const name = absolute(zone, owner)
  switch (type) {
    case 'CNAME':
      return { type, name, data: absolute(zone, value) }
    case 'CAA':
      return { type, name, data: { flags: 0, tag: 'issue', value } }
    case 'A':
    case 'AAAA':
    case 'TXT':
      return { type, name, data: value }
    default:
      throw new Error(`no record of this world: ${line}`)
  }
}

function absolute(zone: string, name: string): string {
  if (name === '@') return zone
  return name.endsWith('.') ? name.slice(0, -1) : `${name}.${zone}`
}

function isUnder(name: string, parent: string): boolean {
  return name === parent || name.endsWith(`.${parent}`)
}
