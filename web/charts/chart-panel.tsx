/**
 * A chart of a page with a shared time range: a legend that reads the crosshair, marks of what happened, a part chosen
 * by drawing over it or by keys, and the same figures as a table.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import { formatTime } from '../parts/format.ts'
import type { Line, Mark, Plot } from './panel-plot.ts'
import type { ShownSpan, TimeRange } from './time-range.ts'

export type PanelLine = Line & { readonly values: readonly (number | null)[] }

type PanelProps = {
  title: string
  /** ms */
  at: readonly number[]
  lines: readonly PanelLine[]
  format: (value: number) => string
  leastMax: number
  height: 'tall' | 'low'
  span: ShownSpan
  marks: readonly Mark[]
  onPart: (part: TimeRange['zoom']) => void
}

const heightPx = { tall: 220, low: 150 } as const
const heights = { tall: 'h-[220px]', low: 'h-[150px]' } as const
const unknown = '–'

export function ChartPanel(props: PanelProps) {
  const { title, at, lines, format, span } = props
  const [place, setPlace] = useState<number>()
  const [isTable, setTable] = useState(false)
  const shown = place ?? at.findLastIndex((_, index) => lines.some(({ values }) => values[index] !== null))
  const time = at[shown]
  return (
    <figure class="min-w-0">
      <figcaption class="mb-2 flex flex-wrap items-baseline gap-x-5 gap-y-1 text-sm">
        <span class="font-semibold">{title}</span>
        <Legend lines={lines} shown={shown} format={format} />
        <span class="ml-auto text-muted tabular-nums">
          {place !== undefined && time !== undefined && `${formatTime(time)}${markText(props, time)}`}
        </span>
        <button
          type="button"
          class="text-muted underline decoration-edge underline-offset-4 hover:text-text"
          aria-pressed={isTable}
          aria-label={`${title} as a table`}
          onClick={() => setTable(!isTable)}
        >
          Table
        </button>
      </figcaption>
      {isTable ? (
        <FigureTable {...props} />
      ) : (
        <Picture {...props} shown={Math.max(0, shown)} onPlace={setPlace} key={span.stepMs} />
      )}
    </figure>
  )
}

/** A mark this near to the crosshair, as a share of what is shown, is told. */
const nearShare = 0.01

function markText({ marks, span }: Pick<PanelProps, 'marks' | 'span'>, time: number): string {
  const near = (span.to - span.from) * nearShare
  const mark = marks.find(({ at }) => Math.abs(at - time) <= near)
  return mark ? ` · ${mark.text}` : ''
}

function Legend({ lines, shown, format }: Pick<PanelProps, 'lines' | 'format'> & { shown: number }) {
  return (
    <>
      {lines.map(({ label, colour, dash, values }) => {
        const value = values[shown]
        return (
          <span key={label} class="inline-flex items-center gap-2">
            <svg width="18" height="4" aria-hidden="true" class={colours[colour]}>
              <path
                d="M0 2h18"
                stroke="currentColor"
                stroke-width="2.5"
                {...(dash && { 'stroke-dasharray': dash.join(' ') })}
              />
            </svg>
            <span class="text-muted">{label}</span>
            <span class="font-medium tabular-nums">
              {value === null || value === undefined ? unknown : format(value)}
            </span>
          </span>
        )
      })}
    </>
  )
}

const colours: Record<Line['colour'], string> = {
  '--chart-1': 'text-chart-1',
  '--chart-2': 'text-chart-2',
  '--chart-3': 'text-chart-3',
  '--chart-4': 'text-chart-4',
  '--chart-5': 'text-chart-5',
  '--chart-6': 'text-chart-6',
}

type PictureProps = PanelProps & {
  /** The point under the crosshair, or the last one. */
  shown: number
  onPlace: (place: number | undefined) => void
}

