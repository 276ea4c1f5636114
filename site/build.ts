/**
 * Builds the documentation: docs/**.md -> web/dist/docs, which the standalone server and Firebase Hosting serve beside
 * the console. A link or anchor that leads nowhere, a document without a place in the contents, and a place without a
 * document end the build.
 */
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { groups, indexedFolders } from './contents.ts'
import { layOut } from './layout.ts'
import { pathOfPage, type Rendered, render } from './render.ts'
import { searchIndex } from './search-index.ts'

const assets = ['docs.css', 'docs.js'] as const
/** The console's own: one choice of colours, one picture. */
const consoleAssets = { 'theme.js': 'theme.js', 'favicon.svg': 'docs.svg' } as const

/**
 * @param docs the folder of documents
 * @param output is emptied; nothing is written where there are problems
 * @returns the problems, a line each
 */
export function build({
  docs,
  output,
  web,
}: {
  docs: string
  output: string
  web: string
}): readonly string[] {
  const rendered = renderAll(docs)
  const problems = problemsOf(docs, rendered)
  if (problems.length === 0) write(rendered, { docs, output, web })
  return problems
}

type Pages = ReadonlyMap<string, Rendered>

/** What is wrong with the documents, a line each. */
export function problemsOf(docs: string, pages: Pages = renderAll(docs)): readonly string[] {
  return [...placesWithout(pages), ...brokenLinks(docs, pages)]
}

function renderAll(docs: string): Pages {
  const surroundings = {
    picture: (path: string) => {
      const file = join(docs, path)
      return existsSync(file) ? readFileSync(file, 'utf8') : undefined
    },
  }
  const paths = readdirSync(docs, { recursive: true, encoding: 'utf8' })
    .map((path) => path.split(sep).join('/'))
    .filter((path) => path.endsWith('.md'))
    .sort()
  return new Map(
    paths.map((path) => [path, render(path, readFileSync(join(docs, path), 'utf8'), surroundings)]),
  )
}

/** Documents that the navigation does not have, and the other way round. */
function placesWithout(pages: Pages): readonly string[] {
  const placed = groups.flatMap((group) => group.pages)
  const isReached = (path: string) =>
    placed.includes(path) || indexedFolders.some((folder) => path.startsWith(folder))
  const lost = [...pages.keys()].filter((path) => !isReached(path))
  const empty = placed.filter((path) => !pages.has(path))
  return [
    ...lost.map((path) => `docs/${path} has no place in site/contents.ts`),
    ...empty.map((path) => `site/contents.ts names docs/${path}, which does not exist`),
  ]
}

function brokenLinks(docs: string, pages: Pages): readonly string[] {
  return [...pages].flatMap(([from, { links }]) =>
    links.flatMap(({ line, path, anchor }) => {
      const target = pages.get(path)
      const where = `docs/${from}:${line}`
      if (isData(path) && existsSync(join(docs, path))) return []
      if (!target) return [`${where} leads to docs/${path}, which is no page`]
      if (anchor === undefined || target.headings.some(({ id }) => id === anchor)) return []
      return [`${where} leads to docs/${path}#${anchor}, which is no heading`]
    }),
  )
}

/** Figures and the like, which are served as they are. */
function isData(path: string): boolean {
  return !path.endsWith('.md')
}

function write(pages: Pages, { docs, output, web }: { docs: string; output: string; web: string }): void {
  rmSync(output, { recursive: true, force: true })
  mkdirSync(output, { recursive: true })
  const sources = [
    ...assets.map((name) => [join(import.meta.dirname, 'assets', name), name] as const),
    ...Object.entries(consoleAssets).map(([from, name]) => [join(web, 'public', from), name] as const),
  ]
  const index = searchIndex(pages)
  const version = createHash('sha256').update(index)
  for (const [from, name] of sources) {
    copyFileSync(from, join(output, name))
    version.update(readFileSync(from))
  }
  writeFileSync(join(output, 'search.json'), index)
  const titles = new Map([...pages].map(([path, { title }]) => [path, title]))
  const frame = { titles, version: version.digest('hex').slice(0, 10) }
  for (const [path, page] of pages) {
    const file = join(output, pathOfPage(path))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, layOut(path, page, frame))
  }
  const data = new Set(
    [...pages.values()].flatMap(({ links }) => links.map(({ path }) => path).filter(isData)),
  )
  for (const path of data) {
    mkdirSync(dirname(join(output, path)), { recursive: true })
    copyFileSync(join(docs, path), join(output, path))
  }
}
