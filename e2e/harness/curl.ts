/** curl, as a person would use it: by name, under one root. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { programPath } from '../requirements.ts'

/** @returns what it wrote. @throws if it failed, as where the certificate is not trusted */
export async function curl(rootFile: string, url: string, ...words: readonly string[]): Promise<string> {
  const at = `${new URL(url).host}:127.0.0.1`
  const all = ['-sS', '--cacert', rootFile, '--resolve', at, ...words, url]
  return (await promisify(execFile)(programPath('curl'), all)).stdout
}
