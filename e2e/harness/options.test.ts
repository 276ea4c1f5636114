import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { breadthOf } from '../breadth.ts'

const root = join(import.meta.dirname, '../..')
const { scripts } = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))

async function run(file: string, option: string) {
  try {
    const said = await promisify(execFile)(process.execPath, [file, option], { cwd: root })
    return { ...said, code: 0 }
  } catch (error) {
    return z.object({ code: z.number(), stdout: z.string(), stderr: z.string() }).parse(error)
  }
}

const commands = ['chaos', 'soak', 'bench', 'bench:idle-agents', 'fuzz', 'attack', 'signalling']

test.each(breadthOf(commands, ['chaos', 'attack']))(
  'npm run %s -- --help says what it does, how long it takes and each option; an unknown one ends it with the same',
  async (name) => {
    const file = scripts[name]?.replace(/^node /, '') ?? ''
    const [{ code, stdout }, odd] = await Promise.all([run(file, '--help'), run(file, '--no-such-option')])
    expect(code).toBe(0)
    expect(stdout.startsWith(`npm run ${name} -- [options]\n\n`)).toBe(true)
    expect(stdout).toMatch(/^Takes /m)
    // Each example in the file's head has options that are there.
    const head = readFileSync(join(root, file), 'utf8').split('*/')[0] ?? ''
    for (const [flag] of head.matchAll(/--[a-z]+/g)) expect(stdout).toContain(`  ${flag}`)
    expect([odd.code, odd.stdout, odd.stderr.endsWith(`\n\n${stdout}`)]).toEqual([2, '', true])
  },
)
