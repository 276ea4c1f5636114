import { describe, expect, test } from 'vitest'
import { readCarrierHop } from './carrier-hop.ts'

const session = `ses_${'0a'.repeat(15)}`
const exported = Buffer.alloc(32, 'x')
const told = exported.toString('base64url')

describe('a connection that is to join a session of another process', () => {
  test('names the session, and what its proof was made with', () => {
    expect(readCarrierHop(`${session} ${told}`)).toEqual({ session, exported })
  })

  test.each([
    ['a session alone', session],
    ['an endpoint of a tunnel', 'tcp:c1:20001'],
    ['a session with other letters', `${session.replace('0a', 'zz')} ${told}`],
    ['a longer session', `${session}0 ${told}`],
    ['less than the exporter gives', `${session} ${told.slice(1)}`],
    ['more than that', `${session} ${told}A`],
    ['something behind it', `${session} ${told} x`],
    ['a line break', `${session} ${told}\n`],
  ])('%s is none', (_name, endpoint) => {
    expect(readCarrierHop(endpoint)).toBeUndefined()
  })
})
