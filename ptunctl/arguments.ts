/** What ptunctl's commands take: numbers, times, lists and ranges as text, and the reason for the audit. */
import { type Command, InvalidArgumentError } from 'commander'

export function because(command: Command): Command {
  return command.requiredOption('--reason <text>', 'why, for the audit')
}

/** For what lists. @param usual how many without it */
export function limited(command: Command, usual = 100): Command {
  return command.option('--limit <count>', 'at most this many', readNumber, usual)
}

export function readNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.')
  return value
}

export function readFlagValue(text: string): string | number {
  const [, percent] = /^(\d+(?:\.\d+)?) ?%?$/.exec(text) ?? []
  return percent === undefined ? text : Number(percent)
}

export function readTime(text: string): number {
  const value = Date.parse(text)
  if (Number.isNaN(value)) throw new InvalidArgumentError('It must be a time such as 2026-01-31T12:00Z.')
  return value
}

export function readList(text: string): readonly string[] {
  return text.split(',').filter((part) => part !== '')
}

export function readRange(text: string): readonly [number, number] {
  const [, from, to] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? []
  if (from === undefined || to === undefined)
    throw new InvalidArgumentError('It must be a range such as 20000-20999.')
  return [Number(from), Number(to)]
}
