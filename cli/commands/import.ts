/** `ptun import`: ptun.yaml from the configuration of another program, with a note for whatever did not come along. */
import { readFile, writeFile } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { formatBytes } from '@porttunneler/shared/base/amounts'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { parse as parseToml, TomlError } from 'smol-toml'
import { parse as parseYaml, stringify } from 'yaml'
import { z } from 'zod'
import { bytesMax, configName, parseConfig } from '../config.ts'
import { sayYamlFault, tooManyAliases } from '../config-syntax.ts'
import { type Context, paintOf, say, tell } from '../context.ts'
import { type Draft, type Into, type Note, objectSchema } from '../import/draft.ts'
import { readFrp } from '../import/frp.ts'
import { readNgrok } from '../import/ngrok.ts'
import { errnoOf } from '../paths.ts'

/**
 * @throws cli.file, import.unknown, import.nothing, and import.exists rather than replace a file
 */
export async function importConfig(
  context: Context,
  path: string,
  { output = configName }: { readonly output?: string },
): Promise<number> {
  const { from, draft } = readDraft(await readText(path), path)
  const { tunnels, notes } = checked(draft)
  if (tunnels.length > 0) await write(context, output, textOf({ ...draft, tunnels }, basename(path)))
  report(context, { path, output, from, tunnels, notes })
  if (tunnels.length === 0) throw fail('import.nothing', `No tunnel of ${path} can be one of ptun.`)
  return 0
}

async function readText(path: string): Promise<string> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw fail('cli.file', `${path} cannot be read${sayFileError(cause)}`, { cause })
  }
  if (text.length > bytesMax) throw fail('cli.file', `${path} is longer than ${formatBytes(bytesMax)}.`)
  return text
}

/** Which program it is for shows in its settings. JSON is YAML. @throws import.unknown */
function readDraft(text: string, path: string): { readonly from: 'ngrok' | 'frp'; readonly draft: Draft } {
  const file = objectSchema.safeParse(withDollars(parsed(text, path))).data ?? {}
  const has = (...settings: readonly string[]) => settings.some((setting) => Object.hasOwn(file, setting))
  if (has('proxies', 'serverAddr', 'visitors')) return { from: 'frp', draft: readFrp(file) }
  if (has('tunnels', 'endpoints', 'authtoken', 'agent')) return { from: 'ngrok', draft: readNgrok(file) }
  throw fail('import.unknown', `${path} has no settings of ngrok or of frpc.`)
}

function parsed(text: string, path: string): unknown {
  const ending = extname(path).toLowerCase()
  if (ending === '.ini') throw fail('import.unknown', `${path} is in the old form of frp.`)
  const why = ending === '.toml' ? undefined : sayYamlFault(text)
  if (why !== undefined) throw fail('import.unknown', `${path} cannot be read as YAML: ${why}.`)
  try {
    return ending === '.toml' ? parseToml(text) : parseYaml(text, { maxAliasCount: 50 })
  } catch (cause) {
    throw fail('import.unknown', `${path} cannot be read${sayWhy(cause)}.`, { cause })
  }
}

function sayWhy(cause: unknown): string {
  if (!(cause instanceof TomlError)) return `: ${tooManyAliases}`
  // Its message goes on with the line.
  const [what = ''] = cause.message.replace(/^Invalid TOML document: /, '').split('\n')
  return ` as TOML: line ${cause.line}, column ${cause.column}: ${what}`
}

/** In ptun.yaml `$` begins a variable, and `$$` stands for itself. */
function withDollars(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$')
  if (Array.isArray(value)) return value.map(withDollars)
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([name, own]) => [name, withDollars(own)]))
    : value
}

/** Leaves out with its reason each setting that ptun.yaml would refuse, or the tunnel that cannot be without it. */
function checked({ tunnels, notes }: Draft): {
  readonly tunnels: readonly Into[]
  readonly notes: readonly Note[]
} {
  const more: Note[] = []
  const kept = tunnels.filter((one) => {
    for (let fault = faultOf(one); fault !== undefined; fault = faultOf(one)) {
      const { setting, text } = fault
      const mustBe =
        setting === undefined || setting === 'kind' || setting === 'upstream' || !(setting in one.tunnel)
      more.push({
        place: one.name,
        text: mustBe ? `${text} The tunnel was left out` : `${text} It was left out`,
      })
      if (mustBe) return false
      delete one.tunnel[setting]
    }
    return true
  })
  return { tunnels: kept, notes: [...notes, ...more] }
}

const problemsSchema = z
  .array(z.object({ path: z.array(z.union([z.string(), z.number()])).optional(), message: z.string() }))
  .min(1)

function faultOf(one: Into): { readonly setting: string | undefined; readonly text: string } | undefined {
  const text = textOf({ tunnels: [one], notes: [] })
  // Variables may be set elsewhere.
  const env = Object.fromEntries([...text.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => [name, '1']))
  try {
    parseConfig(text, configName, env)
    return undefined
  } catch (error) {
    if (!isFailure(error)) throw error
    const [problem] = problemsSchema.safeParse(error.fields.problems).data ?? []
    const message = problem?.message ?? error.detail
    const [, , setting] = problem?.path ?? []
    return { setting: setting === undefined ? undefined : String(setting), text: message }
  }
}

function textOf({ tunnels, proxy }: Draft, from?: string): string {
  const config = {
    version: 1,
    ...(proxy !== undefined && { proxy }),
    tunnels: Object.fromEntries(tunnels.map(({ name, tunnel }) => [name, tunnel])),
  }
  const text = stringify(config, { lineWidth: 0, aliasDuplicateObjects: false })
  return `${from === undefined ? '' : `# Made from ${from} by ptun import.\n`}${text}`
}

/** It may hold passwords, so it is for its owner's eyes. @throws import.exists, cli.folder */
async function write({ stdout }: Context, output: string, text: string): Promise<void> {
  if (output === '-') return void stdout.write(text)
  try {
    await writeFile(output, text, { mode: 0o600, flag: 'wx' })
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') throw fail('import.exists', `${output} is there already.`, { cause })
    throw fail('cli.folder', `${output} cannot be written${sayFileError(cause)}`, { cause })
  }
}

type Report = {
  readonly path: string
  readonly output: string
  readonly from: string
  readonly tunnels: readonly Into[]
  readonly notes: readonly Note[]
}

function report(context: Context, { path, output, from, tunnels, notes }: Report): void {
  tell(context, {
    event: 'config.imported',
    path,
    output,
    from,
    tunnels: tunnels.map(({ name }) => name),
    notes,
  })
  // There the file itself is what is read.
  if (output === '-') return
  const paint = paintOf(context)
  const count = tunnels.length === 1 ? '1 tunnel' : `${tunnels.length} tunnels`
  if (tunnels.length > 0) say(context, `${output} has ${count} of ${path}.`)
  if (notes.length > 0) say(context, '', 'Look at these:')
  for (const { place, text } of notes) say(context, `  ${place}`, `    ${paint('dim', text)}`)
  if (tunnels.length > 0) say(context, '', 'Next: ptun login, then ptun start.')
}
