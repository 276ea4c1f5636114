/**
 * The relay's TLS identity: the operator's PEM files, or a self-signed certificate that the relay makes in its data
 * folder. Agents get a self-signed certificate from the directory and accept it as their only root.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { closeToOthers } from '@porttunneler/shared/base/private-files'
import { Secret } from '@porttunneler/shared/base/secret'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { isMissing, writeText } from './files.ts'

export type TlsIdentity = {
  /** PEM, leaf first. */
  readonly certificate: string
  /** PEM. */
  readonly key: Secret
  readonly isSelfSigned: boolean
}

const renewUnderMs = 60 * 86_400_000

/** @throws relay.certificate */
export async function readIdentity(files: {
  readonly certFile: string
  readonly keyFile: string
}): Promise<TlsIdentity> {
  try {
    const certificate = await readFile(files.certFile, 'utf8')
    const key = await readFile(files.keyFile, 'utf8')
    const leaf = new X509Certificate(certificate)
    if (!leaf.checkPrivateKey(createPrivateKey(key)))
      throw fail('relay.certificate', `${files.keyFile} is not the key of ${files.certFile}`)
    return { certificate, key: new Secret(key), isSelfSigned: leaf.issuer === leaf.subject }
  } catch (cause) {
    if (isFailure(cause)) throw cause
    const where = `${files.certFile} or ${files.keyFile}`
    throw fail('relay.certificate', `${where} cannot be used${sayFileError(cause)}`, { cause })
  }
}

/**
 * The certificate kept in `tlsDir`. It is made anew when there is none, when it soon expires, or when the names have
 * changed.
 * @throws relay.data
 */
export async function selfSignedIdentity(
  tlsDir: string,
  { names, nowMs }: { readonly names: readonly string[]; readonly nowMs: number },
): Promise<TlsIdentity> {
  const certFile = join(tlsDir, 'relay.crt')
  const keyFile = join(tlsDir, 'relay.key')
  const kept = await readKept(certFile, keyFile)
  if (kept !== undefined && isUsable(kept, names, nowMs)) return kept
  const { makeSelfSigned } = await import('./self-signed.ts')
  const made = { ...(await makeSelfSigned(names, nowMs)), isSelfSigned: true }
  await writeText(keyFile, made.key.reveal())
  await writeText(certFile, made.certificate)
  return made
}

async function readKept(certFile: string, keyFile: string): Promise<TlsIdentity | undefined> {
  try {
    closeToOthers(keyFile)
    const certificate = await readFile(certFile, 'utf8')
    return { certificate, key: new Secret(await readFile(keyFile, 'utf8')), isSelfSigned: true }
  } catch (cause) {
    if (isMissing(cause)) return undefined
    throw fail('relay.data', `${certFile} cannot be read${sayFileError(cause)}`, { cause })
  }
}

function isUsable({ certificate, key }: TlsIdentity, names: readonly string[], nowMs: number): boolean {
  try {
    const leaf = new X509Certificate(certificate)
    return (
      leaf.checkPrivateKey(createPrivateKey(key.reveal())) &&
      // A certificate made while this clock was far ahead would be refused until then.
      leaf.validFromDate.getTime() <= nowMs &&
      leaf.validToDate.getTime() - nowMs > renewUnderMs &&
      leaf.subjectAltName === names.map(sayAltName).join(', ')
    )
  } catch {
    // The file does not hold a certificate and key of ours: a fresh pair replaces it.
    return false
  }
}

/** The format in which Node prints a subject alternative name. */
function sayAltName(name: string): string {
  return isIP(name) === 0 ? `DNS:${name}` : `IP Address:${name}`
}
