/** Python's own web server, which answers a POST at once and closes with the body unread. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { programPath } from '../requirements.ts'
import { eventually } from './events.ts'
import { startProgram, textOf } from './programs.ts'
import { dial } from './sockets.ts'

export async function startPythonServer(): Promise<{ readonly port: number; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'ptun-python-'))
  const [port = 0] = await freePorts(1)
  const args = ['-m', 'http.server', String(port), '--bind', '127.0.0.1']
  const server = await startProgram(programPath('python3'), args, { cwd: folder })
  try {
    await eventually('python listens', async () => (await dial({ host: '127.0.0.1', port })).destroy())
  } catch (cause) {
    await server.stop('SIGKILL')
    throw new Error(textOf(server, 'stderr'), { cause })
  }
  return {
    port,
    close: async () => {
      await server.stop('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
