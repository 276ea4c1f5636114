/**
 * Makes the Debian packages: `npm run deb -w packaging [-- --out FOLDER --version 1.2.3 --only server --quick]`. The
 * same source gives the same bytes. `--quick` packs less tightly, in seconds, for tests.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { z } from 'zod'
import { changelog, control, copyright, overrides } from './deb-files.ts'
import { type Deb, debs } from './debs.ts'
import { version as ours, settle } from './tree.ts'

const here = import.meta.dirname
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
const scripts = ['postinst', 'prerm', 'postrm'] as const

const optionsSchema = z.object({
  out: z.string(),
  version: z.string().regex(/^\d+\.\d+\.\d+$/, 'a version such as 1.2.3'),
  only: z.enum(['server', 'agent']).optional(),
  quick: z.boolean(),
})
type Options = z.output<typeof optionsSchema>

const options = optionsSchema.parse(
  parseArgs({
    options: {
      out: { type: 'string', default: join(here, 'dist') },
      version: { type: 'string', default: ours },
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
    },
  }).values,
)
mkdirSync(options.out, { recursive: true })
for (const [name, deb] of Object.entries(debs))
  if (options.only === undefined || options.only === name)
    process.stdout.write(`${await makeDeb(deb, options)}\n`)

/** @returns the file */
async function makeDeb(deb: Deb, { out, version, quick }: Options): Promise<string> {
  const architecture = architectures[process.arch]
  if (architecture === undefined) throw new Error(`There is no Debian package for ${process.arch}`)
  const folder = mkdtempSync(join(tmpdir(), 'pt-deb-'))
  try {
    await deb.makeTree(join(folder, deb.home))
    write(folder, `usr/lib/systemd/system/${deb.unit}`, readFileSync(join(here, 'systemd', deb.unit), 'utf8'))
    for (const [name, lines] of Object.entries(deb.commands))
      write(folder, `usr/bin/${name}`, ['#!/bin/sh', ...lines, ''].join('\n'), 0o755)
    for (const [place, file] of Object.entries(deb.settings)) write(folder, place, readFileSync(file, 'utf8'))
    write(folder, `usr/share/doc/${deb.name}/copyright`, copyright(deb))
    write(folder, `usr/share/doc/${deb.name}/changelog.gz`, gzipSync(changelog(deb, version), { level: 9 }))
    write(folder, `usr/share/lintian/overrides/${deb.name}`, overrides(deb))
    if (deb.settingsFolder !== undefined) mkdirSync(join(folder, deb.settingsFolder), { recursive: true })
    const installedKib = Math.ceil(bytesOf(folder) / 1024)
    write(folder, 'DEBIAN/control', control(deb, { version, architecture, installedKib }))
    const settings = Object.keys(deb.settings)
    if (settings.length > 0)
      write(folder, 'DEBIAN/conffiles', settings.map((place) => `/${place}\n`).join(''))
    write(folder, 'DEBIAN/md5sums', sums(folder, settings))
    for (const script of scripts) write(folder, `DEBIAN/${script}`, scriptOf(deb, script), 0o755)
    settle(folder)
    const file = join(out, `${deb.name}_${version}_${architecture}.deb`)
    const packing = ['--root-owner-group', '--threads-max=1', '-Zzstd', quick ? '-z1' : '-z19']
    const env = { ...process.env, SOURCE_DATE_EPOCH: '315532800' }
    execFileSync('dpkg-deb', [...packing, '--build', folder, file], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    return file
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function write(folder: string, place: string, text: string | Uint8Array, mode = 0o644): void {
  const file = join(folder, place)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text, { mode })
}

function scriptOf(
  { name, user, unit, upgrade, settingsFolder }: Deb,
  script: (typeof scripts)[number],
): string {
  const values: Readonly<Record<string, string>> = {
    ...{ package: name, user, unit, upgrade },
    folders: settingsFolder === undefined ? '' : `'/${settingsFolder}'`,
  }
  const text = readFileSync(join(here, 'debian', `${script}.sh`), 'utf8')
  return text.replaceAll(/@(\w+)@/g, (_, key: string) => values[key] ?? `@${key}@`)
}

/** Files in the order of their names. */
function filesOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((place) => !place.startsWith('DEBIAN/'))
    .sort()
}

function bytesOf(folder: string): number {
  return filesOf(folder).reduce((bytes, place) => bytes + statSync(join(folder, place)).size, 0)
}

/** By which `dpkg --verify` finds what was changed; settings are dpkg's own business. */
function sums(folder: string, settings: readonly string[]): string {
  const md5 = (place: string) =>
    createHash('md5')
      .update(readFileSync(join(folder, place)))
      .digest('hex')
  return filesOf(folder)
    .filter((place) => !settings.includes(place))
    .map((place) => `${md5(place)}  ${place}\n`)
    .join('')
}
