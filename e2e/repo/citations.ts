/** Comments and documents that cite a numbered rule of the wire protocol: docs/protocol.md must have the rule. */
import { lineAt, type Violation } from './sources.ts'

const citation = /\brules? (\d+(?:(?:, | and | to |, and )\d+)*)/gi

/** The numbers of the list under "Rules by number", in order. */
export function rulesOf(document: string): readonly number[] {
  const section = /^## Rules by number$([\s\S]*?)^## /m.exec(document)?.[1] ?? ''
  return [...section.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number))
}

export function checkCitations(path: string, text: string, rules: readonly number[]): readonly Violation[] {
  // A comment continues in its next line.
  const flat = text.replace(/\s*\n[ \t]*(?:\*|\/\/)?[ \t]*/g, ' ')
  return [...flat.matchAll(citation)].flatMap(({ 0: cited, 1: numbers = '' }) =>
    numbersOf(numbers)
      .filter((number) => !rules.includes(number))
      .map((number) => ({
        path,
        line: lineAt(text, Math.max(0, text.indexOf(cited))),
        message: `rule ${number} is not in docs/protocol.md`,
      })),
  )
}

/** `1 to 3, 5 and 7` */
function numbersOf(text: string): readonly number[] {
  return text.split(/, and |, | and /).flatMap((part) => {
    const [from = 0, to = from] = part.split(' to ').map(Number)
    return Array.from({ length: Math.max(1, to - from + 1) }, (_, n) => from + n)
  })
}
