/**
 * Runs lines that an operator is shown, without any account: the real programs take them, up to where they want one.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A shell whose gcloud knows nobody. */
export class Shell implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ptun-gcloud-'))

  run(line: string): Promise<{ readonly code: number; readonly text: string }> {
    const env = {
      PATH: process.env.PATH,
      HOME: this.#folder,
      CLOUDSDK_CONFIG: this.#folder,
      CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
    }
    return new Promise((resolve) =>
      execFile('bash', ['-c', line], { env }, (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, text: stdout + stderr }),
      ),
    )
  }

  /** What gcloud is given by each line, as the shell reads it. */
  async wordsOf(lines: readonly string[]): Promise<readonly (readonly string[])[]> {
    const all: (readonly string[])[] = []
    for (const line of lines) {
      await this.run(`gcloud() { printf '%s\\0' "$@" > "$HOME/words"; }\n${line}`)
      all.push(readFileSync(join(this.#folder, 'words'), 'utf8').split('\0').slice(0, -1))
      rmSync(join(this.#folder, 'words'))
    }
    return all
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
