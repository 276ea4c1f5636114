/**
 * Markdown to HTML. Headings get GitHub's ids, links to documents become links to pages, tables and code get what
 * they need on a phone, and pictures stand in the page itself, so that they follow its colours. HTML inside Markdown
 * is text.
 */
import { posix } from 'node:path'
import { escapeHtml } from '@porttunneler/shared/base/html'
import MarkdownIt, { type MarkdownIt as Parser, type Token } from 'markdown-it'
import { readInfo } from './fences.ts'
import { slugOf } from './slug.ts'

export type Heading = { readonly level: number; readonly text: string; readonly id: string }

/** A link to a document, with its place in the source for messages. */
export type DocumentLink = {
  readonly line: number
  readonly path: string
  readonly anchor: string | undefined
}

/** Text of one section, for the search. */
export type Section = { readonly heading: Heading; readonly text: string }

export type Rendered = {
  readonly title: string
  readonly html: string
  readonly headings: readonly Heading[]
  readonly sections: readonly Section[]
  readonly links: readonly DocumentLink[]
}

/** What the renderer may ask about other files. */
export type Surroundings = {
  /** The text of a picture (SVG) below docs/, or undefined when there is none. */
  picture(path: string): string | undefined
}

type Page = {
  readonly path: string
  readonly headings: Heading[]
  readonly sections: { heading: Heading; text: string }[]
  readonly links: DocumentLink[]
  readonly surroundings: Surroundings
}

/** @param path of the document, below docs/ */
export function render(path: string, markdown: string, surroundings: Surroundings): Rendered {
  const page: Page = { path, headings: [], sections: [], links: [], surroundings }
  const parser = new MarkdownIt({ html: false, linkify: false })
  const tokens = parser.parse(markdown, {})
  nameHeadings(tokens, page)
  for (const token of tokens) for (const child of token.children ?? []) turnLink(child, token, page)
  setRules(parser, page)
  const html = parser.renderer.render(tokens, parser.options, {})
  return { ...page, title: page.headings[0]?.text ?? path, html }
}

/** Gives headings their ids, and gathers the text below each. */
function nameHeadings(tokens: readonly Token[], { headings, sections }: Page): void {
  const taken = new Map<string, number>()
  for (const [index, token] of tokens.entries()) {
    const inline = tokens[index + 1]
    if (token.type === 'heading_open' && inline) {
      const text = textOf(inline)
      const slug = slugOf(text)
      const count = taken.get(slug) ?? 0
      taken.set(slug, count + 1)
      const heading = { level: Number(token.tag.slice(1)), text, id: count === 0 ? slug : `${slug}-${count}` }
      token.attrSet('id', heading.id)
      headings.push(heading)
      sections.push({ heading, text: '' })
    } else if (token.type === 'inline' && tokens[index - 1]?.type !== 'heading_open') {
      const section = sections.at(-1)
      if (section) section.text += ` ${textOf(token)}`
    } else if (token.type === 'fence') {
      const section = sections.at(-1)
      if (section) section.text += ` ${token.content}`
    }
  }
}

function textOf({ children }: Token): string {
  return (children ?? []).map((child) => (child.type === 'softbreak' ? ' ' : child.content)).join('')
}

/** Rewrites a link to a document, and makes what is not on the site plain text. */
function turnLink(token: Token, { map }: Token, page: Page): void {
  if (token.type !== 'link_open') return
  const target = String(token.attrGet('href'))
  if (/^https?:|^mailto:/.test(target)) return void token.attrSet('rel', 'noopener noreferrer')
  const [file = '', anchor] = target.split('#')
  const path = file === '' ? page.path : posix.join(posix.dirname(page.path), decodeURI(file))
  if (path.startsWith('../')) {
    // A file of the source, which the site does not have: its path says where it is.
    token.attrs = [
      ['class', 'source'],
      ['title', path.slice('../'.length)],
    ]
    return
  }
  page.links.push({ line: (map?.[0] ?? 0) + 1, path, anchor })
  const href = posix.relative(posix.dirname(page.path), pathOfPage(path))
  token.attrSet('href', `${file === '' ? '' : href}${anchor === undefined ? '' : `#${anchor}`}`)
}

/** `errors/README.md` -> `errors/index.html`. */
export function pathOfPage(path: string): string {
  return path.replace(/README\.md$/, 'index.md').replace(/\.md$/, '.html')
}

function setRules({ renderer }: Parser, page: Page): void {
  renderer.rules.heading_close = (tokens, index) => {
    const id = String(tokens[index - 2]?.attrGet('id'))
    const { tag = 'h2' } = tokens[index] ?? {}
    const anchor =
      tag === 'h1' ? '' : ` <a class="anchor" href="#${id}" aria-label="Link to this section">#</a>`
    return `${anchor}</${tag}>\n`
  }
  renderer.rules.table_open = () => '<div class="table" tabindex="0"><table>\n'
  renderer.rules.table_close = () => '</table></div>\n'
  // An empty row above is how Markdown writes a table without a head.
  renderer.rules.th_open = (tokens, index) =>
    tokens[index + 1]?.content ? `<th scope="col"${sideOf(tokens[index])}>` : '<td>'
  renderer.rules.th_close = (tokens, index) => (tokens[index - 1]?.content ? '</th>' : '</td>')
  renderer.rules.td_open = (tokens, index) => `<td${sideOf(tokens[index])}>`
  renderer.rules.fence = (tokens, index) => {
    const { info = '', content = '' } = tokens[index] ?? {}
    return codeBlock(info, content)
  }
  renderer.rules.image = (tokens, index) => {
    const token = tokens[index]
    const path = posix.join(posix.dirname(page.path), String(token?.attrGet('src')))
    const svg = page.surroundings.picture(path)
    if (svg === undefined) throw new Error(`docs/${page.path}: there is no picture ${path}`)
    const label = escapeHtml(token ? textOf(token) : '')
    return svg.replace('<svg ', `<svg class="picture" role="img" aria-label="${label}" `)
  }
}

/** The policy refuses the inline style that would say to which side a column is set. */
function sideOf(token: Token | undefined): string {
  return token?.attrGet('style') === 'text-align:right' ? ' class="right"' : ''
}

/** Lines of a session that begin with a prompt are what a reader types: only those are copied. */
function codeBlock(info: string, content: string): string {
  const { language, mark, rest } = readInfo(info)
  const lines = content.split('\n').map((line) => {
    const isTyped = language === 'console' && line.startsWith('$ ')
    if (isTyped)
      return `<span class="prompt">$ </span><span class="typed">${escapeHtml(line.slice(2))}</span>`
    return language === 'sh' ? line.replace(/^([^#]*?)((?:^|\s)#\s.*)?$/, shellLine) : escapeHtml(line)
  })
  const name = escapeHtml(language || 'text')
  const code = `<pre tabindex="0"><code>${lines.join('\n')}</code></pre>`
  return `<div class="code" data-language="${name}">${code}${noteOf(mark, rest)}</div>\n`
}

/** What a reader may know of an example: that it is tested, why it is not, or the name of the file. */
function noteOf(mark: string | undefined, rest: string): string {
  if (mark === 'run') return '<p class="note">tested</p>'
  if (mark === 'shown') return `<p class="note">not tested: ${escapeHtml(rest)}</p>`
  return mark === 'file' ? `<p class="note">${escapeHtml(rest)}</p>` : ''
}

function shellLine(_line: string, command: string, comment = ''): string {
  return `${escapeHtml(command)}${comment && `<span class="comment">${escapeHtml(comment)}</span>`}`
}
