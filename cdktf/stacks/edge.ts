/**
 * Cloudflare: the console behind its proxy, with a limit of requests; the domain of tunnels beside it, where visitors
 * come with any protocol and so reach relays directly. Records of cells belong to the job `dns.records`.
 */
import { DnsRecord } from '@cdktf/provider-cloudflare/lib/dns-record/index.js'
import { Ruleset } from '@cdktf/provider-cloudflare/lib/ruleset/index.js'
import { ZoneSetting } from '@cdktf/provider-cloudflare/lib/zone-setting/index.js'
import { Token } from 'cdktf'
import type { Construct } from 'constructs'
import { usualIssuers } from '../../shared/control/certificates/issuers.ts'
import { PorttunnelerStack, type StackOptions, useCloudflare } from './porttunneler-stack.ts'

const automaticTtl = 1
const hourTtl = 3_600
/** A page of the console makes about a dozen requests; a script gets its own code from the API long after that. */
const requestsPerPeriod = 300
const periodSeconds = 10

export class EdgeStack extends PorttunnelerStack {
  constructor(scope: Construct, options: StackOptions) {
    super(scope, 'edge', options)
    useCloudflare(this)
    this.#console()
    this.#tunnels()
  }

  #console(): void {
    const { consoleZoneId: zoneId, consoleHost, project } = this.environment
    new DnsRecord(this, 'console', {
      zoneId,
      name: consoleHost,
      type: 'CNAME',
      content: `${project}.web.app`,
      proxied: true,
      // Cloudflare refuses another one for what it proxies.
      ttl: automaticTtl,
      comment: 'PortTunneler: console and API, by Firebase Hosting',
    })
    const settings = { ssl: 'strict', min_tls_version: '1.2', always_use_https: 'on', tls_1_3: 'on' }
    // The binding's type for a value is an object; texts pass as they are.
    for (const [settingId, value] of Object.entries(settings))
      new ZoneSetting(this, settingId, { zoneId, settingId, value: Token.asAny(value) })
    const ofConsole = `(http.host eq "${consoleHost}")`
    new Ruleset(this, 'firewall', {
      zoneId,
      name: 'PortTunneler: what never reaches the console',
      kind: 'zone',
      phase: 'http_request_firewall_custom',
      rules: [
        {
          description: 'Methods that nothing here answers',
          action: 'block',
          enabled: true,
          expression: `${ofConsole} and not http.request.method in {"GET" "HEAD" "POST" "PUT" "PATCH" "DELETE" "OPTIONS"}`,
        },
      ],
    })
    new Ruleset(this, 'rate', {
      zoneId,
      name: 'PortTunneler: requests of one address',
      kind: 'zone',
      phase: 'http_ratelimit',
      rules: [
        {
          description: 'A flood; ordinary limits are the API’s own, with codes',
          action: 'block',
          enabled: true,
          expression: ofConsole,
          ratelimit: {
            // Cloudflare counts in each data centre, and wants to be told so.
            characteristics: ['ip.src', 'cf.colo.id'],
            period: periodSeconds,
            requestsPerPeriod,
            mitigationTimeout: periodSeconds,
          },
        },
      ],
    })
  }

  #tunnels(): void {
    const { relayZoneId: zoneId, relayDomain } = this.environment
    // Nobody sends mail in the name of a tunnel.
    new DnsRecord(this, 'no-mail', {
      zoneId,
      name: relayDomain,
      type: 'TXT',
      content: '"v=spf1 -all"',
      ttl: hourTtl,
    })
    for (const caa of usualIssuers.flatMap(({ caa = [] }) => caa))
      for (const tag of ['issue', 'issuewild']) {
        const record = new DnsRecord(this, `caa-${tag}-${caa}`, {
          zoneId,
          name: relayDomain,
          type: 'CAA',
          ttl: hourTtl,
          data: { tag, value: caa },
        })
        // The binding loses numbers below `data`.
        record.addOverride('data.flags', 0)
      }
  }
}
