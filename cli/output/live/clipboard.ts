/** Copies a text for the person at the terminal: by a program of this machine, or by the terminal itself. */
import { spawn } from 'node:child_process'
import type { Environment } from '../../paths.ts'

type Program = readonly [name: string, ...args: string[]]

/** How long a program may take; one that waits for a display that is gone never ends. */
const programMs = 2_000

/** Over SSH the programs would copy on the wrong machine. */
export function copiers(env: Environment, platform: NodeJS.Platform = process.platform): readonly Program[] {
  if (env.SSH_CONNECTION || env.SSH_TTY) return []
  if (platform === 'darwin') return [['pbcopy']]
  if (platform === 'win32') return [['clip']]
  return [
    ...(env.WAYLAND_DISPLAY ? ([['wl-copy']] as const) : []),
    ...(env.DISPLAY
      ? ([
          ['xclip', '-selection', 'clipboard'],
          ['xsel', '--clipboard', '--input'],
        ] as const)
      : []),
    ...(env.WSL_DISTRO_NAME ? ([['clip.exe']] as const) : []),
  ]
}

/**
 * OSC 52 of xterm: the terminal copies, on the machine where it is seen. It does not say whether it did.
 * @see https://invisible-island.net/xterm/ctlseqs/ctlseqs.html "Manipulate Selection Data"
 */
export function askTerminal(text: string): string {
  return `\u001b]52;c;${Buffer.from(text).toString('base64')}\u0007`
}

export type CopyOptions = {
  readonly env: Environment
  /** Writes to the terminal. */
  write(text: string): unknown
  /** Resolves to whether the program took the text. */
  readonly run?: (program: Program, text: string) => Promise<boolean>
  readonly platform?: NodeJS.Platform
}

/** @returns what was done, as a sentence */
export async function copy(text: string, { env, write, run = feed, platform }: CopyOptions): Promise<string> {
  for (const program of copiers(env, platform))
    if (await run(program, text)) return `Copied ${text} (${program[0]})`
  write(askTerminal(text))
  return `Asked the terminal to copy ${text} (OSC 52)`
}

function feed([name, ...args]: Program, text: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(name, args, { stdio: ['pipe', 'ignore', 'ignore'], timeout: programMs })
    child.once('error', () => resolve(false))
    // The programs of X stay to serve the text, and are done with the input by then.
    child.once('exit', (code) => resolve(code === 0))
    child.stdin.on('error', () => {})
    child.stdin.end(text)
  })
}
