/** The settings of certificates (`acme`), and the defaults of other settings that follow from them. */
import { isIPv4 } from 'node:net'
import { emailSchema } from '@porttunneler/shared/api/schemas/accounts'
import { issuersSchema, usualIssuers } from '@porttunneler/shared/control/certificates/issuers'
import { z } from 'zod'

type Layer = Readonly<Record<string, unknown>>

export const acmeSchema = z.strictObject({
  /** The authority reports trouble to it. */
  email: emailSchema,
  /** In order of preference. */
  issuers: issuersSchema.default([...usualIssuers]),
})

/** Whether an authority could certify the name. */
export function isPublicName(name: string): boolean {
  return name.includes('.') && !isIPv4(name) && !/(^|\.)localhost$/.test(name)
}

/** A server with certificates is meant for the world: the defaults of its other settings follow from that. */
export function forTheWorld(layer: Layer): Layer {
  const { acme, domain, ports, ...rest } = layer
  if (acme === undefined || typeof domain !== 'string') return layer
  const usual = { http: 80, tls: 443, ...(ports as object | undefined) }
  return { bind: '0.0.0.0', host: domain, ...rest, acme, domain, ports: usual }
}
