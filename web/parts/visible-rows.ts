/** Which rows of a long list are on the screen. All have one height, and the page scrolls, not the list. */
import type { RefObject } from 'preact'
import { useEffect, useState } from 'preact/hooks'

/** Rows beyond the screen that are there already: for a quick scroll, and for the Tab key. */
const spare = 8
/** The range moves in steps of this many rows, so that most scroll events render nothing. */
const step = 4
/** Before the first look: a tall screen. */
const atFirst = 40

export type Range = readonly [from: number, to: number]

/** @returns the first row to render, and the one after the last; `rowPx` is the height of a row */
export function useVisibleRows(list: RefObject<HTMLElement>, count: number, rowPx: number): Range {
  const [range, setRange] = useState<Range>([0, atFirst])
  useEffect(() => {
    let frame = 0
    const look = () => {
      frame = 0
      const top = list.current?.getBoundingClientRect().top ?? 0
      const next = rangeOf({ top, height: innerHeight, rowPx, count })
      setRange((last) => (last[0] === next[0] && last[1] === next[1] ? last : next))
    }
    const onMove = () => {
      frame ||= requestAnimationFrame(look)
    }
    look()
    addEventListener('scroll', onMove, { passive: true })
    addEventListener('resize', onMove)
    return () => {
      cancelAnimationFrame(frame)
      removeEventListener('scroll', onMove)
      removeEventListener('resize', onMove)
    }
  }, [list, count, rowPx])
  return [Math.min(range[0], count), Math.min(range[1], count)]
}

/** @param top of the list, seen from the top of the screen */
export function rangeOf({
  top,
  height,
  rowPx,
  count,
}: {
  readonly top: number
  readonly height: number
  readonly rowPx: number
  readonly count: number
}): Range {
  const first = Math.floor(-top / rowPx) - spare
  const after = Math.ceil((height - top) / rowPx) + spare
  const within = (row: number) => Math.min(count, Math.max(0, row))
  return [within(Math.floor(first / step) * step), within(Math.ceil(after / step) * step)]
}
