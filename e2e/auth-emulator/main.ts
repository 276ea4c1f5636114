/**
 * The official Firebase Auth emulator as a process of its own, for tests and laptops. It listens on the given port (0:
 * any) of 127.0.0.1, then prints `{"host":"127.0.0.1:<port>"}` on standard output, and ends when its standard input
 * does. Its packages are installed in this folder alone (`npm ci` here).
 *
 *   node e2e/auth-emulator/main.ts demo-project 9099
 */
import { createServer, type RequestListener } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'

type AuthServer = { createApp(projectId: string): Promise<RequestListener> }

const [projectId = 'demo-tunnels', port = '0'] = process.argv.slice(2)
// This is no public entry point; therefore package.json has the exact version.
const { createApp }: AuthServer = createRequire(import.meta.url)('firebase-tools/lib/emulator/auth/server.js')
const server = createServer(await createApp(projectId))
server.listen(Number(port), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.stdout.write(`${JSON.stringify({ host: `127.0.0.1:${port}` })}\n`)
})
process.stdin.resume().once('close', () => process.exit(0))
