/** A table from the definitions of its columns: rows of 40 px on a wide screen, and on a phone one block a row. */
import type { ComponentChildren } from 'preact'
import { useWide } from './media.ts'

export type Column<Row> = {
  readonly head: string
  readonly cell: (row: Row) => ComponentChildren
  readonly isNumber?: boolean
  /** A column of buttons: its head is for screen readers alone. */
  readonly isActions?: boolean
}

/** The first column names the row. */
export function DataTable<Row>({
  label,
  columns,
  rows,
  keyOf,
}: {
  label: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  keyOf: (row: Row) => string
}) {
  const isWide = useWide()
  return isWide ? (
    <div class="overflow-x-auto rounded-xl border border-line bg-surface">
      <table class="w-full text-left text-sm">
        <caption class="sr-only">{label}</caption>
        <thead class="border-b border-line text-muted">
          <tr>
            {columns.map(({ head, isNumber, isActions }) => (
              <th
                key={head}
                scope="col"
                class={`h-9 px-3 font-medium whitespace-nowrap first:pl-4 last:pr-4 ${isNumber ? 'text-right' : ''}`}
              >
                {isActions ? <span class="sr-only">{head}</span> : head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody class="divide-y divide-line">
          {rows.map((row) => (
            <tr key={keyOf(row)} class="hover:bg-raised/50">
              {columns.map((column, at) => (
                <Cell key={column.head} column={column} isFirst={at === 0}>
                  {column.cell(row)}
                </Cell>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  ) : (
    <ul aria-label={label} class="divide-y divide-line rounded-xl border border-line bg-surface text-sm">
      {rows.map((row) => (
        <li key={keyOf(row)} class="space-y-2 px-4 py-3">
          <Block columns={columns} row={row} />
        </li>
      ))}
    </ul>
  )
}

function Cell<Row>({
  column: { isNumber, isActions },
  isFirst,
  children,
}: {
  column: Column<Row>
  isFirst: boolean
  children: ComponentChildren
}) {
  const look = `h-10 px-3 first:pl-4 last:pr-4 ${isActions ? 'py-0.5' : 'py-2'} ${isNumber || isActions ? 'text-right' : ''}`
  return isFirst ? (
    <th scope="row" class={`${look} font-semibold break-words`}>
      {children}
    </th>
  ) : (
    <td class={look}>{children}</td>
  )
}

function Block<Row>({ columns, row }: { columns: readonly Column<Row>[]; row: Row }) {
  const [first, ...others] = columns
  const actions = others.filter(({ isActions }) => isActions)
  return (
    <>
      <div class="flex items-start justify-between gap-3">
        <div class="min-w-0 font-semibold break-words">{first?.cell(row)}</div>
        {actions.map(({ head, cell }) => (
          <div key={head}>{cell(row)}</div>
        ))}
      </div>
      <dl class="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-0.5">
        {others
          .filter(({ isActions }) => !isActions)
          .map(({ head, cell }) => ({ head, content: cell(row) }))
          .filter(({ content }) => !isNothing(content))
          .map(({ head, content }) => (
            <div key={head} class="col-span-2 grid grid-cols-subgrid">
              <dt class="text-muted">{head}</dt>
              <dd class="min-w-0 break-words">{content}</dd>
            </div>
          ))}
      </dl>
    </>
  )
}

/** What leaves its cell empty needs no line of its own on a phone. */
function isNothing(content: ComponentChildren): boolean {
  return content === undefined || content === null || content === false || content === ''
}
