/**
 * The list of a release: its version, and the hash of each archive. The form is that of `sha256sum --check`, to which
 * the first line is a comment. It is what the key of releases signs; start-up.sh believes nothing else.
 */
import { createHash } from 'node:crypto'

export type Archive = { readonly name: string; readonly bytes: Uint8Array }

export function releaseList(version: string, archives: readonly Archive[]): string {
  const lines = archives.map(({ name, bytes }) => `${sha256Of(bytes)}  ${name}`)
  return [`# porttunneler ${version}`, ...lines, ''].join('\n')
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
