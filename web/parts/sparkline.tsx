/** The last minute of a tunnel's traffic in a word's space. It repeats what the figures beside it say. */
import { type Columns, sparkPoints } from '../charts/history.ts'

const size = { width: 72, height: 20 }

export function Sparkline({ columns }: { columns: Columns }) {
  const path = pathOf(columns)
  return (
    <svg
      viewBox={`0 0 ${size.width} ${size.height}`}
      width={size.width}
      height={size.height}
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linejoin="round"
      aria-hidden="true"
      class={path ? 'text-accent' : 'text-line'}
    >
      <path d={path ?? `M0 ${size.height - 1}H${size.width}`} />
    </svg>
  )
}

/** @returns undefined when nothing was carried */
export function pathOf({ in: inward, out }: Pick<Columns, 'in' | 'out'>): string | undefined {
  const from = Math.max(0, inward.length - sparkPoints)
  const rates = inward.slice(from).map((rate, at) => (rate ?? 0) + (out[from + at] ?? 0))
  const highest = Math.max(...rates, 0)
  if (highest === 0) return undefined
  const left = size.width - (rates.length - 1) * (size.width / (sparkPoints - 1))
  const places = rates.map((rate, at) => {
    const x = left + at * (size.width / (sparkPoints - 1))
    const y = size.height - 1 - (rate / highest) * (size.height - 2)
    return `${x.toFixed(1)} ${y.toFixed(1)}`
  })
  return `M${places.join('L')}`
}
