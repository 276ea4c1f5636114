/** Ways in which a test takes resources from a program that the system may refuse. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/**
 * No descriptor above those in use is granted any more.
 * @returns `crowd`: this many connections take the free ones below, and find no more
 */
export function takeDescriptors(pid: number): { readonly crowd: number; restore(): void } {
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1]
  const used = readdirSync(`/proc/${pid}/fd`).map(Number)
  const highest = Math.max(...used)
  const set = (soft: number | string) => execFileSync('prlimit', ['--pid', String(pid), `--nofile=${soft}:`])
  set(highest + 1)
  return { crowd: highest + 1 - used.length + 50, restore: () => set(limit ?? '1024') }
}

/** Writes zeros until the disk of `path` is full. */
export function fillUp(path: string): void {
  try {
    execFileSync('dd', ['if=/dev/zero', `of=${path}`, 'bs=64k'], { stdio: 'ignore' })
  } catch {
    // It ends when the disk is full, as it should.
  }
}
