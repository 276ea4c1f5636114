/**
 * Writes docs/errors/ from the catalogue: a page for each code and an index. Run by `npm run docs`; the tidy test
 * compares, so the pages in git are never older than the codes.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { codes, type ErrorEntry } from '../shared/base/errors.ts'

const root = join(import.meta.dirname, '..')
const folder = 'docs/errors'

const areas: Readonly<Record<string, string>> = {
  '0': 'REST API and store',
  '1': 'Accounts, sign-in, keys',
  '2': 'Tunnels, endpoints, leases, quotas',
  '3': 'Between agent and relay',
  '4': 'What a visitor meets',
  '5': 'Starting and running a server',
  '6': 'Command line and its configuration',
}
const retries: Readonly<Record<ErrorEntry['retry'], string>> = {
  now: 'may work at once',
  later: 'may work after a pause',
  never: 'does not help before something is changed',
}
const owners: Readonly<Record<ErrorEntry['owner'], string>> = {
  user: 'you',
  operator: 'whoever runs the server',
  peer: 'the program at the other end of the connection',
  upstream: 'the service behind the tunnel',
  service: 'PortTunneler itself',
}

/** Path in the repository -> text, of every page. */
export function pages(): ReadonlyMap<string, string> {
  const rows = Object.entries(codes).sort(([, a], [, b]) => a.code.localeCompare(b.code))
  return new Map([
    [`${folder}/README.md`, indexPage(rows)],
    ...rows.map(([key, entry]) => [`${folder}/${entry.code}.md`, page(key, entry)] as const),
  ])
}

function page(key: string, { code, title, cause, cure, http, exit, retry, owner }: ErrorEntry): string {
  return [
    `# ${code}: ${title}`,
    '',
    `**What happened.** ${cause}`,
    '',
    `**What to do.** ${cure}`,
    '',
    '| | |',
    '|---|---|',
    `| Name in the code | \`${key}\` |`,
    `| HTTP status | ${http} |`,
    `| Exit code of \`ptun\` | ${exit} |`,
    `| Trying again | ${retries[retry]} |`,
    `| Who can mend it | ${owners[owner]} |`,
    '',
    '[All codes](README.md)',
    '',
  ].join('\n')
}

function indexPage(rows: readonly (readonly [string, ErrorEntry])[]): string {
  const sections = Object.entries(areas).flatMap(([digit, area]) => {
    const own = rows.filter(([, { code }]) => code.startsWith(`PT-${digit}`))
    if (own.length === 0) return []
    const lines = own.map(([, { code, title, cure }]) => `| [${code}](${code}.md) | ${title} | ${cure} |`)
    return [`## PT-${digit}nnn: ${area}`, '', '| code | what | what to do |', '|---|---|---|', ...lines, '']
  })
  return [
    '# Error codes',
    '',
    'Every failure that a person can meet has a number that never changes its meaning. The same number is in API',
    'problems, on pages that visitors see, in messages of `ptun` and in logs.',
    '',
    ...sections,
  ].join('\n')
}

if (import.meta.main) {
  mkdirSync(join(root, folder), { recursive: true })
  const made = pages()
  for (const name of readdirSync(join(root, folder)))
    if (!made.has(`${folder}/${name}`)) rmSync(join(root, folder, name))
  for (const [path, text] of made) writeFileSync(join(root, path), text)
}
