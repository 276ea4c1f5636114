/** Reads our Dockerfiles: the few forms that they use, and nothing else. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

export type Instruction = { readonly name: string; readonly value: string }
const words = z.array(z.string()).min(1)

export function readDockerfile(kind: string): readonly Instruction[] {
  return instructionsOf(readFileSync(join(import.meta.dirname, `../docker/${kind}.Dockerfile`), 'utf8'))
}

/** One instruction a line, with lines continued by a backslash; comments go. */
function instructionsOf(text: string): readonly Instruction[] {
  const whole = text.replaceAll(/^#.*\n/gm, '').replaceAll(/\\\n\s*/g, '')
  return whole.split('\n').flatMap((line) => {
    const [, name, value] = /^([A-Z]+) (.+)$/.exec(line) ?? []
    if (line.trim() === '') return []
    if (name === undefined || value === undefined) throw new Error(`not an instruction: ${line}`)
    return [{ name, value }]
  })
}

/** The values of all instructions of a name. */
export function valuesOf(instructions: readonly Instruction[], name: string): readonly string[] {
  return instructions.filter((one) => one.name === name).map(({ value }) => value)
}

/** A command in its form without a shell; of HEALTHCHECK the part behind CMD. */
export function commandOf(instructions: readonly Instruction[], name: string): readonly string[] {
  const [text] = valuesOf(instructions, name)
  return text === undefined ? [] : words.parse(JSON.parse(text.slice(text.indexOf('['))))
}
