import { systemClock } from '@porttunneler/shared/base/clock'
import { expect, onTestFinished, test, vi } from 'vitest'
import { runDeadLetters } from './dead-letters.ts'
import { openPubsubBus } from './platform/bus.pubsub.ts'
import { randomProject, withEmulators } from './testing/with-emulators.ts'

withEmulators((hosts) => {
  process.env.PUBSUB_EMULATOR_HOST = hosts.pubsub

  /** A cell whose listener refuses everything until it is repaired. */
  async function setUp() {
    const project = randomProject()
    const onBackgroundError = vi.fn()
    const bus = await openPubsubBus({
      project,
      clock: systemClock,
      random: Math.random,
      provisions: true,
      onBackgroundError,
    })
    onTestFinished(() => bus.close())
    const state = { isBroken: true }
    const heard: unknown[] = []
    await bus.subscribe('commands.home', 'r1', ({ n }) => {
      if (state.isBroken) throw new Error('not \u001b[31mready')
      heard.push(n)
    })
    for (const n of [1, 2, 3]) await bus.publish('commands.home', { n })
    await vi.waitFor(() => expect(onBackgroundError).toHaveBeenCalledTimes(3), { timeout: 50_000 })
    const run = async (...args: string[]) => {
      let said = ''
      const env = { GOOGLE_CLOUD_PROJECT: project, PUBSUB_EMULATOR_HOST: hosts.pubsub }
      const write = (text: string) => {
        said += text
      }
      await runDeadLetters([...args, '--wait', '0.5'], { env, clock: systemClock, write })
      return said
    }
    return { run, state, heard }
  }

  test('dead letters: failed messages are listed with a reason, shown, dropped, and replayed', async () => {
    const { run, state, heard } = await setUp()
    const list = await run('list')
    expect(list).toMatch(/^\d+ {2}0 min {2}commands\.home {2}r1 {2}5x {2}not \?\[31mready\n/)
    expect(list).toMatch(/Dead letters: 3\n$/)
    const ids = list.split('\n').flatMap((line) => /^\d+(?= {2})/.exec(line)?.[0] ?? [])
    const [first = '', second = ''] = ids
    expect(await run('show', first)).toMatch(/\n\{"n":\d\}\nDead letters: 1\n$/)
    expect(await run('drop', first)).toBe('Dropped: 1\n')
    await expect(run('drop', first)).rejects.toMatchObject({ key: 'letter.missing' })
    state.isBroken = false
    expect(await run('replay', second)).toBe('Replayed: 1\n')
    expect(await run('replay', '--all')).toBe('Replayed: 1\n')
    await vi.waitFor(() => expect(heard).toHaveLength(2), { timeout: 50_000 })
    expect(await run('list')).toBe('Dead letters: 0\n')
  })

  test('dead letters: it looks at no more than requested, and says so', async () => {
    const { run } = await setUp()
    expect(await run('list', '--max', '2')).toMatch(/Dead letters: 2, perhaps more\n$/)
    expect(await run('list')).toMatch(/Dead letters: 3\n$/)
  })
})

test.each([
  [[]],
  [['list', 'x']],
  [['drop']],
  [['drop', '1', '--all']],
  [['burn', '--all']],
  [['list', '--max', '0']],
  [['list', '--colour']],
])('dead letters: %j is refused before anything is touched', async (args) => {
  const asked = runDeadLetters(args, { env: {}, clock: systemClock, write: () => {} })
  await expect(asked).rejects.toMatchObject({ key: 'letter.usage' })
})
