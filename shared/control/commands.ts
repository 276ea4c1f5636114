/**
 * Commands to relays. The state change and its command commit together; the bus makes the command fast, and `sync`
 * makes it certain. A receiver keeps the highest version of a subject, so neither order nor repeats matter.
 */
import type { Command } from '../api/schemas/relays.ts'
import { newId } from '../base/ids.ts'
import { requestFields } from '../base/request-scope.ts'
import type { Control } from './control.ts'
import { type CommandDoc, commands } from './documents.ts'
import { asFailure } from './failures.ts'
import { topics } from './names.ts'
import type { Doc, Transaction } from './platform.ts'

/**
 * A relay that was cut off reads what it missed in up to a day. After that it has forgotten what the commands would
 * change.
 */
export const commandsKeptMs = 24 * 3_600_000
/** Commands that one line names. */
const toldMax = 10
/** Every relay of every cell. */
export const everyCell = '*'

type WithoutId<T> = T extends Command ? Omit<T, 'id' | 'at' | 'request'> : never

/** A command to send: `writeCommand` writes it within the change, then it is published. */
export type Outgoing = { readonly cell: string; readonly command: Command }

export function makeCommand(cell: string, body: WithoutId<Command>, nowMs: number): Outgoing {
  const { requestId: request } = requestFields()
  const from = request !== undefined && { request }
  return { cell, command: { ...body, ...from, id: newId('cmd', nowMs), at: nowMs } as Command }
}

export function writeCommand(tx: Transaction, outgoing: Outgoing): void {
  tx.create(commands.ref(outgoing.command.id), documentOf(outgoing))
}

function documentOf({ cell, command }: Outgoing): CommandDoc {
  return { cell, body: bodyOf(command), createdAt: command.at, ttl: new Date(command.at + commandsKeptMs) }
}

function bodyOf(command: Command): Doc {
  return { ...command }
}

type Publishing = Pick<Control, 'bus' | 'cells' | 'log'>

/** Runs after the commit and never throws: the change stands, and `sync` delivers what the bus refused. */
export async function publishCommands(control: Publishing, outgoing: readonly Outgoing[]): Promise<void> {
  const published = await Promise.allSettled(outgoing.map((each) => publishOne(control, each)))
  const refused = published.filter((one) => one.status === 'rejected')
  const [first] = refused
  if (first === undefined) return tellSent(control, outgoing)
  const error = asFailure(first.reason)
  const waiting = refused.length
  control.log.warn(
    { code: error.code, error, waiting },
    'commands wait for sync because the bus refused them',
  )
}

/** Only what a request caused: nobody asks for the commands of a round of jobs. */
function tellSent({ log }: Publishing, outgoing: readonly Outgoing[]): void {
  const asked = outgoing.filter(({ command }) => command.request !== undefined)
  if (asked.length === 0) return
  const sent = asked.slice(0, toldMax).map(({ cell, command: { id, kind } }) => ({ cell, id, kind }))
  log.info({ sent, count: asked.length }, 'commands were sent to relays')
}

async function publishOne({ bus, cells }: Publishing, { cell, command }: Outgoing): Promise<void> {
  const body = bodyOf(command)
  if (cell !== everyCell) return bus.publish(topics.commands(cell), body)
  const ids = await cells.openIds()
  await Promise.all(ids.map((id) => bus.publish(topics.commands(id), body)))
}
