/**
 * The browser and the system that a User-Agent names, in words that a person recognises: "Firefox on Windows". It is
 * the caller's own word and proves nothing. Versions are left out: they change monthly, and the device does not.
 */

/** Browsers say what they are within this; the rest of a longer text is not looked at. */
const lengthMax = 300

/** The first that matches counts: most browsers also name those that they are compatible with. */
const browsers: readonly (readonly [part: string, words: string])[] = [
  ['ptun/', 'ptun'],
  ['Edg', 'Edge'],
  ['OPR/', 'Opera'],
  ['SamsungBrowser/', 'Samsung Internet'],
  ['Vivaldi/', 'Vivaldi'],
  ['Firefox/', 'Firefox'],
  ['FxiOS/', 'Firefox'],
  ['CriOS/', 'Chrome'],
  ['Chrome/', 'Chrome'],
  ['Safari/', 'Safari'],
  ['curl/', 'curl'],
]
const systems: readonly (readonly [part: string, words: string])[] = [
  ['Android', 'Android'],
  ['iPhone', 'iPhone'],
  ['iPad', 'iPad'],
  ['Windows', 'Windows'],
  ['CrOS', 'ChromeOS'],
  ['Macintosh', 'macOS'],
  ['Linux', 'Linux'],
]

export function deviceWords(userAgent: string): string {
  const text = userAgent.slice(0, lengthMax)
  const browser = wordsFor(browsers, text)
  const system = wordsFor(systems, text)
  if (browser && system) return `${browser} on ${system}`
  return browser ?? (system ? `A browser on ${system}` : 'An unknown device')
}

function wordsFor(table: typeof browsers, text: string): string | undefined {
  return table.find(([part]) => text.includes(part))?.[1]
}
