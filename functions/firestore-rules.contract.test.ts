/** firestore.rules on the emulator: only the functions get anything, whatever others try. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { randomProject, withEmulators } from './testing/with-emulators.ts'

withEmulators(({ firestore }) => {
  test('a client, signed in or not, can neither read, list, write nor delete', async () => {
    const project = randomProject()
    const base = `http://${firestore}/v1/projects/${project}/databases/(default)/documents`
    const content = readFileSync(join(import.meta.dirname, 'firestore.rules'), 'utf8')
    const loaded = await fetch(`http://${firestore}/emulator/v1/projects/${project}:securityRules`, {
      method: 'PUT',
      body: JSON.stringify({ rules: { files: [{ name: 'firestore.rules', content }] } }),
    })
    expect(loaded.status).toBe(200)
    const body = JSON.stringify({ fields: { email: { stringValue: 'a@example.com' } } })
    const statusOf = async (method: string, path: string, authorization?: string) => {
      const headers = authorization ? { authorization } : {}
      const sent = method === 'PATCH' || method === 'POST' ? { body } : {}
      return (await fetch(`${base}${path}`, { method, headers, ...sent })).status
    }
    // The emulator's word for the service account: proves that the document exists.
    expect(await statusOf('PATCH', '/users/usr_1', 'Bearer owner')).toBe(200)
    for (const who of [undefined, `Bearer ${idToken(project)}`]) {
      expect(await statusOf('GET', '/users/usr_1', who)).toBe(403)
      expect(await statusOf('GET', '/users', who)).toBe(403)
      expect(await statusOf('PATCH', '/users/usr_1', who)).toBe(403)
      expect(await statusOf('POST', '/anything', who)).toBe(403)
      expect(await statusOf('DELETE', '/users/usr_1', who)).toBe(403)
    }
    expect(await statusOf('GET', '/users/usr_1', 'Bearer owner')).toBe(200)
  })
})

/** A token in the form of the Auth emulator, which this emulator accepts without a signature. */
function idToken(project: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { sub: 'usr_1', user_id: 'usr_1', aud: project, iat: 1, exp: 4_000_000_000 }
  return `${part({ alg: 'none', typ: 'JWT' })}.${part({ ...claims, iss: `https://securetoken.google.com/${project}` })}.`
}
