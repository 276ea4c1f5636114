/**
 * Figures of the control plane for Prometheus, in a file of the data folder. The first relay adds the file to its own
 * `/metrics` (`listen.admin.figures`), so they need no further port. Each part of the control plane has lines of its
 * own in it, named by how they begin.
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writePrivateFile } from './data-folder.ts'

export const figuresName = 'figures.prom'

type Part = 'ptun_backup_' | 'ptun_billing_' | 'ptun_alerts_'
export type Figure = readonly [name: `${Part}${string}`, help: string, value: number]

/** Puts these in the place of all that the part has. @param figures none: the part is gone, or off */
export function writeFigures(data: string, part: Part, figures: readonly Figure[]): void {
  const path = join(data, figuresName)
  const others = linesOf(path).filter((line) => line !== '' && !line.replace(/^# \w+ /, '').startsWith(part))
  const own = figures.flatMap(([name, help, value]) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    `${name} ${value}`,
  ])
  const lines = [...others, ...own]
  if (lines.length === 0) rmSync(path, { force: true })
  else writePrivateFile(path, `${lines.join('\n')}\n`)
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
