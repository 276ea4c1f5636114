/** The schema of ptun.yaml, one for the check, the editor (ptun.schema.json) and the documentation. */
import { tagsSchema, tunnelNameSchema } from '@porttunneler/shared/api/schemas/common'
import { isFailure } from '@porttunneler/shared/base/errors'
import { policySchema } from '@porttunneler/shared/protocol/endpoint'
import { headerEditsSchema, hstsSchema, redirectsSchema } from '@porttunneler/shared/protocol/http-edits'
import { proxyVersions } from '@porttunneler/shared/protocol/proxy-header'
import { z } from 'zod'
import { parseUpstream } from './agent/upstream.ts'
import { upstreamProtocols } from './http-options.ts'
import { portTunnels } from './port-range.ts'
import { parseProxy } from './proxy/settings.ts'
import { webhooksSchema } from './webhook-options.ts'

/**
 * Each port of a range is one. 500 need ten claims of 50 at the start, and a relay lets a session bind 1,000.
 * e2e/many-tunnels.test.ts has 200 of them.
 */
export const tunnelsMax = 500

const portSchema = z.int().min(1).max(65_535)

const upstreamSchema = z
  .union([portSchema, z.string()])
  .superRefine((value, context) => {
    try {
      parseUpstream(String(value))
    } catch (error) {
      if (!isFailure(error)) throw error
      context.addIssue({ code: 'custom', message: error.detail })
    }
  })
  .describe(
    'What your program listens on: a port (3000), host:port (localhost:3000, [::1]:3000), a socket (unix:/run/app.sock), ' +
      'or for http tunnels https://host:port.',
  )

const tcpUpstreamSchema = z
  .union([portSchema, z.string()])
  .superRefine((value, context) => {
    // A range is checked with its ports (config.ts).
    if (/\d-\d+$/.test(String(value))) return
    try {
      portTunnels(String(value), undefined)
    } catch (error) {
      if (!isFailure(error)) throw error
      context.addIssue({ code: 'custom', message: error.detail })
    }
  })
  .describe(
    'What your program listens on: a port (3000), host:port (localhost:3000, [::1]:3000), a socket (unix:/run/app.sock), ' +
      'or with a range of ports a range as long (30100-30110, host:30100-30110).',
  )

const proxySchema = z
  .string()
  .superRefine((value, context) => {
    try {
      parseProxy(value, 'this')
    } catch (error) {
      if (!isFailure(error)) throw error
      context.addIssue({ code: 'custom', message: error.detail })
    }
  })
  .optional()
  .describe(
    'Outbound proxy for relays and an https server: http://, https://, socks5:// or socks5h://. Without it HTTPS_PROXY and related variables count.',
  )

const everySeconds = z.int().min(1).max(3_600).default(10).describe('Seconds between two checks.')

const connectCheckSchema = z
  .strictObject({ kind: z.literal('tcp'), everySeconds })
  .describe('Healthy: it takes connections.')

const getCheckSchema = z
  .strictObject({
    kind: z.literal('http'),
    path: z
      .string()
      .regex(/^\/[!-~]{0,500}$/, 'a path begins with / and has no spaces')
      .default('/'),
    status: z.int().min(200).max(599).optional().describe('Wanted status. Without it any from 200 to 399.'),
    everySeconds,
  })
  .describe('Healthy: it answers a GET.')

const checkSchema = z
  .discriminatedUnion('kind', [connectCheckSchema, getCheckSchema])
  .optional()
  .describe('How the agent checks that the upstream works. The tunnel stays up either way.')

/** Rules about requests are refused for other tunnels than http (config.ts). */
const policyPartsSchema = policySchema
  .partial()
  .optional()
  .describe(
    'Parts of the policy, which is kept at the server and enforced by relays. Set at the start and when the file changes; parts that are not named stay as they are.',
  )

/** What a tunnel of any kind may say about its upstream. */
const upstreamShape = {
  upstream: upstreamSchema,
  policy: policyPartsSchema,
  proxyProtocol: z
    .enum(proxyVersions)
    .optional()
    .describe(
      'Tell the upstream who the visitor is by a PROXY protocol header. Only for programs that expect one.',
    ),
  pool: z
    .boolean()
    .optional()
    .describe(
      'Share the tunnel with agents on other machines: relays spread its visitors over all that are up.',
    ),
  tags: tagsSchema
    .optional()
    .describe(
      'Words that sort the tunnel in the console and in lists, such as prod or team:web; at most 8. They replace those that it has.',
    ),
}

const domainSchema = z
  .string()
  .min(1)
  .max(1_024)
  .optional()
  .describe(
    'A host of your own domain that shall lead here, such as app.example.com, or *.app.example.com for all names one level below.',
  )

