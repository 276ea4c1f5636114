/**
 * The parts of Google Cloud that our own REST calls use, on one local port: the metadata server's access tokens,
 * managed instance groups of Compute Engine, encryption by Cloud KMS. It is strict: an unknown path, a missing header,
 * an extra field, a wrong checksum or another bearer is refused as Google refuses it.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { makeLogging } from '@porttunneler/shared/testing/google-logging'
import { z } from 'zod'
import { serve } from './google-issuer.ts'

const defaultProject = 'tunnels-prod'
export const kmsKeyOf = (project: string) =>
  `projects/${project}/locations/eu/keyRings/ring/cryptoKeys/signing`
export const kmsKey = kmsKeyOf(defaultProject)
type Answer = { readonly status: number; readonly body: unknown }
/** Replaces the answers to the next calls, one each; `cut` closes the connection. */
export type Mishap = number | 'cut' | 'damage'

export type FakeGoogleCloud = Awaited<ReturnType<typeof startGoogleCloud>>

export async function startGoogleCloud(project = defaultProject, keyName = kmsKeyOf(project)) {
  const bearers = new Set<string>()
  /** Group path to instance ids. */
  const groups = new Map<string, string[]>()
  const calls: string[] = []
  const mishaps: Mishap[] = []
  const vault = makeKms(keyName)
  const firestore = makeFirestore(project)
  const logging = makeLogging(project)
  const answerTo = (path: string, body: unknown): Answer => {
    const url = new URL(path, 'http://fake')
    const verb = new RegExp(`^/v1/${keyName}:(encrypt|decrypt)$`).exec(url.pathname)?.[1]
    if (verb === 'encrypt') return vault.encrypt(body)
    if (verb === 'decrypt') return vault.decrypt(body)
    if (url.pathname === '/v2/entries:list') return logging.list(body)
    if (url.pathname === '/v2/entries:write') return logging.write(body)
    const list = new RegExp(`^/compute/v1/projects/${project}/(.+)/listManagedInstances$`).exec(
      url.pathname,
    )?.[1]
    const members = list === undefined ? undefined : groups.get(list)
    if (!members) return refuse(404, 'NOT_FOUND')
    return listPage(members, url.searchParams)
  }
  const { url, close } = await serve(async (request, response) => {
    const path = request.url ?? ''
    calls.push(path)
    if (path === '/computeMetadata/v1/instance/service-accounts/default/token')
      return send(response, grant(request, bearers))
    const mishap = mishaps.shift()
    if (mishap === 'cut') return void request.socket.destroy()
    if (typeof mishap === 'number') return send(response, refuse(mishap, 'MISHAP'))
    const bearer = request.headers.authorization?.replace(/^Bearer /, '') ?? ''
    if (!bearers.has(bearer)) return send(response, refuse(401, 'UNAUTHENTICATED'))
    if (request.method === 'GET') return send(response, firestore.answer(path))
    if (request.method !== 'POST') return send(response, refuse(405, 'METHOD'))
    const answer = answerTo(path, await readJson(request))
    send(response, mishap === 'damage' ? damage(answer) : answer)
  })
  return {
    url,
    groups,
    calls,
    mishaps,
    firestore,
    logging,
    /** Ends every access token given until now. */
    expireTokens: () => bearers.clear(),
    close,
  }
}

function grant(request: IncomingMessage, bearers: Set<string>): Answer {
  if (request.headers['metadata-flavor'] !== 'Google') return refuse(403, 'FORBIDDEN')
  const access_token = `ya29.${randomBytes(8).toString('hex')}`
  bearers.add(access_token)
  return { status: 200, body: { access_token, expires_in: 3_599, token_type: 'Bearer' } }
}

/** Pages of two, so that a reader of only the first page is found out. */
function listPage(members: readonly string[], query: URLSearchParams): Answer {
  const start = Number(query.get('pageToken') ?? 0)
  const managedInstances = members.slice(start, start + 2).map((id) => ({
    id,
    instance: `https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/relay-${id}`,
    instanceStatus: 'RUNNING',
    currentAction: 'NONE',
  }))
  const next = start + 2 < members.length ? { nextPageToken: `${start + 2}` } : {}
  return { status: 200, body: members.length === 0 ? {} : { managedInstances, ...next } }
}

