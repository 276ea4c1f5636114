/** A live chart with its legend. The picture has a text of its own for screen readers; the figures stand beside it. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { historyPoints } from './history.ts'
import type { Line, Plot, PlotData } from './time-plot.ts'

export function TimeChart({
  title,
  summary,
  lines,
  data,
  version,
  format,
  leastMax,
  height,
}: {
  title: string
  /** What the picture shows now, in a sentence. */
  summary: string
  lines: readonly (Line & { readonly now: string })[]
  data: PlotData
  /** Another number means that the arrays in `data` grew. */
  version: number
  format: (value: number) => string
  leastMax: number
  height: number
}) {
  const host = useRef<HTMLDivElement>(null)
  const [plot, setPlot] = useState<Plot>()
  const [isFailed, setFailed] = useState(false)
  // Made once: the lines and formats of a chart never change.
  useEffect(() => {
    let made: Plot | undefined
    let isGone = false
    import('./time-plot.ts').then(
      ({ makePlot }) => {
        if (isGone || !host.current) return
        made = makePlot(host.current, { lines, format, leastMax, height, spanSeconds: historyPoints - 1 })
        setPlot(made)
      },
      () => setFailed(true),
    )
    return () => {
      isGone = true
      made?.destroy()
    }
  }, [])
  // The arrays grow in place, so the version says when to draw.
  useEffect(() => plot?.draw(data), [plot, version])
  return (
    <figure>
      <figcaption class="mb-2 flex flex-wrap items-baseline justify-between gap-x-6 gap-y-1 text-sm">
        <span class="font-semibold">{title}</span>
        <Legend lines={lines} />
      </figcaption>
      <div ref={host} role="img" aria-label={`${title}. ${summary}`} class={heights[height]}>
        {isFailed && (
          <p class="text-sm text-muted">The chart could not be loaded. Load the page again to see it.</p>
        )}
      </div>
    </figure>
  )
}

/** Keeps the place while the library loads. */
const heights: Record<number, string> = { 220: 'h-[220px]', 130: 'h-[130px]' }

const colours: Record<Line['colour'], string> = {
  '--accent': 'text-accent',
  '--second': 'text-second',
}

function Legend({ lines }: { lines: readonly (Line & { readonly now: string })[] }) {
  return (
    <span class="flex flex-wrap gap-x-5 gap-y-1">
      {lines.map(({ label, colour, dash, now }) => (
        <span key={label} class="inline-flex items-center gap-2">
          <svg width="22" height="4" aria-hidden="true" class={colours[colour]}>
            <path
              d="M0 2h22"
              stroke="currentColor"
              stroke-width="2.5"
              {...(dash && { 'stroke-dasharray': dash.join(' ') })}
            />
          </svg>
          <span class="text-muted">{label}</span>
          <span class="min-w-[4.5rem] font-medium tabular-nums">{now}</span>
        </span>
      ))}
    </span>
  )
}
