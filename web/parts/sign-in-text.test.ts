import { expect, test } from 'vitest'
import { signInText } from './sign-in-text.ts'

const services = [
  { id: 'work', name: 'Example Ltd' },
  { id: 'oidc.lab', name: 'The lab' },
]

test.each([
  ['password', 'with a password'],
  ['passkey', 'with a passkey'],
  ['custom', 'with a passkey'],
  ['other', ''],
  ['oidc:work', 'with Example Ltd'],
  ['oidc:lab', 'with The lab'],
  ['oidc:google.com', 'with Google'],
  ['oidc:github.com', 'with GitHub'],
  ['oidc:gone', 'with another service (gone)'],
])('a session by %s says: signed in … %s', (method, text) => {
  expect(signInText(method, services)).toBe(text)
})
