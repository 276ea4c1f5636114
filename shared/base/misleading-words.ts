/**
 * Words that make a visitor believe somebody else is speaking, and words that nobody wants in an address. We check
 * names under our own domains (control/deny-lists.ts), and look-alikes in everybody's.
 */
import { wordOf } from './look-alikes.ts'

/** Whole words, between hyphens: the names that phishers like to use, what they ask for, and abuse. */
const misleadingWords: ReadonlySet<string> = new Set(
  `amazon amex appleid bank bankofamerica banking barclays binance blockchain citibank coinbase dhl discord dropbox ebay
  facebook fedex gmail google hotmail hsbc icloud instagram irs kraken ledger linkedin mastercard metamask microsoft
  netflix office365 onedrive outlook password passwords paypal paypall postbank revolut roblox santander sparkasse steam
  steampowered stripe telegram tiktok trezor twitter usps venmo visa wallet walletconnect webscr wellsfargo whatsapp
  yahoo kike nazi rape rapist`.split(/\s+/),
)

/** Parts of a name, long enough that no ordinary word contains them. */
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
  'walletconnect',
  'wellsfargo',
  'bankofamerica',
]

const offensiveParts: readonly string[] = ['fuck', 'nigger', 'faggot', 'hitler', 'childporn']

/** @param name a label in small Latin letters, digits and hyphens */
export function isMisleading(name: string): boolean {
  const plain = wordOf(name)
  // People read `rn` as m, and `vv` as w: rnicrosoft.
  const forms = [name, plain, plain.replaceAll('rn', 'm').replaceAll('vv', 'w')]
  return forms.some((form) => {
    const squeezed = form.replaceAll('-', '')
    if (misleadingParts.some((part) => squeezed.includes(part))) return true
    if (offensiveParts.some((part) => squeezed.includes(part))) return true
    return form.split('-').some((word) => misleadingWords.has(word))
  })
}
