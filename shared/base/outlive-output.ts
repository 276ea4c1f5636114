/**
 * Lets a program outlive its output. A reader that is gone (`| head -1`), a full disk and a closed terminal make every
 * write to stdout fail by an event that ends the process when nobody hears it. Each later write tries again.
 */
import type { Writable } from 'node:stream'

export type Outputs = { readonly stdout: Writable; readonly stderr: Writable }

/** @param onRefused hears of the first refusal of stdout; what it writes to stderr may be refused too */
export function outliveOutput({ stdout, stderr }: Outputs, onRefused: (code: string) => void): void {
  let isSaid = false
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (isSaid) return
    isSaid = true
    onRefused(error.code ?? error.message)
  })
  stderr.on('error', () => {
    // Nobody is left to tell.
  })
}
