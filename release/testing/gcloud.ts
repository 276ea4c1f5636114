/** What the real gcloud says to commands, without any account and without the second that each start of it takes. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The folder of Google's SDK, where one is installed. */
export function gcloudFolder(): string | undefined {
  try {
    const found = execFileSync('bash', ['-c', 'command -v gcloud && command -v python3'], {
      encoding: 'utf8',
    })
    return join(realpathSync(found.split('\n')[0] ?? ''), '../..')
  } catch {
    return undefined
  }
}

/**
 * @param commands the words after `gcloud`
 * @param place gcloudFolder()
 * @returns what gcloud printed to each, which ends with `SystemExit` where it gave up by itself
 */
export function gcloudSays(commands: readonly (readonly string[])[], place: string): readonly string[] {
  const home = mkdtempSync(join(tmpdir(), 'ptun-gcloud-'))
  try {
    const output = execFileSync('python3', [join(import.meta.dirname, 'gcloud-takes.py'), place], {
      input: JSON.stringify(commands),
      env: {
        PATH: process.env.PATH,
        HOME: home,
        CLOUDSDK_CONFIG: home,
        CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
        CLOUDSDK_CORE_CHECK_GCE_METADATA: 'false',
      },
      encoding: 'utf8',
      maxBuffer: 16 * 1024 * 1024,
    })
    return JSON.parse(output) as string[]
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}