const bound = { additionalAuthenticatedData: z.base64(), additionalAuthenticatedDataCrc32c: z.string() }
const encryptSchema = z.strictObject({ plaintext: z.base64(), plaintextCrc32c: z.string(), ...bound })
const decryptSchema = z.strictObject({ ciphertext: z.base64(), ciphertextCrc32c: z.string(), ...bound })

function makeKms(name: string) {
  const key = randomBytes(32)
  const invalid = refuse(400, 'INVALID_ARGUMENT')
  return {
    encrypt(body: unknown): Answer {
      const asked = encryptSchema.safeParse(body)
      if (!asked.success) return invalid
      const aad = checked(
        asked.data.additionalAuthenticatedData,
        asked.data.additionalAuthenticatedDataCrc32c,
      )
      const plain = checked(asked.data.plaintext, asked.data.plaintextCrc32c)
      if (!aad || !plain) return invalid
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(aad)
      const sealed = Buffer.concat([cipher.update(plain), cipher.final()])
      const ciphertext = Buffer.concat([nonce, cipher.getAuthTag(), sealed])
      const checks = { verifiedPlaintextCrc32c: true, verifiedAdditionalAuthenticatedDataCrc32c: true }
      const text = { ciphertext: ciphertext.toString('base64'), ciphertextCrc32c: naiveCrc32c(ciphertext) }
      return { status: 200, body: { name: `${name}/cryptoKeyVersions/1`, ...text, ...checks } }
    },
    decrypt(body: unknown): Answer {
      const asked = decryptSchema.safeParse(body)
      if (!asked.success) return invalid
      const aad = checked(
        asked.data.additionalAuthenticatedData,
        asked.data.additionalAuthenticatedDataCrc32c,
      )
      const sealed = checked(asked.data.ciphertext, asked.data.ciphertextCrc32c)
      if (!aad || !sealed || sealed.length < 28) return invalid
      try {
        const cipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12)).setAAD(aad)
        cipher.setAuthTag(sealed.subarray(12, 28))
        const plain = Buffer.concat([cipher.update(sealed.subarray(28)), cipher.final()])
        const text = { plaintext: plain.toString('base64'), plaintextCrc32c: naiveCrc32c(plain) }
        return { status: 200, body: { ...text, usedPrimary: true, protectionLevel: 'SOFTWARE' } }
      } catch {
        return invalid
      }
    },
  }
}

/** Lists of backups, and when the one database was made. */
function makeFirestore(project: string) {
  const name = `projects/${project}/databases/(default)`
  return {
    name,
    createTime: new Date().toISOString(),
    backups: [] as {
      database: string
      snapshotTime: string
      state: 'READY' | 'CREATING' | 'NOT_AVAILABLE'
    }[],
    unreachable: [] as string[],
    answer(path: string): Answer {
      const { backups, unreachable, createTime } = this
      if (path === `/v1/projects/${project}/locations/-/backups`) {
        const listed = backups.map((backup, index) => ({
          name: `projects/${project}/locations/eur3/backups/b${index}`,
          ...backup,
        }))
        // Google leaves out what is empty.
        return {
          status: 200,
          body: {
            ...(listed.length > 0 && { backups: listed }),
            ...(unreachable.length > 0 && { unreachable }),
          },
        }
      }
      return path === `/v1/${name}` ? { status: 200, body: { name, createTime } } : refuse(404, 'NOT_FOUND')
    },
  }
}

function checked(base64: string, crc: string): Buffer | undefined {
  const bytes = Buffer.from(base64, 'base64')
  return naiveCrc32c(bytes) === crc ? bytes : undefined
}

/** Bit by bit, as the definition says: the slow twin of platform/crc32c.ts. */
export function naiveCrc32c(bytes: Uint8Array): string {
  let crc = 0xffffffffn
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x82f63b78n : crc >> 1n
  }
  return `${crc ^ 0xffffffffn}`
}

/** Changes a byte of the encoded content, with the checksum of the original. */
function damage({ status, body }: Answer): Answer {
  const flipped = Object.entries(body as object).map(([name, value]) => {
    if (name !== 'plaintext' && name !== 'ciphertext') return [name, value]
    const bytes = Buffer.from(value, 'base64')
    bytes[0] = (bytes[0] ?? 0) ^ 1
    return [name, bytes.toString('base64')]
  })
  return { status, body: Object.fromEntries(flipped) }
}

function refuse(code: number, status: string): Answer {
  return { status: code, body: { error: { code, status, message: `refused: ${status}` } } }
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' }).end(JSON.stringify(body))
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString('utf8'))
}
