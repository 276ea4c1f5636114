/**
 * Amounts as people read them: the same in the console and in `ptun`. Bytes are decimal (1 kB = 1,000 bytes), as on the
 * bill.
 */

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const

/** 0 B, 999 B, 1.5 kB, 12.3 MB, 120 GB: three digits at most. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes)
  let unit = 0
  // 999.5 would round to 1000 of the smaller unit.
  while (value >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1_000
    unit += 1
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1
  return `${value.toFixed(digits).replace(/\.0$/, '')} ${byteUnits[unit]}`
}

const ordinals = new Intl.PluralRules('en', { type: 'ordinal' })
const endings: Partial<Record<Intl.LDMLPluralRule, string>> = { one: 'st', two: 'nd', few: 'rd' }

/** 1st, 2nd, 3rd, 4th, 11th, 21st: the place of something in a list, counted from 1. */
export function formatOrdinal(place: number): string {
  return `${place}${endings[ordinals.select(place)] ?? 'th'}`
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`
}
