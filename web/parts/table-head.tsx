/** The head cell of a table's column. */
import type { ComponentChildren } from 'preact'

export function TableHead({
  isNumber = false,
  children,
}: {
  isNumber?: boolean
  children: ComponentChildren
}) {
  return (
    <th
      scope="col"
      class={`px-4 py-3 font-medium whitespace-nowrap first:pl-6 last:pr-6 ${isNumber ? 'text-right' : ''}`}
    >
      {children}
    </th>
  )
}
