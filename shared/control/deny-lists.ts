/**
 * Ports and names that nobody gets. Mail ports because a relay that carries mail ends on every block list;
 * well-known ones because clients trust what answers there; names because a visitor reads them as who is speaking.
 */

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
  terms tls tunnel tunnels update updates uucp verify webmail webmaster wpad www www1 www2 xmpp`.split(/\s+/),
)

/** Whole words of a name, between hyphens: who phishers most like to be, what they ask for, and abuse. */
const misleadingWords: ReadonlySet<string> = new Set(
  `amazon amex appleid bank banking binance blockchain citibank coinbase dhl discord dropbox ebay facebook
  fedex gmail google hsbc icloud instagram irs kraken ledger linkedin mastercard metamask microsoft netflix office365
  onedrive outlook password passwords paypal paypall postbank roblox sparkasse steam steampowered stripe telegram
  tiktok trezor twitter usps visa wallet walletconnect webscr wellsfargo whatsapp yahoo kike rapist`.split(
    /\s+/,
  ),
)

/** Parts of a name: long enough that no ordinary word holds them. */
const misleadingParts: readonly string[] = [
  'paypal',
  'appleid',
  'metamask',
  'microsoft',
  'facebook',
  'instagram',
  'netflix',
  'coinbase',
  'whatsapp',
  'mastercard',
  'porttunneler',
]

const offensiveParts: readonly string[] = ['fuck', 'nigger', 'faggot', 'hitler', 'childporn']

/** Names of relay processes are made of these, in the same domain. */
const serviceShape = /^(relay|cell|node|r)-?\d*$/

/** @param name a tunnel's name, as tunnelNameSchema has it */
export function isNameDenied(name: string): boolean {
  // Digits that stand for letters: paypa1, g00gle, micr0s0ft.
  const plain = name.replaceAll('0', 'o').replaceAll('1', 'l').replaceAll('3', 'e').replaceAll('5', 's')
  if (name.startsWith('xn--') || serviceShape.test(name) || reservedNames.has(name)) return true
  const squeezed = plain.replaceAll('-', '')
  if (misleadingParts.some((part) => squeezed.includes(part))) return true
  if (offensiveParts.some((part) => squeezed.includes(part))) return true
  return [name, plain].some((form) => form.split('-').some((word) => misleadingWords.has(word)))
}
