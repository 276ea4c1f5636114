/** The figures of each minute of a tunnel’s hour: a flat list while they are counted, text in reports and files. */
import { answerShape, minuteShape, type Usage } from '@porttunneler/shared/api/schemas/relays'
import { packCounts, unpackCounts } from '@porttunneler/shared/base/packed-counts'

type Series = {
  readonly minutes: Float64Array | undefined
  readonly answers: Float64Array | undefined
}

export function packedOf({ minutes, answers }: Series): Pick<Usage, 'minutes' | 'answers'> {
  return {
    ...(minutes && { minutes: packCounts(minutes, minuteShape) }),
    ...(answers && { answers: packCounts(answers, answerShape) }),
  }
}

export function answersOf({ answers }: Pick<Usage, 'answers'>): Float64Array | undefined {
  const figures = answers === undefined ? undefined : unpackCounts(answers, answerShape)
  return figures && Float64Array.from(figures)
}

export function minutesOf({ minutes }: Pick<Usage, 'minutes'>): Float64Array | undefined {
  // An hour that begins; there may be thousands of them in one turn.
  if (minutes === '') return new Float64Array(minuteShape.width * minuteShape.rows)
  const figures = minutes === undefined ? undefined : unpackCounts(minutes, minuteShape)
  return figures && Float64Array.from(figures)
}