function Picture(props: PictureProps) {
  const { shown, title, at, lines, format, leastMax, height, span, marks } = props
  const host = useRef<HTMLDivElement>(null)
  const latest = useRef(props)
  latest.current = props
  const [plot, setPlot] = useState<Plot>()
  const [isFailed, setFailed] = useState(false)
  // Made once: the lines and the format of a chart never change.
  useEffect(() => {
    let made: Plot | undefined
    let isGone = false
    import('./panel-plot.ts').then(
      ({ makePlot }) => {
        if (isGone || !host.current) return
        made = makePlot(host.current, {
          lines,
          format,
          leastMax,
          height: heightPx[height],
          onPlace: (place) => latest.current.onPlace(place),
          onPart: (from, to) => latest.current.onPart({ from: from * 1_000, to: to * 1_000 }),
        })
        setPlot(made)
      },
      () => setFailed(true),
    )
    return () => {
      isGone = true
      made?.destroy()
    }
  }, [])
  useEffect(() => {
    const data = [at.map((ms) => ms / 1_000), ...lines.map(({ values }) => values)] as const
    plot?.draw(data, [span.from / 1_000, span.to / 1_000], marks)
  }, [plot, at, lines, span.from, span.to, marks])
  return (
    <div
      ref={host}
      role="slider"
      tabIndex={0}
      aria-label={`${title}. ${summaryOf(props)} Arrow keys move along it, plus and minus change the part that is shown.`}
      aria-valuemin={0}
      aria-valuemax={Math.max(0, at.length - 1)}
      aria-valuenow={shown}
      aria-valuetext={valueText(props, shown)}
      class={`relative ${heights[height]}`}
      onKeyDown={(event) => onKey(event, plot, props)}
    >
      {isFailed && (
        <p class="text-sm text-muted">The chart could not be loaded. Load the page again to see it.</p>
      )}
    </div>
  )
}

function valueText({ at, lines, format, marks, span }: PanelProps, shown: number): string {
  const figures = lines.map(({ label, values }) => {
    const value = values[shown]
    return `${label} ${value === null || value === undefined ? 'unknown' : format(value)}`
  })
  const time = at[shown] ?? 0
  return [formatTime(time), ...figures].join(', ') + markText({ marks, span }, time)
}

const page = 10

function onKey(event: KeyboardEvent, plot: Plot | undefined, { span, onPart }: PanelProps): void {
  const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -page, PageDown: page }
  const by = steps[event.key]
  const quarter = (span.to - span.from) / 4
  if (by !== undefined) plot?.step(by)
  else if (event.key === '+') onPart({ from: span.from + quarter, to: span.to - quarter })
  else if (event.key === '-' || event.key === 'Escape') onPart(undefined)
  else return
  event.preventDefault()
}

function summaryOf({ lines, format }: PanelProps): string {
  return lines
    .map(({ label, values }) => {
      const known = values.filter((value) => value !== null)
      if (known.length === 0) return `${label}: nothing known.`
      return `${label}: the most ${format(Math.max(...known))}, last ${format(known.at(-1) ?? 0)}.`
    })
    .join(' ')
}

/** So many rows are read at once; each has the most of its time. */
const rowsMax = 30

function FigureTable({ title, at, lines, format, marks }: PanelProps) {
  const per = Math.max(1, Math.ceil(at.length / rowsMax))
  const rows = at.filter((_, index) => index % per === 0)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without the focus a keyboard could not move through the rows
    <div class="max-h-80 overflow-auto rounded-md border border-line" tabIndex={0}>
      <table class="w-full text-left text-sm">
        <caption class="sr-only">{title}: the most of each time</caption>
        <thead class="sticky top-0 bg-surface text-muted">
          <tr>
            <th scope="col" class="px-3 py-1.5 font-medium">
              From
            </th>
            {lines.map(({ label }) => (
              <th key={label} scope="col" class="px-3 py-1.5 text-right font-medium">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody class="divide-y divide-line tabular-nums">
          {rows.map((time, row) => (
            <tr key={time}>
              <th scope="row" class="px-3 py-1 font-normal whitespace-nowrap text-muted">
                {formatTime(time)}
                {marks
                  .filter((mark) => mark.at >= time && mark.at < (rows[row + 1] ?? Number.POSITIVE_INFINITY))
                  .map((mark) => (
                    <span key={`${mark.at} ${mark.text}`} class="block whitespace-normal">
                      {mark.text}
                    </span>
                  ))}
              </th>
              {lines.map(({ label, values }) => {
                const known = values.slice(row * per, (row + 1) * per).filter((value) => value !== null)
                return (
                  <td key={label} class="px-3 py-1 text-right">
                    {known.length === 0 ? unknown : format(Math.max(...known))}
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
