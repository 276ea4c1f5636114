import { systemClock } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { expect, test, vi } from 'vitest'
import { makeLocalIdentity } from '../testing/local-identity.ts'
import { Passwords } from './identity.local.passwords.ts'
import { requireStrong } from './identity.local.weak.ts'

const email = 'ada.lovelace@example.com'
const isWeak = (password: string) => {
  try {
    requireStrong(password, email)
    return false
  } catch (error) {
    return isFailure(error, 'auth.weak')
  }
}

test.each([
  'aaaaaaaaaa',
  'abababababab',
  'abcdefghij',
  '1234567890',
  '0987654321',
  '1111122222',
  'qwertyuiop',
  'qwerty12345',
  '1qaz2wsx3edc',
  'Password123!',
  'P@ssw0rd2026',
  'passwordpassword',
  'dragondragon1',
  'liverpool1',
  'sonyericsson',
  'ada.lovelace1',
  'ada.lovelace@example.com',
  'porttunneler1',
])('%s is refused', (password) => {
  expect(isWeak(password)).toBe(true)
})

test.each([
  'correct horse battery',
  'another long password',
  'whoever comes first',
  'kT9#vQ2x!m',
  'tunnel under the sea',
  'ada.lovelace likes engines',
])('%s is accepted', (password) => {
  expect(isWeak(password)).toBe(false)
})

test('a weak password is refused wherever one is set, before any work and without using up anything', async () => {
  const { identity, mails, work } = makeLocalIdentity()
  const [home, weak, good] = [{ from: '192.0.2.1' }, 'aaaaaaaaaa', 'correct horse battery']
  const hashes = vi.spyOn(Passwords.prototype, 'hash')
  await expectFailure(identity.register({ email, password: weak }, home), 'auth.weak')
  expect(hashes).not.toHaveBeenCalled()
  const { tokens } = await identity.register({ email, password: good }, home)
  hashes.mockClear()
  await expectFailure(
    identity.changePassword(tokens.accessToken, { current: good, next: weak }, home),
    'auth.weak',
  )
  await identity.requestReset(email, home)
  await work()
  const token = /#(\S+)/.exec(mails[0]?.text ?? '')?.[1] ?? ''
  await expectFailure(identity.confirmReset({ token, password: weak }), 'auth.weak')
  expect(hashes).not.toHaveBeenCalled()
  await identity.confirmReset({ token, password: 'battery horse correct' })
  hashes.mockRestore()
})

test('a password from an earlier release still works, however weak', async () => {
  const { identity, store } = makeLocalIdentity()
  const home = { from: '192.0.2.1' }
  await identity.register({ email, password: 'correct horse battery' }, home)
  const hash = await new Passwords(systemClock, { log2N: 4, r: 1, p: 1 }).hash('aaaaaaaaaa', [
    'known',
    'test',
  ])
  const { passwords, emailRef } = await import('./identity.local.documents.ts')
  const user = (await store.get(emailRef(email)))?.data.user ?? ''
  await store.update(passwords.ref(user), { hash })
  await identity.login({ email, password: 'aaaaaaaaaa' }, home)
})
