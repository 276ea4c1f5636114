/**
 * Cloudflare's API is lost for hours, while a relay comes and another goes. The control plane, its jobs and its client
 * of Cloudflare are the real ones; their clock is turned on by hand, so the hours take seconds, and the times in the
 * table are that clock's.
 */
import { Secret } from '@porttunneler/shared/base/secret'
import { ensureCell } from '@porttunneler/shared/control/cells'
import { syncRelay } from '@porttunneler/shared/control/relays'
import { openCloudflareDns } from '@porttunneler/shared/dns/cloudflare'
import { openCloudflareServer } from '@porttunneler/shared/testing/cloudflare-server'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { makeTestControl, quietSync } from '@porttunneler/standalone/testing/control'
import { check, type DrillResult } from './drill.ts'

const [zone, host, token] = ['example.net', 'eu.example.net', 'a-token-of-the-zone']
const minuteMs = 60_000
const awayMs = 3 * 60 * minuteMs
/** By then the next round has put everything right. */
const backMsMax = 15 * minuteMs
const addresses = { stays: '8.8.8.8', goes: '8.8.4.4', comes: '1.1.1.1' }

export async function loseDnsProvider(): Promise<DrillResult> {
  await using parts = new AsyncDisposableStack()
  const cloudflare = await openCloudflareServer({ token })
  parts.defer(() => cloudflare.close())
  cloudflare.zone(zone)
  const dns = openCloudflareDns({
    token: new Secret(token),
    clock: new FakeClock(),
    baseUrl: cloudflare.baseUrl,
    isServed: async () => true,
  })
  const plane = makeTestControl({ dns })
  parts.defer(() => plane.close())
  const cell = { id: 'eu', host, domain: host, portFrom: 20_000, portTo: 20_001 }
  await ensureCell(plane.control, { ...cell, httpScheme: 'https', httpPort: 443, tlsPort: 443 })
  let reporting: readonly string[] = [addresses.stays, addresses.goes]
  /** What each minute brings: reports of relays, and a round of jobs. */
  const minute = async () => {
    plane.clock.advance(minuteMs)
    for (const address of reporting) {
      const instance = `r${address.replaceAll('.', '-')}`
      const agentAddress = { host: address, port: 8444, sni: `${instance}.${host}` }
      const claims = { relay: `rel_${instance.replaceAll('-', '').padStart(26, '0')}`, cell: cell.id }
      await syncRelay(plane.control, claims, {
        ...quietSync,
        boot: { ...quietSync.boot, instance, agentAddress },
      })
    }
    await plane.runJobs()
  }
  const leadsTo = () =>
    cloudflare
      .recordsOf(zone)
      .filter(({ name }) => name === host)
      .map(({ content }) => content)
      .sort()
      .join()
  await minute()
  check(leadsTo() === [addresses.goes, addresses.stays].sort().join(), 'records lead to both relays')

  cloudflare.fail(503)
  reporting = [addresses.stays, addresses.comes]
  const before = cloudflare.requests.length
  for (let ms = 0; ms < awayMs; ms += minuteMs) await minute()
  check(leadsTo() === [addresses.goes, addresses.stays].sort().join(), 'records stay as they are meanwhile')
  const tries = cloudflare.requests.length - before
  cloudflare.fail(undefined)
  let rtoMs = 0
  const right = [addresses.comes, addresses.stays].sort().join()
  for (; leadsTo() !== right && rtoMs <= backMsMax; rtoMs += minuteMs) await minute()
  check(leadsTo() === right, 'records lead to the relays that report, within a quarter of an hour')
  return {
    lost: 'Cloudflare’s API for three hours, while one relay of a cell goes and another comes',
    rpo: 'nothing: records follow from what relays report',
    rtoMs,
    seen: `what resolved went on to resolve, the relay that stayed included; ${tries} calls were made meanwhile; the time is until the records were right again`,
  }
}
