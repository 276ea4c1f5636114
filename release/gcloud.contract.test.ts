/** Every gcloud command of a release is one that the real gcloud takes, up to the point where it wants an account. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { commandLine } from './command.ts'
import { Drill } from './testing/drill.ts'

const folder = mkdtempSync(join(tmpdir(), 'ptun-gcloud-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The folder of the SDK, where one is installed. */
function sdk(): string | undefined {
  try {
    const found = execFileSync('bash', ['-c', 'command -v gcloud && command -v python3'], {
      encoding: 'utf8',
    })
    return join(realpathSync(found.split('\n')[0] ?? ''), '../..')
  } catch {
    return undefined
  }
}

/** What gcloud says to each without any account. */
function answers(commands: readonly (readonly string[])[], place: string): readonly string[] {
  const output = execFileSync('python3', [join(import.meta.dirname, 'testing/gcloud-takes.py'), place], {
    input: JSON.stringify(commands),
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      CLOUDSDK_CONFIG: folder,
      CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
      CLOUDSDK_CORE_CHECK_GCE_METADATA: 'false',
    },
    encoding: 'utf8',
    maxBuffer: 16 * 1024 * 1024,
  })
  return JSON.parse(output) as string[]
}

/** One command of each form: its verb and the names of its flags. */
async function forms(): Promise<readonly (readonly string[])[]> {
  const drill = new Drill().servesFirst()
  await drill.run()
  await drill.run('rollback')
  const all = drill.commands.filter(({ program }) => program === 'gcloud').map(({ args }) => args)
  const form = (args: readonly string[]) =>
    args
      .filter((word) => /^(--)?[a-z-]+(=|$)/.test(word))
      .map((word) => word.split('=')[0])
      .join(' ')
  return [...Map.groupBy(all, form).values()].map(([first = []]) => first)
}

const wantsAccount = /active account|Anonymous caller/
const place = sdk()

test.skipIf(place === undefined)(
  'gcloud takes every command, and then misses only an account',
  async () => {
    const commands = await forms()
    expect(commands.length).toBeGreaterThan(12)
    const wrong = ['run', 'services', 'describe', 'api', '--regions=x']
    const [refused = '', ...said] = answers([wrong, ...commands], place ?? '')
    expect(refused).toContain('unrecognized arguments')
    for (const [index, text] of said.entries())
      expect(text, commandLine({ program: 'gcloud', args: commands[index] ?? [], why: '' })).toMatch(
        wantsAccount,
      )
  },
  240_000,
)
