/** The DNS outside: what stands in Cloudflare's zones at the time, and the names of Google's and Cloudflare's services. */
import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'
import { DnsWorld } from '@porttunneler/shared/testing/dns-world'
import { type Applied, functionsOf } from './state.ts'
import { addresses, grpcHosts, webHosts } from './world.ts'

type Line = { readonly name: string; readonly type: string; readonly content: string }

/**
 * Listens at the addresses of the machines' resolver and of those that functions ask.
 * @returns takes what a zone has from now on
 */
export async function serveNames(
  applied: Applied,
  project: string,
): Promise<(zone: string, lines: readonly Line[]) => Promise<void>> {
  const world = await DnsWorld.open(1)
  const fixed: readonly Line[] = [
    { name: 'metadata.google.internal', type: 'A', content: addresses.metadata },
    ...webHosts.map((name) => ({ name, type: 'A', content: addresses.web })),
    ...grpcHosts.map((name) => ({ name, type: 'A', content: addresses.grpc })),
    ...functionsOf(applied).map(({ host: name }) => ({ name, type: 'A', content: addresses.web })),
    // Every project has this name at Firebase Hosting.
    { name: `${project}.web.app`, type: 'A', content: addresses.web },
  ]
  const serve = (zone: string, lines: readonly Line[]) =>
    world.zone(
      zone,
      lines.map(
        ({ name, type, content }) =>
          `${name}. ${type} ${content.replace(/^"|"$/g, '')}${type === 'CNAME' ? '.' : ''}`,
      ),
      [addresses.zones],
    )
  for (const [zone, lines] of Map.groupBy(fixed, ({ name }) => zoneOf(name))) await serve(zone, lines)
  const [resolver] = world.resolvers
  for (const address of [addresses.names, ...addresses.resolvers]) await passOn(address, resolver?.port ?? 0)
  await passOn(addresses.zones, world.reach(addresses.zones)?.port ?? 0)
  return serve
}

/** The zone in which a name stands: none of ours is deeper. */
export function zoneOf(name: string): string {
  return name.split('.').slice(-2).join('.')
}

async function passOn(address: string, port: number): Promise<void> {
  const udp = createSocket('udp4')
  udp.on('message', (message, from) => {
    const asking = createSocket('udp4')
    asking.once('message', (answer) => {
      udp.send(answer, from.port, from.address)
      asking.close()
    })
    asking.send(message, port, '127.0.0.1')
  })
  await new Promise<void>((resolve) => udp.bind(53, address, resolve))
  const tcp = createServer((socket) => {
    const asking = connect({ port, host: '127.0.0.1' })
    for (const side of [socket, asking]) side.on('error', () => undefined)
    socket.pipe(asking).pipe(socket)
  })
  await new Promise<void>((resolve) => tcp.listen(53, address, resolve))
}
