/** How the gate ends a connection on which nothing has moved for the longest time allowed. */
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { Answers } from './answers.ts'

/** @returns a key: its page may be the answer to the last request */
export function lateEnd(
  { isComplete, hasRoom }: Pick<Answers, 'isComplete' | 'hasRoom'>,
  isVisitorLate: boolean,
): ErrorKey | 'close' | 'cut' {
  if (isComplete) return 'close'
  if (!hasRoom) return 'cut'
  return isVisitorLate ? 'http.body_deadline' : 'http.answer_deadline'
}
