/**
 * Makes the metadata that a relay VM reads at its start: the keys of relay-vm/deploy/start-up.sh, each of which a
 * test looks for here.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { subscriptionName, topicName } from '../functions/platform/pubsub-names.ts'
import { topics } from '../shared/control/names.ts'
import type { Environment } from './environment.ts'
import { httpPort, ownPort, slotsOf, tlsPort, type Vm } from './names.ts'

const scripts = join(import.meta.dirname, '../relay-vm/deploy')
const adminPort = 8490

export function relayMetadata(environment: Environment, vm: Vm): { readonly [key: string]: string } {
  const { consoleHost, relayArchive, nodeArchive, release } = environment
  const { cell } = vm
  const subscriptions = slotsOf(vm).map((slot) => subscriptionName(topics.commands(cell.id), slot))
  return {
    'startup-script': readFileSync(join(scripts, 'start-up.sh'), 'utf8'),
    'shutdown-script': readFileSync(join(scripts, 'shutdown.sh'), 'utf8'),
    'enable-guest-attributes': 'TRUE',
    // Operators come by their Google accounts, and projects' SSH keys do not count.
    'enable-oslogin': 'TRUE',
    'ptun-control-url': `https://${consoleHost}`,
    'ptun-cell-host': cell.host,
    'ptun-domain': cell.host,
    'ptun-identity': 'google',
    'ptun-tls-port': `${tlsPort}`,
    'ptun-http-port': `${httpPort}`,
    'ptun-tcp-ports': `${cell.tcpPorts.first}-${cell.tcpPorts.last}`,
    'ptun-own-port': `${ownPort}`,
    'ptun-admin-port': `${adminPort}`,
    'ptun-relays': `${cell.relays}`,
    'ptun-subscriptions': subscriptions.join(' '),
    'ptun-events-topic': topicName(topics.events),
    'ptun-bundle-url': relayArchive.url,
    'ptun-bundle-sha256': relayArchive.sha256,
    'ptun-node-url': nodeArchive.url,
    'ptun-node-sha256': nodeArchive.sha256,
    'ptun-release-url': release.url,
    'ptun-release-keys': release.keys.join(' '),
    'ptun-oldest-release': release.oldest,
  }
}

/**
 * Keys of start-up.sh that are left at their defaults: no proxy stands in front of relays, certificates come from the
 * control plane, which also knows where live figures are, and the grace fits the kind of VM.
 */
export const unusedKeys = [
  'ptun-certificate-file',
  'ptun-certificate-key-file',
  'ptun-grace-seconds',
  'ptun-origin-pulls-ca-file',
  'ptun-origin-pulls-names',
  'ptun-proxy-protocol',
  'ptun-trusted-proxies',
  'ptun-watch-url',
] as const

/** Terraform reads `${` and `%{` in a text as the beginning of an expression. */
export function literal(text: string): string {
  // Functions, because in a replacement text `$$` would mean one `$`.
  return text.replaceAll('${', () => '$${').replaceAll('%{', () => '%%{')
}
