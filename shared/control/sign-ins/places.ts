/**
 * Whether somebody signs in from a device or a network that is new for them. A network is what one provider usually
 * has, because addresses change daily and the mail about a new place must stay rare. Only digests are kept.
 */
import { isAddress, plainAddress, sourcePath } from '../../base/addresses.ts'
import { hashSecret } from '../../base/ids.ts'
import type { SignInPlacesDoc } from './sign-in-documents.ts'

/** A place that was not used for this long is new again. */
const rememberedDays = 90
/** More devices and networks than a person uses in that time; the longest unused go first. */
const placesMax = 60
const dayMs = 86_400_000
/** Enough to tell one person's places apart. */
const digestLength = 16

type Visit = { readonly user: string; readonly from: string; readonly device: string }

/** @returns what is remembered from now on, and whether the place is news: never at a person's first sign-in */
export function visitPlace(
  before: SignInPlacesDoc | undefined,
  { user, from, device }: Visit,
  nowMs: number,
): { readonly doc: SignInPlacesDoc; readonly isNew: boolean } {
  const today = Math.floor(nowMs / dayMs)
  const known = (before?.seen ?? []).filter(({ day }) => today - day <= rememberedDays)
  const network = networkOf(from)
  const here = [`device ${device}`, ...(network === '' ? [] : [`network ${network}`])].map((place) =>
    hashSecret(`${user} ${place}`).slice(0, digestLength),
  )
  const isNew = before !== undefined && here.some((place) => !known.some((one) => one.place === place))
  const others = known.filter(({ place }) => !here.includes(place))
  const seen = [...here.map((place) => ({ place, day: today })), ...others].slice(0, placesMax)
  return { doc: { seen }, isNew }
}

/** The /16 of an IPv4 address, the /32 of an IPv6 one: about what a provider has in one region. */
function networkOf(from: string): string {
  const address = plainAddress(from)
  if (!isAddress(address)) return ''
  const [largest = ''] = sourcePath(address)
  const separator = address.includes(':') ? ':' : '.'
  return largest.split(separator).slice(0, 2).join(separator)
}
