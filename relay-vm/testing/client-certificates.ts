/** A CA as Cloudflare's for authenticated origin pulls, its client certificate, and those that must not pass for it. */
import 'reflect-metadata'
import { KeyObject, webcrypto } from 'node:crypto'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

export type ClientIdentity = { readonly cert: string; readonly key: string }
type Keys = webcrypto.CryptoKeyPair
type Issued = { readonly certificate: X509Certificate; readonly keys: Keys }
type Shape = { readonly name: string; readonly usage?: ExtendedKeyUsage; readonly agedDays?: number }

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const dayMs = 86_400_000

async function issue({ name, usage, agedDays = 0 }: Shape, by?: Issued): Promise<Issued> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as Keys
  const from = Date.now() - (agedDays + 1) * dayMs
  const common = {
    notBefore: new Date(from),
    notAfter: new Date(from + 30 * dayMs),
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(by === undefined, undefined, true),
      ...(usage ? [new ExtendedKeyUsageExtension([usage])] : []),
    ],
  }
  const certificate = by
    ? await X509CertificateGenerator.create(
        {
          ...common,
          subject: `CN=${name}`,
          issuer: by.certificate.subject,
          publicKey: keys.publicKey,
          signingKey: by.keys.privateKey,
        },
        webcrypto,
      )
    : await X509CertificateGenerator.createSelfSigned({ ...common, name: `CN=${name}`, keys }, webcrypto)
  return { certificate, keys }
}

function identityOf({ certificate, keys }: Issued): ClientIdentity {
  const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' })
  return { cert: certificate.toString('pem'), key: String(key) }
}

export async function makeCloudflare() {
  const root = await issue({ name: 'origin-pull.test' })
  const namesake = await issue({ name: 'origin-pull.test' })
  const client = { name: 'cloudflare', usage: ExtendedKeyUsage.clientAuth }
  const made = async (shape: Shape, by: Issued = root) => identityOf(await issue(shape, by))
  return {
    ca: root.certificate.toString('pem'),
    proxy: await made(client),
    others: {
      'of another CA with the same name': await made(client, namesake),
      'a CA of one’s own': identityOf(namesake),
      expired: await made({ ...client, agedDays: 60 }),
      'not valid yet': await made({ ...client, agedDays: -60 }),
      'for servers': await made({ ...client, usage: ExtendedKeyUsage.serverAuth }),
    },
  }
}
export type Cloudflare = Awaited<ReturnType<typeof makeCloudflare>>
