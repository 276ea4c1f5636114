/**
 * Which project this process serves, and whether on emulators. Every entry point reads it first. The emulators of
 * Firebase Auth and Firestore check nothing (tokens without a signature, data without rules), so a variable that names
 * one stops the start of every program for a real project. Emulators take every id that begins with `demo-`, and Google
 * gives no such id to a real project.
 */
import { fail } from '@porttunneler/shared/base/errors'
import { z } from 'zod'

export type CloudEnvironment = {
  readonly projectId: string
  /** `host:port` of the emulators in use; empty for a real project. */
  readonly emulators: { readonly [role in Role]?: string }
}

type Role = 'auth' | 'firestore' | 'pubsub'
type Env = Readonly<Record<string, string | undefined>>

const projectSchema = z.string().regex(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/)
const hostSchema = z.string().regex(/^[\w.[\]:-]+:\d{1,5}$/)
const variables: readonly (readonly [Role, string])[] = [
  ['auth', 'FIREBASE_AUTH_EMULATOR_HOST'],
  ['firestore', 'FIRESTORE_EMULATOR_HOST'],
  ['pubsub', 'PUBSUB_EMULATOR_HOST'],
]

/** @throws cloud.environment, cloud.emulator */
export function readEnvironment(env: Env): CloudEnvironment {
  const project = projectSchema.safeParse(env.GOOGLE_CLOUD_PROJECT || env.GCLOUD_PROJECT)
  if (!project.success) throw fail('cloud.environment')
  const projectId = project.data
  const emulators: { [role in Role]?: string } = {}
  for (const [role, name] of variables) {
    // The SDKs treat an empty variable as unset.
    const value = env[name]
    if (!value) continue
    if (!projectId.startsWith('demo-'))
      throw fail('cloud.emulator', `${name} is set for project ${projectId}.`)
    const host = hostSchema.safeParse(value)
    if (!host.success) throw fail('cloud.environment', `${name} is no address of the form host:port.`)
    emulators[role] = host.data
  }
  return { projectId, emulators }
}
