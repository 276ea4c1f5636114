/**
 * Ports and names that nobody gets: mail ports, because a relay that carries mail ends up on every block list;
 * well-known ports, because clients trust what answers there; names that make visitors believe somebody else is
 * speaking.
 */
import { fail } from '../base/errors.ts'
import { nameMax, slipOfLabel } from '../base/labels.ts'
import { isMisleading } from '../base/misleading-words.ts'

/** Mail, on its usual and its alternative ports (25, 465, 587, 2525 and the mailbox protocols). */
const mailPorts = [24, 25, 109, 110, 143, 209, 220, 465, 587, 993, 995, 2525, 4190]
/** Ports above 1024 that programs still use by default without checking who listens. */
const trustedPorts = [1080, 3128, 4444, 5060, 5061, 6666, 6667, 6697, 8333, 18_080, 30_303]
const deniedPorts: ReadonlySet<number> = new Set([...mailPorts, ...trustedPorts])

export function isPortDenied(port: number): boolean {
  return port < 1024 || deniedPorts.has(port)
}

/** Hosts that browsers, mail and certificate authorities treat specially, and the service's own. */
const reservedNames: ReadonlySet<string> = new Set(
  `abuse account accounts acme admin administrator agent api assets auth autoconfig autodiscover billing
  broadcasthost cdn cell cloud connect console contact control dashboard dns docs domain download e2e email
  ftp gateway help host hostmaster id imap info internal invoice ipv4 ipv6 isatap issues keys legal
  localdomain localhost login logout mail mailer mailer-daemon manage metrics mta-sts noc no-reply
  noreply oauth official openpgpkey pay payment payments pop pop3 porttunneler postmaster
  privacy ptun register relay relays root secure security server service services settings signin signup
  sip smtp ssl ssladmin ssladministrator sslwebmaster sso staff static status support sync sysadmin system
  terms tls to tunnel tunnels update updates uucp verify webmail webmaster wpad www www1 www2 xmpp`.split(
    /\s+/,
  ),
)

/** Relays, and servers of names and mail, have names of this shape in the same domain. */
const serviceShape = /^(relay|cell|node|r|ns|mx)-?\d*$/

/** @param name a tunnel's name that tunnelNameSchema has accepted */
export function isNameDenied(name: string): boolean {
  if (name.startsWith('xn--') || serviceShape.test(name) || reservedNames.has(name)) return true
  return isMisleading(name)
}

/** Checks a name before a host gets it for the first time. @throws name.*, endpoint.name_denied */
export function checkNewName(name: string): void {
  const slip = slipOfLabel(name, nameMax)
  if (slip) throw slip
  if (isNameDenied(name)) throw fail('endpoint.name_denied', `"${name}" cannot be the name of a host here.`)
}
