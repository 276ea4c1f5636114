/**
 * Runs lines that an operator is shown, without any account: the real programs take them, up to where they want one.
 */
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export function hasGcloud(): boolean {
  try {
    execFileSync('gcloud', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

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

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
