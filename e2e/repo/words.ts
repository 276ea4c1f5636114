/** Plain English in comments: wordings that made readers guess. They are all gone, and must not come back. */
import { type Source, type Violation, violation } from './sources.ts'

const riddles: readonly (readonly [wording: RegExp, instead: string])[] = [
  [/^(?:Of|Nor|Whoever|Absent)\b/, 'is no sentence: say who or what it is about'],
  [/^(?:Answers|Gives) (?:how|whether|where|which|undefined|true|false)\b/, 'say what the function returns'],
  [/\bof before\b/, 'say "earlier", or which release'],
]

export function checkWords(source: Source): readonly Violation[] {
  return source.parsed.comments.flatMap(({ value, start }) => {
    const words = value.replace(/[\s*]+/g, ' ').trim()
    return riddles.flatMap(([wording, instead]) => {
      const found = wording.exec(words)
      return found ? [violation(source, start, `"${found[0]}": ${instead}`)] : []
    })
  })
}
