/** Header lines as a text that people change. */
import type { HeaderLine } from '@porttunneler/shared/api/schemas/inspection'

export function headerText(lines: readonly HeaderLine[]): string {
  return lines.map(([name, value]) => `${name}: ${value}`).join('\n')
}

/** A line without a colon is a name without a value, so that the agent can say what is wrong with it. */
export function headersIn(text: string): readonly HeaderLine[] {
  return text.split('\n').flatMap((line): readonly HeaderLine[] => {
    if (line.trim() === '') return []
    const colon = line.indexOf(':')
    return colon < 0 ? [[line.trim(), '']] : [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()]]
  })
}
