/**
 * Everything outside that is reached by HTTPS: Firebase Hosting at the console's name, the functions' own addresses at
 * Cloud Run, Cloud Storage, and the few interfaces of Google that our programs call by REST. What the stack does not
 * have is not there: a bucket, a record, a service, a right to call it.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import type { CloudflareServer } from '@porttunneler/shared/testing/cloudflare-server'
import { z } from 'zod'
import { firebaseText } from '../../functions/hosting.ts'
import type { FakeGoogleCloud } from '../../functions/testing/google-cloud.ts'
import type { GoogleIssuer } from '../../functions/testing/google-issuer.ts'
import { readWebFiles } from '../../standalone/web-files.ts'
import { makeFront } from '../cloud-local/front.ts'
import { readRewrites } from '../cloud-local/rewrites.ts'
import { root } from '../harness/programs.ts'
import { type Applied, bucketsOf, functionsOf, mayCall, recordsOf, stepOf } from './state.ts'
import { acmeHost, type CloudEvent, functionsFrom, pebblePorts } from './world.ts'

export type WebOptions = {
  readonly applied: Applied
  readonly project: string
  /** The folder of the buckets. */
  readonly buckets: string
  readonly google: FakeGoogleCloud
  readonly cloudflare: CloudflareServer
  readonly issuer: GoogleIssuer
  /** The one person that Firebase knows. */
  readonly person: { readonly uid: string; readonly email: string }
  newToken(): Promise<object>
  isGranted(token: string): boolean
  /** Cloudflare's zones have changed. */
  publishZones(): Promise<void>
  say(event: CloudEvent): void
}

type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void

export function makeWeb(options: WebOptions): RequestListener {
  const { applied, project, google, issuer, newToken, say } = options
  const handlers = new Map<string, Handle>([
    [acmeHost, passToPebble],
    ['api.cloudflare.com', cloudflareApi(options)],
    ['cloudkms.googleapis.com', (...call) => passTo(google.url, ...call)],
    ['compute.googleapis.com', (...call) => passTo(google.url, ...call)],
    ['identitytoolkit.googleapis.com', identityToolkit(options)],
    ['oauth2.googleapis.com', async (_, response) => sendJson(response, 200, await newToken())],
    ['storage.googleapis.com', storage(options)],
    ['www.googleapis.com', keys(issuer)],
    ...functionsOf(applied).map(
      ({ host }, index) => [host, run(applied, host, functionsFrom + index)] as const,
    ),
    ...recordsOf(applied)
      .filter(({ name, content }) => content === `${project}.web.app` && isOwnDomain(applied, name))
      .map(({ name }) => [name, hosting(applied, project)] as const),
  ])
  return (request, response) => {
    const host = request.headers.host ?? ''
    const path = request.url ?? ''
    response.once('close', () => say({ kind: 'asked', host, path, status: response.statusCode }))
    const handle = handlers.get(host)
    if (!handle) return void response.writeHead(404).end()
    Promise.resolve(handle(request, response)).catch((error: unknown) => {
      process.stderr.write(`${host}${path}: ${String(error)}\n`)
      response.destroy()
    })
  }
}

/** Hosting serves names that the first steps gave it. */
function isOwnDomain(applied: Applied, name: string): boolean {
  return stepOf(applied, 'The console').some((line) => line.includes(`customDomainId=${name}'`))
}

/** As the first step deploys it. */
function hosting(applied: Applied, project: string): Handle {
  const [line = ''] = stepOf(applied, 'The console')
  const [, region = ''] = /--region (\S+)/.exec(line) ?? []
  const relays = [...line.matchAll(/--relays '([^']+)'/g)].map(([, origin = '']) => origin)
  const config = firebaseText({ region, relays })
  const nameOf = readRewrites(config)
  const functions = functionsOf(applied)
  return makeFront({
    files: readWebFiles(join(root, 'web/dist')),
    liveOrigins: () => relays,
    functionOf: (target) => {
      const service = `projects/${project}/locations/${region}/services/${nameOf(target)?.toLowerCase()}`
      const index = functions.findIndex((each) => each.service === service)
      return index >= 0 && mayCall(applied, service, undefined) ? functionsFrom + index : undefined
    },
  })
}

