/** The frame of a page: head, navigation, what is on this page, its neighbours. It has no inline script or style. */
import { posix } from 'node:path'
import { escapeHtml } from '@porttunneler/shared/base/html'
import { type Group, groups } from './contents.ts'
import { pathOfPage, type Rendered } from './render.ts'

/** Titles of all pages by their path below docs/. */
export type Titles = ReadonlyMap<string, string>

/** @param path below docs/ @param version of assets: their names never change, their address does */
export function layOut(
  path: string,
  page: Rendered,
  { titles, version }: { titles: Titles; version: string },
): string {
  const to = (target: string) => posix.relative(posix.dirname(path), target)
  const asset = (name: string) => `${to(name)}?${version}`
  const title = path === 'README.md' ? 'PortTunneler documentation' : `${page.title} - PortTunneler`
  const root = to('index.html').replace(/index\.html$/, '') || './'
  return `<!doctype html>
<html lang="en" data-root="${root}" data-version="${version}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="${escapeHtml(descriptionOf(page))}">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="${asset('docs.svg')}" type="image/svg+xml">
<link rel="stylesheet" href="${asset('docs.css')}">
<script src="${asset('theme.js')}"></script>
<script src="${asset('docs.js')}" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<button id="menu" type="button" aria-controls="contents" aria-expanded="false">Menu</button>
<a class="brand" href="${to('index.html')}">
<img src="${asset('docs.svg')}" alt="" width="24" height="24">PortTunneler docs</a>
<form id="search" role="search" action="#">
<input type="search" aria-label="Search" placeholder="Search" autocomplete="off" spellcheck="false"
 aria-controls="found" aria-keyshortcuts="/"><div id="found" hidden></div></form>
<button id="theme" type="button">Colours: system</button>
</header>
<div class="columns">
<nav id="contents" aria-label="Documentation">${navigation(path, titles, to)}</nav>
<main id="main" tabindex="-1">
<article>
${page.html}</article>
${neighbours(path, titles, to)}
</main>
${outline(page)}
</div>
</body>
</html>
`
}

/** The first words of the page, for search engines and links. */
function descriptionOf({ sections, title }: Rendered): string {
  const text = sections.map((section) => section.text.trim()).find((words) => words !== '') ?? title
  return text.length > 160 ? `${text.slice(0, 157).replace(/\s\S*$/, '')} …` : text
}

function navigation(path: string, titles: Titles, to: (target: string) => string): string {
  return groups
    .map((group) => {
      const isOpen = !group.isFolded || holds(group, path)
      const items = group.pages.map((page) => {
        const current = page === path ? ' aria-current="page"' : ''
        return `<li><a href="${to(pathOfPage(page))}"${current}>${escapeHtml(nameOf(page, titles))}</a></li>`
      })
      return `<details${isOpen ? ' open' : ''}><summary>${group.title}</summary><ul>${items.join('')}</ul></details>`
    })
    .join('')
}

/** Pages of a folder stand behind its index. */
function holds({ pages }: Group, path: string): boolean {
  return pages.includes(path) || pages.includes(posix.join(posix.dirname(path), 'README.md'))
}

function nameOf(path: string, titles: Titles): string {
  return path === 'README.md' ? 'Overview' : (titles.get(path) ?? path)
}

function neighbours(path: string, titles: Titles, to: (target: string) => string): string {
  const all = groups.flatMap(({ pages }) => pages)
  const here = all.indexOf(path)
  if (here === -1) return ''
  const link = (page: string | undefined, rel: string, words: string) =>
    page === undefined
      ? ''
      : `<a rel="${rel}" href="${to(pathOfPage(page))}"><small>${words}</small>${escapeHtml(nameOf(page, titles))}</a>`
  return `<nav class="neighbours" aria-label="Neighbouring pages">${link(all[here - 1], 'prev', 'Before')}${link(
    all[here + 1],
    'next',
    'Next',
  )}</nav>`
}

function outline({ headings }: Rendered): string {
  const parts = headings.filter(({ level }) => level === 2 || level === 3)
  if (parts.length < 2) return '<aside></aside>'
  const items = parts.map(
    ({ level, id, text }) => `<li class="level-${level}"><a href="#${id}">${escapeHtml(text)}</a></li>`,
  )
  return `<aside><nav aria-label="On this page"><p>On this page</p><ul>${items.join('')}</ul></nav></aside>`
}
