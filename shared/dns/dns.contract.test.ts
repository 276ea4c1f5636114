/** Every implementation of the role `Dns` by one suite. */
import { Secret } from '../base/secret.ts'
import { noDns } from '../control/own-records.ts'
import { openCloudflareServer } from '../testing/cloudflare-server.ts'
import { describeDns } from '../testing/dns.contract.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { openCloudflareDns } from './cloudflare.ts'

const zone = 'example.net'

describeDns('none', async () => ({
  dns: noDns,
  other: noDns,
  records: () => undefined,
  close: async () => {},
}))

describeDns('cloudflare', async () => {
  const clock = new FakeClock()
  const server = await openCloudflareServer({ now: () => clock.now() })
  server.zone(zone, [{ type: 'A', name: 'www.example.net', content: '192.0.2.1', ttl: 300, proxied: true }])
  const open = () =>
    openCloudflareDns({
      token: new Secret('good-token'),
      clock,
      baseUrl: server.baseUrl,
      isServed: async () => true,
    })
  const records = () =>
    server
      .recordsOf(zone)
      .map(({ type, name, content }) => `${type} ${name} ${content.replaceAll('"', '')}`)
      .toSorted()
  return { dns: open(), other: open(), records, close: () => server.close() }
})
