/**
 * Code blocks of a document and what their first line says of them:
 *
 * - `sh run`: a test runs it to its end
 * - `sh run until <words>`: it stays running, and what follows waits until its output has these words
 * - `console run`: lines after `$ ` are run, the others are what they print; `…` stands for anything
 * - `sh shown <reason>`: nothing runs it, and the page says why
 * - `<language> file <name>`: the text of a file that what follows needs
 */

export type Fence = {
  /** Where the backquotes stand, from 1. */
  readonly line: number
  readonly language: string
  readonly mark: string | undefined
  /** What follows the mark: words, a reason, a name. */
  readonly rest: string
  readonly text: string
}

export function fencesOf(markdown: string): readonly Fence[] {
  return [...markdown.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(
    ({ index, 1: info = '', 2: text = '' }) => {
      const { language, mark, rest } = readInfo(info)
      return { line: markdown.slice(0, index).split('\n').length, language, mark, rest, text }
    },
  )
}

/** Reads what stands behind the backquotes. */
export function readInfo(info: string): Pick<Fence, 'language' | 'mark' | 'rest'> {
  const [language = '', mark, ...rest] = info.trim().split(' ')
  return { language, mark, rest: rest.join(' ') }
}

/** What a reader types, without prompts, and what is printed. */
export function sessionOf(text: string): { readonly typed: string; readonly printed: string } {
  const lines = text.trimEnd().split('\n')
  const isTyped = (line: string) => line.startsWith('$ ')
  return {
    typed: lines
      .filter(isTyped)
      .map((line) => line.slice(2))
      .join('\n'),
    printed: lines.filter((line) => !isTyped(line)).join('\n'),
  }
}
