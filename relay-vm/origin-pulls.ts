/**
 * Authenticated origin pulls: for the names that the operator chooses, visitors must show a certificate of the CA that
 * the proxy in front uses (Cloudflare's, or the operator's own at Cloudflare), so nobody comes past the proxy. Nothing
 * about it is in plain HTTP, which therefore leads to HTTPS only. docs/decisions/0070-in-front-of-us.md
 */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import type { RelayConfig } from './config.ts'

export type OriginPulls = {
  /** PEM: the roots of the certificates that visitors show. */
  readonly ca: string
  /** Whether visitors of this name have to show one. */
  demands(name: string): boolean
}

const pemPattern = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g

/** @returns undefined: the operator demands none. @throws relay.certificate */
export async function readOriginPulls({
  originPulls,
  public: face,
}: Pick<RelayConfig, 'originPulls' | 'public'>): Promise<OriginPulls | undefined> {
  if (originPulls === undefined) return undefined
  const { caFile, names } = originPulls
  const ca = await readRoots(caFile)
  // Live figures come from the relay itself, directly and at ports of its own.
  const own = new Set([...face.names, face.agentSni])
  const demands = (name: string) =>
    names === undefined ? !own.has(name) : names.some((pattern) => fits(pattern, name))
  return { ca, demands }
}

async function readRoots(file: string): Promise<string> {
  try {
    const roots = (await readFile(file, 'utf8')).match(pemPattern) ?? []
    if (roots.length === 0) throw fail('relay.certificate', `${file} has no certificate in PEM`)
    for (const root of roots)
      if (!new X509Certificate(root).ca)
        throw fail('relay.certificate', `${file} has a certificate that is no CA's`)
    return roots.join('\n')
  } catch (cause) {
    if (isFailure(cause)) throw cause
    throw fail('relay.certificate', `${file} cannot be used${sayFileError(cause)}`, { cause })
  }
}

/** `*.example.com` fits all names below it. */
function fits(pattern: string, name: string): boolean {
  return pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern
}
