/** Certificates whose keys agents have. */
import { z } from 'zod'
import { hostSchema } from '../../protocol/endpoint.ts'
import { timeSchema } from './common.ts'

const idSchema = z.string().regex(/^crt_[0-9a-f]{40}$/)

export const certificateRequestSchema = z.strictObject({
  host: hostSchema.describe(
    'A reserved name under `e2e`, or an own domain, that leads to a tunnel of kind tls',
  ),
  csr: z
    .string()
    .min(1)
    .max(8_192)
    .describe('PKCS 10 in PEM: a key on P-256 or P-384, or RSA from 2048 bits, and the host as the only SAN'),
  replaces: idSchema
    .optional()
    .describe('The certificate before this one: then it is a renewal, which authorities count less'),
})

export const certificateParamsSchema = z.object({ certificate: idSchema })

export const agentCertificateSchema = z.object({
  id: idSchema,
  host: z.string(),
  state: z.enum(['ordering', 'valid', 'failing']),
  chain: z.string().max(65_536).optional().describe('PEM, its own certificate first'),
  notAfter: timeSchema.optional(),
  renewAt: timeSchema
    .optional()
    .describe('Send a request with a new key then. It may change: look again every day'),
  nextAt: timeSchema.optional().describe('When an order that is not over goes on'),
  problem: z
    .object({ code: z.string(), title: z.string(), detail: z.string(), cure: z.string() })
    .optional()
    .describe('Why the last try failed; it is tried again by itself'),
})
export type AgentCertificate = z.infer<typeof agentCertificateSchema>