const endToEndSchema = z
  .boolean()
  .optional()
  .describe("End visitors' TLS at this machine, with a certificate whose key never leaves it.")

/** What only an http tunnel may say: the agent then checks its requests (http-options.ts). */
const requestShape = {
  hostHeader: z
    .string()
    .optional()
    .describe(
      'The Host that the upstream gets: "rewrite" for its own host:port, or a name. Without it the public one.',
    ),
  rewriteOrigin: z
    .boolean()
    .optional()
    .describe(
      "With hostHeader: make the tunnel's own Origin and Referer the upstream's too, and leave X-Forwarded-Host and -Proto out.",
    ),
  insecureUpstream: z
    .boolean()
    .optional()
    .describe('Accept any certificate from an https:// upstream, for example a self-signed one.'),
  upstreamCa: z
    .string()
    .min(1)
    .optional()
    .describe('File with the authorities (PEM) that an https:// upstream is checked against.'),
  upstreamProtocol: z
    .enum(upstreamProtocols)
    .optional()
    .describe(
      'What the upstream speaks: http1 (default), h2c (HTTP/2 without TLS, as gRPC servers do) or h2.',
    ),
  auth: z
    .array(z.string())
    .min(1)
    .optional()
    .describe('Let in only visitors with one of these logins, each user:password.'),
  authFile: z.string().min(1).optional().describe('The same from a file, one user:password a line.'),
  redirects: redirectsSchema
    .optional()
    .describe('Sends visitors of some hosts and paths elsewhere; the first that matches counts.'),
  requestHeaders: headerEditsSchema.optional().describe('Changes the headers that the upstream gets.'),
  responseHeaders: headerEditsSchema
    .optional()
    .describe("Changes the headers of the upstream's answers. Headers that frame them stay."),
  hsts: hstsSchema
    .optional()
    .describe(
      'Tell browsers that came by HTTPS to come by nothing else (Strict-Transport-Security); true: for a day.',
    ),
  webhooks: webhooksSchema
    .optional()
    .describe('Let in only requests with the right signature of a webhook; their bodies have at most 1 MiB.'),
}

const tunnelSchema = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('tcp'),
      ...upstreamShape,
      upstream: tcpUpstreamSchema,
      health: checkSchema,
      port: z
        .union([portSchema, z.string()])
        .optional()
        .describe(
          'Public port to ask for, or a range of them (20100-20110): a tunnel each. Without it the server gives a free one.',
        ),
    })
    .describe('Any TCP connection, handed over byte for byte.'),
  z
    .strictObject({
      kind: z.literal('http'),
      ...upstreamShape,
      domain: domainSchema,
      e2e: endToEndSchema,
      ...requestShape,
      health: checkSchema,
    })
    .describe('HTTP/1.1 with a host name of its own; WebSocket and server-sent events included.'),
  z
    .strictObject({
      kind: z.literal('tls'),
      ...upstreamShape,
      domain: domainSchema,
      e2e: endToEndSchema,
      health: connectCheckSchema.optional(),
    })
    .describe('TLS with a host name of its own, handed over undecrypted: your program has the certificate.'),
])

export const configSchema = z
  .strictObject({
    version: z.literal(1).describe('Version of this format.'),
    proxy: proxySchema,
    cell: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe('The cell (place) for all tunnels of the file. Without it new ones go to the nearest.'),
    inspect: z
      .union([z.literal(false), z.literal('off'), portSchema])
      .optional()
      .describe(
        'Port of the inspector on this machine, or off. Without it 4040 or the next free one. --inspect, --no-inspect and PTUN_INSPECT count first; read when ptun starts.',
      ),
    tunnels: z
      .record(tunnelNameSchema, tunnelSchema)
      .refine((tunnels) => Object.keys(tunnels).length > 0, 'at least one tunnel is needed')
      .refine(
        (tunnels) => Object.keys(tunnels).length <= tunnelsMax,
        `one agent serves at most ${tunnelsMax} tunnels`,
      )
      .describe('Tunnels by name. A name is also the first label of the host name of an http or tls tunnel.'),
  })
  .describe('ptun.yaml: the tunnels that `ptun start` serves.')
export type HealthConfig = z.infer<typeof checkSchema>
export type ConfigFile = z.infer<typeof configSchema>

/** What `ptun config schema` prints and cli/ptun.schema.json holds. */
export function configJsonSchema(): string {
  const schema = z.toJSONSchema(configSchema, { io: 'input' })
  return `${JSON.stringify({ ...schema, title: 'ptun.yaml' }, undefined, 2)}\n`
}
