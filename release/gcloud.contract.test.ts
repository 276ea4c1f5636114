/** Every gcloud command of a release is one that the real gcloud takes, up to the point where it wants an account. */
import { expect, test } from 'vitest'
import { commandLine } from './command.ts'
import { Drill } from './testing/drill.ts'
import { gcloudFolder, gcloudSays } from './testing/gcloud.ts'

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
const place = gcloudFolder()

test.skipIf(place === undefined)(
  'gcloud takes every command, and then misses only an account',
  async () => {
    const commands = await forms()
    expect(commands.length).toBeGreaterThan(12)
    const wrong = ['run', 'services', 'describe', 'api', '--regions=x']
    const [refused = '', ...said] = gcloudSays([wrong, ...commands], place ?? '')
    expect(refused).toContain('unrecognized arguments')
    for (const [index, text] of said.entries())
      expect(text, commandLine({ program: 'gcloud', args: commands[index] ?? [], why: '' })).toMatch(
        wantsAccount,
      )
  },
  240_000,
)
