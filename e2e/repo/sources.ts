/**
 * The input of the tidy rules: every file that git knows or would add, and for code the syntax tree. Each file is
 * parsed once a run; the rules are functions from a `Source` to violations, so they can be tested on snippets.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Node, type ParseResult, parseSync } from 'oxc-parser'

export const root = join(import.meta.dirname, '../..')

/** One file of code. `path` is relative to the repository, with `/`. */
export type Source = { readonly path: string; readonly text: string; readonly parsed: ParseResult }

/** `path:line` and the fault, as printed. */
export type Violation = { readonly path: string; readonly line: number; readonly message: string }

export type AnyNode = Node & { readonly start: number; readonly end: number }

const codeFile = /\.(ts|tsx|js|mjs)$/

export function repositoryFiles(): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  const paths = new Set(listed.split('\0').filter((path) => path !== ''))
  return [...paths].filter((path) => statSync(join(root, path), { throwIfNoEntry: false })?.isFile()).sort()
}

export function parse(path: string, text: string): Source {
  return { path, text, parsed: parseSync(path, text) }
}

export function readSources(paths: readonly string[]): readonly Source[] {
  return paths
    .filter((path) => codeFile.test(path))
    .map((path) => parse(path, readFileSync(join(root, path), 'utf8')))
}

/** Code that no program of ours runs: tests, suites, fuzzers and what only they use. */
export function isTest(path: string): boolean {
  if (/\.(?:test|contract|fuzz)\.tsx?$|(?:^|\/)testing\//.test(path)) return true
  // A program that people start; it is there because it uses all others.
  return path.startsWith('e2e/') && !path.startsWith('e2e/cloud-local/')
}

/** 1-based. */
export function lineAt(text: string, offset: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++
  return line
}

/** Calls `visit` for every node, parents first; `parents` runs from the program to the direct parent. */
export function walk(source: Source, visit: (node: AnyNode, parents: readonly AnyNode[]) => void): void {
  const parents: AnyNode[] = []
  const enter = (node: AnyNode): void => {
    visit(node, parents)
    parents.push(node)
    for (const value of Object.values(node)) {
      if (Array.isArray(value)) for (const item of value) if (isNode(item)) enter(item)
      if (isNode(value)) enter(value)
    }
    parents.pop()
  }
  enter(source.parsed.program as AnyNode)
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}

/** `a.b` of a member expression without computed names; undefined for anything else. */
export function dottedName(node: AnyNode): string | undefined {
  if (node.type !== 'MemberExpression' || node.computed) return undefined
  const { object, property } = node
  if (object.type !== 'Identifier' || property.type !== 'Identifier') return undefined
  return `${object.name}.${property.name}`
}

export function violation(source: Source, offset: number, message: string): Violation {
  return { path: source.path, line: lineAt(source.text, offset), message }
}
