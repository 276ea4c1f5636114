/**
 * The picture of a chart panel, in a chunk of its own so that only pages with charts load the library (uPlot). All
 * pictures of a page share one crosshair. Colours come from the page's style sheet; another theme draws everything
 * anew.
 */
import UPlot from 'uplot'
import { chartColours } from './code-lines.ts'

/** A line: its colour is the name of a custom property, its dash tells lines apart without colour. */
export type Line = {
  readonly label: string
  readonly colour: Colour
  readonly dash?: readonly number[]
  /** Drawn below the zero line, as the other direction of the same thing. */
  readonly isBelow?: boolean
  readonly isFilled?: boolean
}
/** A chart has its own six colours; those of states stand for nothing else. */
type Colour = (typeof chartColours)[number]

type PlotData = readonly [at: readonly number[], ...lines: (readonly (number | null)[])[]]
/** Something that happened, as an upright line. */
export type Mark = { readonly at: number; readonly text: string; readonly kind: 'change' | 'trouble' }

type PlotOptions = {
  readonly lines: readonly Line[]
  readonly format: (value: number) => string
  /** The upper end of the scale while nothing larger is there. */
  readonly leastMax: number
  readonly height: number
  /** The place of the crosshair in the data; undefined: it is not in the picture. */
  readonly onPlace: (place: number | undefined) => void
  /** Somebody drew over a part of it; seconds. */
  readonly onPart: (from: number, to: number) => void
}

export type Plot = {
  draw(data: PlotData, span: readonly [from: number, to: number], marks: readonly Mark[]): void
  /** Moves the crosshair by so many points; the other pictures follow. */
  step(by: number): void
  destroy(): void
}

type Drawn = {
  readonly data: PlotData
  readonly span: readonly [number, number]
  readonly marks: readonly Mark[]
}
const crosshair = 'charts of the page'
/** A press that moved less than this is no choice of a part. */
const partPxMin = 8

export function makePlot(host: HTMLElement, options: PlotOptions): Plot {
  let drawn: Drawn = { data: [[], ...options.lines.map(() => [])], span: [0, 1], marks: [] }
  const now = () => drawn
  let plot = build(host, options, now)
  const draw = () => {
    const [at, ...columns] = drawn.data
    const signed = columns.map((column, place) =>
      options.lines[place]?.isBelow ? column.map((value) => (value === null ? null : -value)) : column,
    )
    plot.setData([at, ...signed] as unknown as UPlot.AlignedData, false)
    plot.setScale('x', { min: drawn.span[0], max: drawn.span[1] })
  }
  const rebuild = () => {
    plot.destroy()
    plot = build(host, options, now)
    draw()
  }
  const sizes = new ResizeObserver(() => plot.setSize({ width: host.clientWidth, height: options.height }))
  sizes.observe(host)
  const themes = new MutationObserver(rebuild)
  themes.observe(document.documentElement, { attributeFilter: ['data-theme'] })
  const scheme = matchMedia('(prefers-color-scheme: dark)')
  scheme.addEventListener('change', rebuild)
  return {
    draw(data, span, marks) {
      drawn = { data, span, marks }
      draw()
    },
    step(by) {
      const [at] = drawn.data
      const place = Math.min(at.length - 1, Math.max(0, (plot.cursor.idx ?? at.length - 1) + by))
      plot.setCursor({ left: plot.valToPos(at[place] ?? 0, 'x'), top: 1 })
    },
    destroy() {
      sizes.disconnect()
      themes.disconnect()
      scheme.removeEventListener('change', rebuild)
      plot.destroy()
    },
  }
}

function build(host: HTMLElement, options: PlotOptions, now: () => Drawn): UPlot {
  const { lines, format, leastMax, height } = options
  const colour = resolver(host)
  const axis = {
    stroke: colour('--muted'),
    font: `12px ${getComputedStyle(host).fontFamily}`,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  }
  const isMirrored = lines.some(({ isBelow }) => isBelow)
  const top = (most: number | null) => Math.max(leastMax, most ?? 0) * 1.1
  return new UPlot(
    {
      width: host.clientWidth,
      height,
      cursor: {
        sync: {
          key: crosshair,
          scales: ['x', null],
          // Only where the crosshair is: a part that is chosen in one picture would be chosen in each.
          filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave', sub: () => true },
        },
        y: false,
        drag: { x: true, y: false, setScale: false, dist: partPxMin },
        points: { size: 7 },
      },
      legend: { show: false },
      padding: [8, 30, 0, 0],
      scales: {
        x: { time: true, auto: false },
        y: { range: (_plot, min, max) => [isMirrored ? -top(-(min ?? 0)) : 0, top(max)] },
      },
      axes: [
        { ...axis, size: 28, space: 76, values: (_plot, seconds) => seconds.map(timeText(now().span)) },
        {
          ...axis,
          size: 72,
          space: 34,
          values: (_plot, values) => values.map((value) => format(Math.abs(value))),
        },
      ],
      series: [
        {},
        ...lines.map((line) => ({
          stroke: colour(line.colour),
          width: 1.5,
          points: { show: false },
          ...(line.isFilled && { fill: `color-mix(in srgb, ${colour(line.colour)} 18%, transparent)` }),
          ...(line.dash && { dash: [...line.dash] }),
        })),
      ],
      hooks: {
        drawClear: [(plot) => drawMarks(plot, now(), colour)],
        setCursor: [(plot) => options.onPlace(plot.cursor.idx ?? undefined)],
        setSelect: [
          (plot) => {
            const { left, width } = plot.select
            if (width < partPxMin) return
            options.onPart(plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x'))
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
          },
        ],
      },
    },
    [[], ...lines.map(() => [])],
    host,
  )
}

function drawMarks(
  { ctx, bbox, valToPos }: UPlot,
  { marks, span }: Drawn,
  colour: (name: string) => string,
): void {
  ctx.save()
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio])
  for (const { at, kind } of marks) {
    const seconds = at / 1_000
    if (seconds < span[0] || seconds > span[1]) continue
    const x = valToPos(seconds, 'x', true)
    ctx.strokeStyle = colour(kind === 'trouble' ? '--danger' : '--muted')
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
  }
  ctx.restore()
}

/** Custom properties hold `light-dark()`, which a canvas does not understand: the browser resolves it for a probe. */
function resolver(host: HTMLElement): (name: string) => string {
  const probe = document.createElement('span')
  host.append(probe)
  const colours = new Map(
    ['--muted', '--line', '--danger', ...chartColours].map((name) => {
      probe.style.color = `var(${name})`
      return [name, getComputedStyle(probe).color]
    }),
  )
  probe.remove()
  return (name) => colours.get(name) ?? 'gray'
}

const hourSeconds = 3_600
const formats = {
  seconds: new Intl.DateTimeFormat('en', { timeStyle: 'medium', hourCycle: 'h23' }),
  minutes: new Intl.DateTimeFormat('en', { timeStyle: 'short', hourCycle: 'h23' }),
  hours: new Intl.DateTimeFormat('en', {
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }),
  days: new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric' }),
} as const

/** As exact as the span needs. */
function timeText([from, to]: readonly [number, number]): (seconds: number) => string {
  const hours = (to - from) / hourSeconds
  const format = hours <= 1 ? 'seconds' : hours <= 24 ? 'minutes' : hours <= 8 * 24 ? 'hours' : 'days'
  return (seconds) => formats[format].format(seconds * 1_000)
}