const callerSchema = z.object({ email: z.string(), aud: z.string() })

function run(applied: Applied, host: string, port: number): Handle {
  const service = functionsOf(applied).find((each) => each.host === host)?.service ?? ''
  const front = makeFront({ files: new Map(), liveOrigins: () => [], functionOf: () => port })
  return (request, response) => {
    const [, claims = ''] = request.headers.authorization?.split('.') ?? []
    const caller = callerSchema.safeParse(parseJson(Buffer.from(claims, 'base64url').toString()))
    const email = caller.data?.aud === `https://${host}` ? caller.data.email : undefined
    if (!mayCall(applied, service, email)) return void response.writeHead(403).end()
    front(request, response)
  }
}

/** Objects that strangers may read. */
function storage({ applied, buckets }: WebOptions): Handle {
  const known = bucketsOf(applied)
  return ({ url = '' }, response) => {
    const [, bucket = '', object = ''] = /^\/([a-z0-9-]+)\/((?:[\w-][\w.-]*\/)?[\w-][\w.-]*)$/.exec(url) ?? []
    const file = join(buckets, bucket, object)
    if (!known.get(bucket)) return void response.writeHead(403).end()
    if (!existsSync(file)) return void response.writeHead(404).end()
    response.end(readFileSync(file))
  }
}

const lookupSchema = z.object({ localId: z.array(z.string()) })

function identityToolkit({ project, person: { uid, email }, isGranted }: WebOptions): Handle {
  return async (request, response) => {
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? ''
    if (!isGranted(token)) return sendJson(response, 401, { error: { message: 'UNAUTHENTICATED' } })
    if (request.url !== `/v1/projects/${project}/accounts:lookup`) return sendJson(response, 404, {})
    const { localId } = lookupSchema.parse(parseJson((await bodyOf(request)).toString()))
    const user = {
      localId: uid,
      email,
      emailVerified: true,
      disabled: false,
      validSince: '0',
      createdAt: '0',
    }
    sendJson(response, 200, { users: localId.includes(uid) ? [user] : [] })
  }
}

const keyPaths = [
  '/oauth2/v3/certs',
  '/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com',
] as const

function keys({ jwksUrl }: GoogleIssuer): Handle {
  return async ({ url }, response) => {
    if (!keyPaths.some((path) => path === url)) return void response.writeHead(404).end()
    sendJson(response, 200, await (await fetch(jwksUrl)).json())
  }
}

export async function passTo(
  origin: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { authorization = '' } = request.headers
  const body = await bodyOf(request)
  const answer = await fetch(`${origin}${request.url}`, {
    method: request.method ?? 'GET',
    headers: { authorization, 'content-type': 'application/json' },
    ...(body.length > 0 && { body: body.toString() }),
  })
  sendJson(response, answer.status, await answer.json())
}

/** Its addresses are made of the name by which it is asked. */
function passToPebble(request: IncomingMessage, response: ServerResponse): void {
  const asking = httpsRequest(
    {
      host: '127.0.0.1',
      port: pebblePorts.acme,
      servername: acmeHost,
      method: request.method,
      path: request.url === '/directory' ? '/dir' : request.url,
      headers: request.headers,
    },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    },
  )
  asking.once('error', () => response.destroy())
  request.pipe(asking)
}

function cloudflareApi({ cloudflare, publishZones }: WebOptions): Handle {
  return async (request, response) => {
    request.url = request.url?.replace(/^\/client\/v4/, '') ?? ''
    await passTo(cloudflare.baseUrl, request, response)
    await publishZones()
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
