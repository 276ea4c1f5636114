/**
 * Ports and names that nobody gets. Mail ports because a relay that carries mail ends on every block list;
 * well-known ones because clients trust what answers there; names because a visitor reads them as who is speaking.
 */
import { fail } from '../base/errors.ts'
import { nameMax, slipOfLabel } from '../base/labels.ts'
import { isMisleading } from '../base/misleading-words.ts'

/** Mail, in its usual and its alternative ports (25, 465, 587, 2525 and the mailbox protocols). */
const mailPorts = [24, 25, 109, 110, 143, 209, 220, 465, 587, 993, 995, 2525, 4190]
/** Above 1024, and still what programs reach for by default without asking who listens. */
const trustedPorts = [1080, 3128, 4444, 5060, 5061, 6666, 6667, 6697, 8333, 18_080, 30_303]
const deniedPorts: ReadonlySet<number> = new Set([...mailPorts, ...trustedPorts])

export function isPortDenied(port: number): boolean {
  return port < 1024 || deniedPorts.has(port)
}

/** Hosts that browsers, mail and certificate authorities treat specially, and those of the service itself. */
const reservedNames: ReadonlySet<string> = new Set(
  `abuse account accounts acme admin administrator agent api assets auth autoconfig autodiscover billing
  broadcasthost cdn cell cloud connect console contact control dashboard dns docs domain download email
  ftp gateway help host hostmaster id imap info internal invoice ipv4 ipv6 isatap issues keys legal
  localdomain localhost login logout mail mailer mailer-daemon manage metrics mta-sts mx noc no-reply
  noreply ns ns0 ns1 ns2 ns3 ns4 oauth official pay payment payments pop pop3 porttunneler postmaster
  privacy ptun register relay relays root secure security server service services settings signin signup
  sip smtp ssl ssladmin ssladministrator sslwebmaster sso staff static status support sync sysadmin system
  terms tls to tunnel tunnels update updates uucp verify webmail webmaster wpad www www1 www2 xmpp`.split(
    /\s+/,
  ),
)

/** Names of relay processes are made of these, in the same domain. */
const serviceShape = /^(relay|cell|node|r)-?\d*$/

/** @param name a tunnel's name, as tunnelNameSchema has it */
export function isNameDenied(name: string): boolean {
  if (name.startsWith('xn--') || serviceShape.test(name) || reservedNames.has(name)) return true
  return isMisleading(name)
}

/** Before a host gets the name for the first time. @throws name.*, endpoint.name_denied */
export function checkNewName(name: string): void {
  const slip = slipOfLabel(name, nameMax)
  if (slip) throw slip
  if (isNameDenied(name)) throw fail('endpoint.name_denied', `"${name}" cannot be the name of a host here.`)
}
