/**
 * Lets a program outlive its output. When a reader is gone (`| head -1`), a disk is full or a terminal closed, every
 * write to stdout emits an error event, which ends the process if nothing listens. Each later write tries again.
 */
import type { Writable } from 'node:stream'

export type Outputs = { readonly stdout: Writable; readonly stderr: Writable }

/** @param onRefused gets the first error of stdout; its own writes to stderr may fail too */
export function outliveOutput({ stdout, stderr }: Outputs, onRefused: (code: string) => void): void {
  let isSaid = false
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (isSaid) return
    isSaid = true
    onRefused(error.code ?? error.message)
  })
  stderr.on('error', () => {
    // stderr failed too, so there is nobody to tell.
  })
}

type Command = Outputs & {
  exitCode?: NodeJS.Process['exitCode']
  once(event: 'exit', listener: () => void): unknown
}

/**
 * The same for a command that does something and then says how it went: it is not stopped in the middle of that, and a
 * result that could not be written is no success. A reader who had enough (`| head -1`) changes nothing.
 */
export function outliveOutputOf(command: Command): void {
  outliveOutput(command, (code) => {
    if (code === 'EPIPE') return
    command.stderr.write(`The output could not be written (${code}).\n`)
    // The command may set its own code after this.
    command.once('exit', () => {
      command.exitCode ||= 1
    })
  })
}
