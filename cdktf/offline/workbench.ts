/** Runs the real Terraform on synthesised stacks, with providers that have no cloud behind them. */
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import type { Environment } from '../environment.ts'
import { makeStacks } from '../stacks/all.ts'
import { dataSourceSchema, resourceSchema } from './binding-schema.ts'
import { type StubProvider, startStubProvider } from './stub-provider.ts'

const run = promisify(execFile)
const outputMax = 64 * 1024 * 1024

/** As in the synthesised JSON. */
export type Synthesised = z.output<typeof synthesisedSchema>
const blockSchema = z.record(z.string(), z.unknown())
const synthesisedSchema = z.looseObject({
  resource: z.record(z.string(), z.record(z.string(), blockSchema)).default({}),
  data: z.record(z.string(), z.record(z.string(), blockSchema)).default({}),
  variable: z.record(z.string(), blockSchema).default({}),
  provider: z.record(z.string(), z.array(blockSchema)).default({}),
})

const cure = 'https://developer.hashicorp.com/terraform/install, 1.11 or later'
const versionSchema = z.object({ terraform_version: z.string() })

/** `undefined` where there is a Terraform that knows write-only arguments, else the line that says how to get it. */
export function terraformMissing(): string | undefined {
  let version: string
  try {
    const said = execFileSync('terraform', ['version', '-json'], { encoding: 'utf8', stdio: 'pipe' })
    version = versionSchema.parse(JSON.parse(said)).terraform_version
  } catch {
    return `terraform is missing: ${cure}`
  }
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 1 || (major === 1 && minor >= 11) ? undefined : `terraform is ${version}: ${cure}`
}

export class Workbench implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'ptun-stack-'))
  readonly names: readonly string[]
  #providers: readonly StubProvider[] = []

  constructor(environment: Environment) {
    const { app, stacks } = makeStacks(environment, this.folder, join(this.folder, 'state'))
    app.synth()
    this.names = stacks.map(({ node }) => node.id)
  }

  read(stack: string): Synthesised {
    return synthesisedSchema.parse(JSON.parse(readFileSync(this.#file(stack), 'utf8')))
  }

  /** Changes the synthesised file, as a mistake in the stack would, until disposed of. */
  edit(stack: string, change: (content: Synthesised) => void): Disposable {
    const before = readFileSync(this.#file(stack))
    const { data, variable, ...content } = this.read(stack)
    change({ ...content, data, variable })
    const used = Object.entries({ data, variable }).filter(([, value]) => Object.keys(value).length > 0)
    writeFileSync(this.#file(stack), JSON.stringify({ ...content, ...Object.fromEntries(used) }))
    return { [Symbol.dispose]: () => writeFileSync(this.#file(stack), before) }
  }

  async open(): Promise<this> {
    const all = this.names.map((name) => this.read(name))
    const resources = [...new Set(all.flatMap(({ resource }) => Object.keys(resource)))]
    const sources = [...new Set(all.flatMap(({ data }) => Object.keys(data)))]
    this.#providers = await Promise.all(
      [
        ['hashicorp/google', 'google_'],
        ['cloudflare/cloudflare', 'cloudflare_'],
      ].map(([source = '', prefix = '']) => {
        const mine = (types: readonly string[]) => types.filter((type) => type.startsWith(prefix))
        return startStubProvider(source, {
          resources: new Map(mine(resources).map((type) => [type, resourceSchema(type)])),
          dataSources: new Map(mine(sources).map((type) => [type, dataSourceSchema(type)])),
        })
      }),
    )
    return this
  }

  async terraform(
    stack: string,
    args: readonly string[],
    secrets: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const reattach = Object.assign({}, ...this.#providers.map((provider) => provider.reattach)) as object
    const { stdout } = await run(
      'terraform',
      [`-chdir=${join(this.folder, 'stacks', stack)}`, ...args, '-no-color'],
      {
        maxBuffer: outputMax,
        env: {
          PATH: process.env.PATH,
          HOME: this.folder,
          CHECKPOINT_DISABLE: '1',
          TF_IN_AUTOMATION: '1',
          TF_INPUT: '0',
          TF_REATTACH_PROVIDERS: JSON.stringify(reattach),
          ...Object.fromEntries(Object.entries(secrets).map(([name, value]) => [`TF_VAR_${name}`, value])),
        },
      },
    )
    return stdout
  }

  [Symbol.dispose](): void {
    for (const provider of this.#providers) provider.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  #file(stack: string): string {
    return join(this.folder, 'stacks', stack, 'cdk.tf.json')
  }
}
