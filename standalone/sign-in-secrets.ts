/** The secrets of sign-in services, from the files that the settings name. */
import { resolve } from 'node:path'
import { fail } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import type { GivenProvider, ProviderSettings } from './platform/oidc/settings.ts'

/** @throws standalone.config for a file that is missing or empty, standalone.readable for one that others can read */
export function readClientSecrets(
  providers: readonly GivenProvider[],
  {
    data,
    readText,
    isOpen,
  }: {
    /** Relative names are names in it. */
    readonly data: string
    readonly readText: (path: string) => string | undefined
    readonly isOpen: (path: string) => boolean
  },
): ProviderSettings[] {
  return providers.map(({ secretFile, ...provider }) => {
    if (secretFile === undefined) return provider
    const file = resolve(data, secretFile)
    const where = `signIn.providers, ${provider.id}: clientSecretFile`
    const text = readText(file)?.trim()
    if (text === undefined) throw fail('standalone.config', `${where}: there is no file ${file}`)
    if (text === '') throw fail('standalone.config', `${where}: ${file} is empty`)
    if (isOpen(file)) throw fail('standalone.readable', `${file} holds a secret, and others can read it.`)
    return { ...provider, secret: new Secret(text) }
  })
}
