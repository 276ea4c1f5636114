import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { buildProgram } from '../cli/program.ts'
import { problemsOf } from './build.ts'
import { fencesOf, sessionOf } from './fences.ts'
import { layOut } from './layout.ts'
import { render } from './render.ts'
import { searchIndex } from './search-index.ts'

const docs = join(import.meta.dirname, '../docs')
const nothing = { picture: () => undefined }
const paths = readdirSync(docs, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md'))
const texts = new Map(paths.map((path) => [path, readFileSync(join(docs, path), 'utf8')]))
const missing = ['docs', 'missing'].join('/')
/** Pages for users: whoever writes one decides for each example. */
const forUsers = paths.filter((path) =>
  /^(?:guides\/|(?:README|troubleshooting|faq|concepts)\.md$)/.test(path),
)

describe('site: a page', () => {
  test('links of documents lead to pages, and those to source files become text', () => {
    const { html, links } = render(
      'guides/a.md',
      '[b](../b.md#top) [c](#own) [d](../../shared/x.ts)',
      nothing,
    )
    expect(html).toContain('href="../b.html#top"')
    expect(html).toContain('href="#own"')
    expect(html).toContain('title="shared/x.ts"')
    expect(html).not.toContain('href="../../shared')
    expect(links.map(({ path, anchor }) => ({ path, anchor }))).toEqual([
      { path: 'b.md', anchor: 'top' },
      { path: 'guides/a.md', anchor: 'own' },
    ])
  })

  test('has no script, style or markup of its document, so that the policy of the console holds', () => {
    const hostile =
      '# A\n\n| a |\n|--:|\n| 1 |\n\n<script>x()</script> <img src=x onerror=y()> [a](javascript:x)\n\n```sh\n<b>\n```\n'
    const html = layOut('a.md', render('a.md', hostile, nothing), { titles: new Map(), version: 'v' })
    // The description has the words of the page, escaped.
    const tags = html.replace(/<meta name="description".*\n/, '').match(/<[a-z][^>]*>/g) ?? []
    expect(tags.filter((tag) => /^<b>|^<style|\son[a-z]+=|\sstyle=|javascript:|src=x/.test(tag))).toEqual([])
    expect(html.match(/<script[^>]*>/g)).toEqual([
      '<script src="theme.js?v">',
      '<script src="docs.js?v" defer>',
    ])
  })

  test('the picture stands in the page, and one that is missing ends the build', () => {
    const svg = '<svg viewBox="0 0 1 1"></svg>'
    expect(render('a.md', '![A "b"](p.svg)', { picture: () => svg }).html).toContain(
      'aria-label="A &quot;b&quot;"',
    )
    expect(() => render('a.md', '![A](p.svg)', nothing)).toThrow('there is no picture p.svg')
  })

  test('only what is typed is marked for copying', () => {
    const { html } = render('a.md', '```console run\n$ echo <hi>\n<hi>\n```', nothing)
    expect(html).toContain('<span class="typed">echo &lt;hi&gt;</span>\n&lt;hi&gt;')
    expect(sessionOf('$ a\nb\n$ c\n')).toEqual({ typed: 'a\nc', printed: 'b' })
  })

  test('the search finds sections by their words', () => {
    const page = render('a.md', '# Title\n\nfirst\n\n## Part\n\nsecond `code`\n', nothing)
    expect(JSON.parse(searchIndex(new Map([['a.md', page]])))).toEqual([
      ['a.html', '', 'Title', 'Title', 'first'],
      ['a.html', 'part', 'Title', 'Part', 'second code'],
    ])
  })
})

describe('site: the documents', () => {
  test('each has its place, and every link and anchor leads somewhere', () =>
    expect(problemsOf(docs)).toEqual([]))

  test.each([
    ['[x](missing.md)', `docs/README.md:1 leads to ${missing}.md, which is no page`],
    ['# A\n\n[x](#missing)', 'docs/README.md:3 leads to docs/README.md#missing, which is no heading'],
  ])('%j would be found', (text, problem) => {
    expect(problemsOf(docs, new Map([['README.md', render('README.md', text, nothing)]]))).toContain(problem)
  })

  test('each example for users is run, or says why not', () => {
    const open = forUsers.flatMap((path) =>
      fencesOf(texts.get(path) ?? '')
        .filter(({ language }) => /^(?:sh|console|bash)$/.test(language))
        .filter(({ mark, rest }) => mark !== 'run' && !(mark === 'shown' && rest !== ''))
        .map(({ line }) => `docs/${path}:${line}`),
    )
    expect(forUsers.length).toBeGreaterThan(10)
    expect(open).toEqual([])
  })

  test('each command of ptun that is shown is one that it understands', async () => {
    const shown = [...texts].flatMap(([path, text]) =>
      fencesOf(text)
        .filter(({ language }) => language === 'sh' || language === 'console')
        .flatMap((fence) => commandsOf(fence).map((words) => ({ path, line: fence.line, words }))),
    )
    expect(shown.length).toBeGreaterThan(60)
    for (const { path, line, words } of shown) {
      const program = buildProgram(async () => {}).exitOverride()
      for (const command of program.commands) command.exitOverride()
      const failure = await program.parseAsync(words, { from: 'user' }).then(
        () => undefined,
        (error: unknown) => String(error),
      )
      expect({ where: `docs/${path}:${line}`, words, failure }).toEqual({
        where: `docs/${path}:${line}`,
        words,
        failure: undefined,
      })
    }
  })
})

/** Words after `ptun` or `npx porttunneler` of each line that begins with them. */
function commandsOf({ language, text }: { language: string; text: string }): readonly (readonly string[])[] {
  const typed = language === 'console' ? sessionOf(text).typed : text
  return typed.split('\n').flatMap((line) => {
    const [, rest] = /^(?:sudo )?(?:[A-Z_]+=\S+ )*(?:npx porttunneler|ptun) (.*)$/.exec(line) ?? []
    if (rest === undefined) return []
    const words = rest.replace(/ (?:[>#|&]|2>).*$/, '').matchAll(/"([^"]*)"|'([^']*)'|\S+/g)
    return [[...words].map(([word, double, single]) => double ?? single ?? word)]
  })
}
