/**
 * The chart itself, in a chunk of its own so that only pages with a chart load the library (uPlot). Colours come from
 * the page's style sheet; a change of theme draws everything anew.
 */
import UPlot from 'uplot'

/** A line: its colour is the name of a custom property, its dash tells lines apart without colour. */
export type Line = {
  readonly label: string
  readonly colour: '--accent' | '--second'
  readonly dash?: readonly number[]
}

export type PlotData = readonly [at: readonly number[], ...lines: (readonly (number | null)[])[]]

export type PlotOptions = {
  readonly lines: readonly Line[]
  readonly format: (value: number) => string
  /** The upper end of the scale while nothing larger is there. */
  readonly leastMax: number
  readonly spanSeconds: number
  readonly height: number
}

export type Plot = {
  /** Draws `data` up to its last point. */
  draw(data: PlotData): void
  destroy(): void
}

export function makePlot(host: HTMLElement, options: PlotOptions): Plot {
  let data: PlotData = [[], ...options.lines.map(() => [])]
  let plot = build(host, options)
  const draw = () => {
    const last = data[0].at(-1)
    if (last === undefined) return
    plot.setData(data as unknown as UPlot.AlignedData, false)
    plot.setScale('x', { min: last - options.spanSeconds, max: last })
  }
  const rebuild = () => {
    plot.destroy()
    plot = build(host, options)
    draw()
  }
  const sizes = new ResizeObserver(() => plot.setSize({ width: host.clientWidth, height: options.height }))
  sizes.observe(host)
  const themes = new MutationObserver(rebuild)
  themes.observe(document.documentElement, { attributeFilter: ['data-theme'] })
  const scheme = matchMedia('(prefers-color-scheme: dark)')
  scheme.addEventListener('change', rebuild)
  return {
    draw(next) {
      data = next
      draw()
    },
    destroy() {
      sizes.disconnect()
      themes.disconnect()
      scheme.removeEventListener('change', rebuild)
      plot.destroy()
    },
  }
}

function build(host: HTMLElement, { lines, format, leastMax, height }: PlotOptions): UPlot {
  const colour = resolver(host)
  const axis = {
    stroke: colour('--muted'),
    font: `12px ${getComputedStyle(host).fontFamily}`,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  }
  return new UPlot(
    {
      width: host.clientWidth,
      height,
      cursor: { show: false },
      legend: { show: false },
      padding: [8, 28, 0, 0],
      scales: {
        x: { time: true, auto: false },
        y: { range: (_plot, _min, max) => [0, Math.max(leastMax, max ?? 0) * 1.1] },
      },
      axes: [
        { ...axis, size: 28, space: 70, values: (_plot, seconds) => seconds.map(clockText) },
        { ...axis, size: 68, space: 36, values: (_plot, values) => values.map(format) },
      ],
      series: [
        {},
        ...lines.map((line) => ({
          stroke: colour(line.colour),
          width: 2,
          points: { show: false },
          ...(line.dash && { dash: [...line.dash] }),
        })),
      ],
    },
    [[], ...lines.map(() => [])],
    host,
  )
}

/** Custom properties hold `light-dark()`, which a canvas does not understand: the browser resolves it for a probe. */
function resolver(host: HTMLElement): (name: string) => string {
  const probe = document.createElement('span')
  host.append(probe)
  const colours = new Map(
    ['--muted', '--line', '--accent', '--second'].map((name) => {
      probe.style.color = `var(${name})`
      return [name, getComputedStyle(probe).color]
    }),
  )
  probe.remove()
  return (name) => colours.get(name) ?? 'gray'
}

const clockFormat = new Intl.DateTimeFormat('en', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
})

function clockText(seconds: number): string {
  return clockFormat.format(seconds * 1_000)
}
