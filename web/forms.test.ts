/** Forms reach the API in one way (parts/form.tsx), and times are shown in one way (parts/time-text.tsx). */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const sources = globSync('{pages,parts}/**/*.tsx', { cwd: import.meta.dirname }).map((file) => ({
  file,
  text: readFileSync(join(import.meta.dirname, file), 'utf8'),
}))

/** Forms of their own, with the reason. */
const apart: Readonly<Record<string, string>> = {
  'parts/form.tsx': 'it is the one',
  'parts/credentials-form.tsx': 'a sign-in: nothing of it is kept or lost',
  'parts/link-request.tsx': 'a sign-in',
  'pages/register.tsx': 'a sign-in',
  'pages/confirm.tsx': 'a sign-in',
  'pages/forgotten.tsx': 'a sign-in',
  'pages/invitation.tsx': 'a sign-in',
  'pages/second-step.tsx': 'a sign-in',
  'pages/device.tsx': 'it goes to an address, and sends nothing',
  'pages/operator-security.tsx': 'a search',
  'pages/operator-logs.tsx': 'a search',
  'pages/operator-abuse.tsx': 'a search',
  'pages/operator.tsx': 'a search',
  'pages/audit-search.tsx': 'a search',
  'pages/operator-compliance.tsx': 'it chooses the days of a report, as a search does',
  'pages/tunnel-connections.tsx': 'a search',
}

test('forms: whatever sends something to the API is a form of form.tsx', () => {
  const own = sources.filter(({ text }) => /<form\b/.test(text)).map(({ file }) => file)
  expect(own.toSorted()).toEqual(Object.keys(apart).toSorted())
})

test('forms: no dialog of what is shown once closes by Escape', () => {
  const once = sources.filter(({ text }) => /shown (?:this once|only now)/.test(text))
  expect(once.length).toBeGreaterThanOrEqual(3)
  for (const { file, text } of once) expect(text, file).toMatch(/\bisKept\b/)
  // A dialog that ignores its end is closed by a second Escape all the same.
  for (const { file, text } of sources)
    expect(text, file).not.toMatch(/onClose=\{\(\) => (?:\{\}|undefined)\}/)
})

test('times: pages write no time by hand, but in names for screen readers and in labels of charts', () => {
  const byHand =
    /(?<!aria-label=)\{format(?:Time|Ago)\(|toLocale(?:Date|Time)?String\(|formatDay\((?:new Date|dayOf)|DateTimeFormat/
  const found = sources
    .filter(({ file, text }) => file !== 'parts/time-text.tsx' && byHand.test(text))
    .map(({ file }) => file)
    .filter((file) => !mayWriteTimes.includes(file))
  expect(found).toEqual([])
})

/** In templates: names of buttons, and how long errors went on. Whole days of UTC are no times: what is due, bars. */
const mayWriteTimes = [
  'pages/operator-notes.tsx',
  'pages/audit.tsx',
  'pages/tunnel-events.tsx',
  'pages/terms.tsx',
  'pages/usage.tsx',
]

/** People who speak to the console say what they see (WCAG 2.2, 2.5.3). */
test('buttons: a name for screen readers has the words that are seen', () => {
  const named = /<(Button|button|ButtonLink)\b((?:[^<>]|=>)*?)>\s*([A-Z][^<{}]*?)\s*<\/\1>/g
  const found = sources.flatMap(({ file, text }) =>
    [...text.matchAll(named)].flatMap(([, , attributes = '', seen = '']) => {
      const label = /aria-label=(?:"([^"]+)"|\{([^\n]+)\}\s)/.exec(`${attributes} `)
      const name = label?.[1] ?? label?.[2]
      return name === undefined ? [] : [{ file, seen, name }]
    }),
  )
  expect(found.length).toBeGreaterThan(8)
  expect(found.filter(({ seen, name }) => !name.toLowerCase().includes(seen.toLowerCase()))).toEqual([])
})
