/** The metadata server: of the one VM for calls from there, and of functions for all others. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { JWTPayload } from 'jose'
import type { RelayVm } from './state.ts'
import { type CloudEvent, machine } from './world.ts'

export type MetadataOptions = {
  readonly project: string
  readonly vm: RelayVm
  /** Google's access token, as its metadata server gives it. */
  newToken(): Promise<object>
  /** Whether it is as if the template had no such key. */
  isWithheld(key: string): boolean
  /** Signs as Google. */
  sign(claims: JWTPayload): Promise<string>
  say(event: CloudEvent): void
}

const identityPath = 'instance/service-accounts/default/identity'
const tokenPath = 'instance/service-accounts/default/token'

export function metadataServer({ project, vm, newToken, isWithheld, sign, say }: MetadataOptions) {
  const values: Readonly<Record<string, string>> = {
    'instance/id': machine.instanceId,
    'instance/name': vm.name,
    'instance/network-interfaces/0/access-configs/0/external-ip': machine.address,
    'instance/scheduling/preemptible': vm.isPreemptible ? 'TRUE' : 'FALSE',
  }
  const attribute = (key: string) => {
    say({ kind: 'attribute', key })
    return isWithheld(key) ? undefined : vm.metadata[key]
  }
  const identityOf = (audience: string) => {
    const now = Math.floor(Date.now() / 1_000)
    const compute_engine = { instance_id: machine.instanceId, project_id: project, zone: vm.zone }
    return sign({
      iss: 'https://accounts.google.com',
      aud: audience,
      sub: '100000000000000000001',
      iat: now,
      exp: now + 3_600,
      email: vm.account,
      email_verified: true,
      google: { compute_engine },
    })
  }
  const read = async (path: string, query: URLSearchParams, isVm: boolean) => {
    if (path === 'project/project-id') return project
    if (path === tokenPath) return JSON.stringify(await newToken())
    if (!isVm) return undefined
    if (path === identityPath) return await identityOf(query.get('audience') ?? '')
    if (path.startsWith('instance/attributes/')) return attribute(path.slice('instance/attributes/'.length))
    return values[path]
  }
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.setHeader('metadata-flavor', 'Google')
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://metadata')
    const path = pathname.replace('/computeMetadata/v1/', '')
    const isVm = request.socket.remoteAddress === machine.address
    if (request.headers['metadata-flavor'] !== 'Google') {
      response.writeHead(403).end()
    } else if (request.method === 'PUT' && isVm && path.startsWith('instance/guest-attributes/')) {
      if (vm.metadata['enable-guest-attributes'] !== 'TRUE') return void response.writeHead(403).end()
      say({ kind: 'reported', value: await textOf(request) })
      response.end()
    } else {
      const value = await read(path, searchParams, isVm)
      const type = path === tokenPath ? 'application/json' : 'application/text'
      response.writeHead(value === undefined ? 404 : 200, { 'content-type': type }).end(value)
    }
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}
