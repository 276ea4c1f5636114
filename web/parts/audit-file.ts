/** Entries of the audit log as a file: CSV for spreadsheets (RFC 4180), or JSON as the API has them. */
import type { Calls } from '../api/calls.ts'

type Entry = Awaited<ReturnType<Calls['audit']>>['items'][number]

const columns: readonly (readonly [head: string, of: (entry: Entry) => string])[] = [
  ['time', ({ at }) => new Date(at).toISOString()],
  ['action', ({ action }) => action],
  ['who', ({ actor }) => actor],
  ['what', ({ target }) => target],
  ['address', ({ from }) => from],
  ['program', ({ userAgent = '' }) => userAgent],
  ['details', ({ details }) => (Object.keys(details).length === 0 ? '' : JSON.stringify(details))],
  ['seal', ({ seal }) => `${seal}`],
  ['id', ({ id }) => id],
]

export function fileOf(entries: readonly Entry[], form: 'csv' | 'json'): Blob {
  return form === 'csv'
    ? new Blob([csvOf(entries)], { type: 'text/csv;charset=utf-8' })
    : new Blob([`${JSON.stringify(entries, undefined, 2)}\n`], { type: 'application/json' })
}

export function csvOf(entries: readonly Entry[]): string {
  const rows = [columns.map(([head]) => head), ...entries.map((entry) => columns.map(([, of]) => of(entry)))]
  return rows.map((row) => `${row.map(cellOf).join(',')}\r\n`).join('')
}

/**
 * A cell may hold anything, because each caller chooses the name of its program. A spreadsheet would run a cell that
 * begins like a formula (CWE-1236); with a quotation mark before it, it is text.
 */
function cellOf(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain
}
