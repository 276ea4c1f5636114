/** Own domains of an account, with the records that prove them. */
import { z } from 'zod'
import { ownDomainSchema } from '../../protocol/endpoint.ts'
import { idSchema, timeSchema } from './common.ts'

const hostTextMax = 1_024

const recordSchema = z.object({
  type: z
    .enum(['CNAME', 'TXT', 'ALIAS'])
    .describe('ALIAS: what providers call ALIAS, ANAME or CNAME flattening'),
  name: z.string().describe('The whole name, without a final dot'),
  shortName: z.string().describe('As most providers want it typed: without the zone, @ for the zone itself'),
  value: z.string(),
  does: z
    .enum(['both', 'proves', 'leads'])
    .describe('both: proves that the host is yours, and leads visitors here'),
})

const findingSchema = z.object({
  code: z.string(),
  title: z.string(),
  detail: z.string(),
  cure: z.string(),
})

const certificateSchema = z.object({
  state: z
    .enum(['none', 'ordering', 'valid', 'failing'])
    .describe(
      'none: it is ordered when a tunnel serves the host; failing: the last try failed, and an earlier one may be valid',
    ),
  issuer: z.string().optional(),
  validUntil: timeSchema.optional(),
  renewsAt: timeSchema.optional(),
  key: z
    .literal('agent')
    .optional()
    .describe(
      'agent: TLS ends at the agent of the tunnel, which alone has the key and renews the certificate',
    ),
  problem: findingSchema.optional().describe('Why it cannot be had yet'),
  triedAgainAt: timeSchema.optional(),
})

export const domainSchema = z.object({
  host: z.string(),
  state: z
    .enum(['pending', 'verified', 'failing', 'suspended'])
    .describe('failing: the record is gone; suspended: for three days, and after seven it leads nowhere'),
  tunnel: z
    .object({ id: idSchema('tun'), name: z.string() })
    .optional()
    .describe('Where the host leads once verified'),
  records: z.array(recordSchema).describe('Either the one that does both, or one of each other kind'),
  certificateRecord: recordSchema
    .omit({ does: true })
    .extend({ type: z.literal('CNAME') })
    .optional()
    .describe(
      'A record that lets the service prove the host to certificate authorities in the DNS: a wildcard needs it, any other host only where they cannot reach its port 80',
    ),
  findings: z.array(findingSchema).describe('What the last look found amiss, the most important first'),
  certificate: certificateSchema
    .optional()
    .describe(
      'Of a host that was verified, where the service orders certificates and ends the TLS, or an agent does',
    ),
  zone: z.string().optional().describe('The DNS zone that the host stands in'),
  provider: z.object({ name: z.string(), hint: z.string() }).optional().describe('Who runs its name servers'),
  createdAt: timeSchema,
  verifiedAt: timeSchema.optional(),
  failingSince: timeSchema.optional(),
  checkedAt: timeSchema.optional(),
  nextCheckAt: timeSchema,
  revision: z.int().describe('Rises with every change by you; `"<revision>"` is the ETag'),
})
export type Domain = z.infer<typeof domainSchema>

export const domainAddSchema = z.strictObject({
  host: z
    .string()
    .max(hostTextMax)
    .describe(
      'A host of a domain that you have registered, in any case and alphabet; `*.app.example.com` for all names one level below `app.example.com`',
    ),
  tunnel: idSchema('tun').optional().describe('Where it shall lead'),
})
export const domainUpdateSchema = z.strictObject({
  tunnel: idSchema('tun').nullable().describe('Where it shall lead; null: nowhere'),
})
export const domainParamsSchema = z.object({ domain: ownDomainSchema })
