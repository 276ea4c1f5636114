/** Vite's real dev server on a project of two files. */
import { rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { eventually } from './events.ts'
import { root, startProgram } from './programs.ts'
import { dial } from './sockets.ts'
import { temporaryFolder } from './standalone.ts'

export type Vite = {
  readonly port: number
  /** Saves the project's script, as an editor would. */
  edit(text: string): void
  close(): Promise<void>
}

export async function startVite(): Promise<Vite> {
  const folder = temporaryFolder('vite')
  const script = join(folder, 'main.js')
  writeFileSync(join(folder, 'index.html'), '<!doctype html><script type="module" src="/main.js"></script>')
  writeFileSync(script, 'document.title = "first"')
  const [port = 0] = await freePorts(1)
  const vite = join(dirname(createRequire(join(root, 'web/')).resolve('vite/package.json')), 'bin/vite.js')
  const options = ['--host', '127.0.0.1', '--port', String(port), '--strictPort']
  const program = await startProgram('node', [vite, folder, ...options], { cwd: folder })
  await eventually('Vite listens', async () => (await dial({ host: '127.0.0.1', port })).destroy())
  return {
    port,
    edit: (text) => writeFileSync(script, text),
    close: async () => {
      await program.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
