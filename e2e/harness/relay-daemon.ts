/** A relay as a process of its own, and the control plane of the tests in front of it. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { makeTestControl, type TestControl } from '@porttunneler/relay-vm/testing/test-control'
import { agentSni, ownName } from '@porttunneler/relay-vm/testing/test-relay'
import { Secret } from '@porttunneler/shared/base/secret'

export type RelayPlane = {
  readonly control: TestControl
  readonly url: string
  close(): void
}

/** The control plane's two calls over HTTP. */
export async function startRelayPlane(): Promise<RelayPlane> {
  const control = await makeTestControl()
  const server = serve(control).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP port was asked for')
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { control, url: `http://127.0.0.1:${address.port}`, close }
}

/** Writes the configuration of a relay whose data lie in `folder`. @returns its path */
export function writeRelayConfig(
  { url }: RelayPlane,
  folder: string,
  changes: Readonly<Record<string, unknown>> = {},
): string {
  const host = '127.0.0.1'
  const config = {
    instance: 'r1',
    dataDir: join(folder, 'relay'),
    controlUrl: url,
    listen: { tls: { host, port: 0 }, http: { host, port: 0 }, tcpHost: host },
    public: { agentHost: host, agentSni, names: [ownName] },
    ...changes,
  }
  const path = join(folder, 'relay.json')
  writeFileSync(path, JSON.stringify(config))
  return path
}

function serve(control: TestControl): Server {
  return createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const body = JSON.parse(text)
    const { signal } = new AbortController()
    try {
      const answer =
        request.url === '/v1/relays/enrol'
          ? await control.enrol({ key: new Secret(body.key), name: body.name }, signal)
          : await control.sync(body, new Secret(request.headers.authorization?.slice(7) ?? ''), signal)
      response.end(JSON.stringify(answer))
    } catch {
      response.writeHead(401).end()
    }
  })
}
