/** Which function firebase.json hands a path to: the local front reads the same file as Hosting does. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { root } from '../harness/programs.ts'
import { type FunctionName, functionNames } from './functions.ts'

const rewriteSchema = z.object({ source: z.string(), run: z.object({ serviceId: z.string() }).optional() })
const configSchema = z.object({ hosting: z.object({ rewrites: z.array(rewriteSchema) }) })

const ownConfig = () => readFileSync(join(root, 'firebase.json'), 'utf8')

/** @returns takes a request's target, with its query */
export function readRewrites(config = ownConfig()): (target: string) => FunctionName | undefined {
  const { hosting } = configSchema.parse(JSON.parse(config))
  const rules = hosting.rewrites.flatMap(({ source, run }) => {
    const name = functionNames.find((each) => each.toLowerCase() === run?.serviceId)
    return name === undefined ? [] : [{ name, matches: matcherOf(source) }]
  })
  return (target) => {
    const path = target.split('?', 1)[0] ?? ''
    return rules.find(({ matches }) => matches(path))?.name
  }
}

/** Supports only those of Hosting's globs that our rules use. */
function matcherOf(source: string): (path: string) => boolean {
  const parent = /^([^*]*)\/\*\*$/.exec(source)?.[1]
  return parent === undefined ? (path) => path === source : (path) => path.startsWith(`${parent}/`)
}
