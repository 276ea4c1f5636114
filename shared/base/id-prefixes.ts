/** The prefixes of ids, apart from their making, so that schemas can be read in a browser. */
export const idPrefixes = ['usr', 'acc', 'key', 'tun', 'rel', 'cmd', 'aud', 'ses', 'agt', 'wat'] as const
export type IdPrefix = (typeof idPrefixes)[number]
export type Id<P extends IdPrefix = IdPrefix> = `${P}_${string}`
