/** Results for a person: a table for a list, one line for each field of a single thing. Times are UTC. */
import { stripVTControlCharacters } from 'node:util'
import type { PortTunnelerError } from '@porttunneler/shared/base/errors'

type Row = Readonly<Record<string, unknown>>

export function resultText(result: unknown): string {
  if (Array.isArray(result)) return result.length === 0 ? 'None.\n' : tableText(result.filter(isRow))
  if (!isRow(result)) return `${cellText('', result)}\n`
  const width = Math.max(...Object.keys(result).map((key) => key.length))
  return Object.entries(result)
    .map(([key, value]) => fieldText(key, value, width))
    .join('')
}

export function failureText({ code, detail, entry: { cure }, cause }: PortTunnelerError): string {
  // What the system said stands in the detail already, in words.
  const isSaid = cause instanceof Error && 'code' in cause && detail.includes(`(${cause.code})`)
  const reason = cause instanceof Error && !isSaid ? `  ${printable(cause.message)}\n` : ''
  return `${code} ${printable(detail)}\n${reason}  ${cure}\n`
}

/** Where an error came from, without what it said. */
export function stackText({ stack = '' }: Error): string {
  const lines = stack.split('\n').filter((line) => /^\s+at /.test(line))
  return lines.map((line) => `  ${printable(line.trim())}`).join('\n')
}

function fieldText(key: string, value: unknown, width: number): string {
  const isList = Array.isArray(value) && value.some(isRow)
  if (isList) return `${key}:\n${indent(tableText(value.filter(isRow)))}`
  // Each is a sentence.
  if (key === 'problems' && Array.isArray(value) && value.length > 0)
    return `${key}:\n${indent(value.map((problem) => `${cellText('', problem)}\n`).join(''))}`
  if (isRow(value) && Object.keys(value).length > 0) return `${key}:\n${indent(resultText(value))}`
  return `${key.padEnd(width)}  ${cellText(key, isRow(value) ? '' : value)}\n`
}

function tableText(rows: readonly Row[]): string {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const lines = [keys, ...rows.map((row) => keys.map((key) => cellText(key, row[key])))]
  const widths = keys.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map((line) =>
      line
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}

/** Field names show which fields are times. */
function cellText(key: string, value: unknown): string {
  if (value === undefined || value === null || value === '') return '-'
  const isTime = /(?:^at|^until|At|Until|From|since)$/.test(key) && typeof value === 'number'
  if (isTime) return value === 0 ? '-' : new Date(value).toISOString().replace('T', ' ').slice(0, 19)
  if (Array.isArray(value)) return value.map((each) => cellText('', each)).join(', ') || '-'
  return printable(typeof value === 'object' ? JSON.stringify(value) : String(value))
}

/** Names and addresses come from strangers: none of them may control the terminal. */
function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, ' ')
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
