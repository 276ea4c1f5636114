/**
 * `npm run dead-letters -w functions -- <command>`: the operator's view of messages that failed at every delivery.
 * It needs the rights to read the dead letters and to publish; GOOGLE_CLOUD_PROJECT names the project.
 */
import process from 'node:process'
import { parseArgs } from 'node:util'
import { type Clock, systemClock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { outliveOutputOf } from '@porttunneler/shared/base/outlive-output'
import { type DeadLetter, drop, giveBack, replay, takeDeadLetters } from './platform/dead-letters.ts'
import { readEnvironment } from './platform/environment.ts'
import { openPubsubClients } from './platform/pubsub-clients.ts'

const usage = `Usage: dead-letters <command> [--max 100] [--wait 3]

  list                 what waits: id, age, topic, who failed, how often, and why
  show <id>...         with the message
  replay <id>...|--all publish it again where it was published first, then drop it
  drop <id>...|--all   forget it

  --max    look at so many at most (1 to 1000)
  --wait   seconds in which nothing comes before the end is believed
`

type DeadLettersOptions = {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  write(text: string): void
}

const commands = ['list', 'show', 'replay', 'drop'] as const
const lettersMax = 1_000

/** @throws letter.missing, letter.usage, bus.unavailable, cloud.environment */
export async function runDeadLetters(args: string[], options: DeadLettersOptions): Promise<void> {
  const { command, ids, isAll, max, waitMs } = parse(args)
  const { projectId: project } = readEnvironment(options.env)
  const clients = await openPubsubClients(project)
  const place = { project, clients }
  try {
    const letters = await takeDeadLetters(place, { max, waitMs })
    let left = letters
    try {
      const chosen = isAll ? letters : choose(letters, ids)
      if (command === 'replay' || command === 'drop') {
        await { replay, drop }[command](place, chosen)
        left = letters.filter((letter) => !chosen.includes(letter))
        options.write(`${command === 'drop' ? 'Dropped' : 'Replayed'}: ${chosen.length}\n`)
      } else {
        const nowMs = options.clock.now()
        for (const letter of chosen) options.write(say(letter, { nowMs, isWhole: command === 'show' }))
        options.write(`Dead letters: ${chosen.length}${letters.length === max ? ', perhaps more' : ''}\n`)
      }
    } finally {
      await giveBack(place, left)
    }
  } catch (cause) {
    throw isFailure(cause) ? cause : fail('bus.unavailable', undefined, { cause })
  } finally {
    await clients.close()
  }
}

function parse(args: string[]) {
  const { values, positionals } = readArgs(args)
  const [word, ...ids] = positionals
  const command = commands.find((each) => each === word)
  const max = Number(values.max)
  const waitMs = Number(values.wait) * 1_000
  const isAll = values.all || command === 'list'
  const isSound = Number.isInteger(max) && max >= 1 && max <= lettersMax && waitMs > 0 && waitMs <= 60_000
  if (command === undefined || !isSound || ids.length > 0 === isAll) throw fail('letter.usage')
  return { command, ids, isAll, max, waitMs }
}

function readArgs(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        all: { type: 'boolean', default: false },
        max: { type: 'string', default: '100' },
        wait: { type: 'string', default: '3' },
      },
    })
  } catch (cause) {
    throw fail('letter.usage', undefined, { cause })
  }
}

function choose(letters: readonly DeadLetter[], ids: readonly string[]): readonly DeadLetter[] {
  const missing = ids.filter((id) => !letters.some((letter) => letter.id === id))
  if (missing.length > 0) throw fail('letter.missing', `No dead letter has the id ${missing.join(', ')}.`)
  return letters.filter(({ id }) => ids.includes(id))
}

function say(letter: DeadLetter, { nowMs, isWhole }: { nowMs: number; isWhole: boolean }): string {
  const { id, topic, key, attempts, error, text, atMs } = letter
  const minutes = Math.max(0, Math.round((nowMs - atMs) / 60_000))
  const line = [id, `${minutes} min`, topic || '?', key, `${attempts}x`, printable(error)].join('  ')
  return isWhole ? `${line}\n${printable(text)}\n` : `${line}\n`
}

/** Text that somebody else wrote must not control the terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?')
}

if (import.meta.main) {
  outliveOutputOf(process)
  const write = (text: string) => void process.stdout.write(text)
  try {
    await runDeadLetters(process.argv.slice(2), { env: process.env, clock: systemClock, write })
  } catch (error) {
    if (!isFailure(error)) throw error
    const reason = error.cause instanceof Error ? `\n${error.cause.message}` : ''
    process.stderr.write(`${error.code} ${error.detail}${reason}\n${error.entry.cure}\n`)
    if (error.key === 'letter.usage') process.stderr.write(`\n${usage}`)
    process.exitCode = error.entry.exit
  }
}
