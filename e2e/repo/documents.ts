/**
 * Documents are true: every link leads somewhere, every document that code mentions exists, and no binary file hides.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'
import { slugOf } from '../../site/slug.ts'
import { root, type Violation } from './sources.ts'

const blobBytesMax = 500_000

export function checkLinks(path: string, text: string): readonly Violation[] {
  return prose(text).flatMap((line, index) =>
    [...line.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
      const message = checkTarget(path, target)
      return message === undefined ? [] : [{ path, line: index + 1, message }]
    }),
  )
}

/** `docs/….md` written anywhere in code or configuration, e.g. in a file header. */
export function checkMentions(path: string, text: string): readonly Violation[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      [...line.matchAll(/(?<![\w/.-])docs\/[\w/-]+\.md/g)].flatMap(([target]) =>
        existsSync(join(root, target))
          ? []
          : [{ path, line: index + 1, message: `${target} does not exist` }],
      ),
    )
}

export function checkBlob(path: string): readonly Violation[] {
  const { size } = statSync(join(root, path))
  return size > blobBytesMax ? [{ path, line: 1, message: `${size} bytes, more than ${blobBytesMax}` }] : []
}

function checkTarget(path: string, target: string): string | undefined {
  if (/^(?:https?|mailto):/.test(target)) return undefined
  const [file = '', anchor] = target.split('#')
  const to = file === '' ? path : posix.join(posix.dirname(path), file)
  if (!existsSync(join(root, to))) return `${target} leads nowhere`
  if (anchor === undefined || !to.endsWith('.md')) return undefined
  return anchorsOf(readFileSync(join(root, to), 'utf8')).has(anchor)
    ? undefined
    : `${target}: no such heading`
}

/** Heading slugs as GitHub makes them. */
export function anchorsOf(text: string): ReadonlySet<string> {
  return new Set(
    prose(text)
      .filter((line) => /^#+ /.test(line))
      .map((line) => slugOf(line.replace(/^#+ /, ''))),
  )
}

/** The lines, with those of fenced code blocks emptied. */
function prose(text: string): readonly string[] {
  let fenced = false
  return text.split('\n').map((line) => {
    const fence = /^\s*```/.test(line)
    if (fence) fenced = !fenced
    return fence || fenced ? '' : line
  })
}
