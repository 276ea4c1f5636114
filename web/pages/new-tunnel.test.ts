/** The command that the page of a new tunnel gives. */
import { expect, test } from 'vitest'
import { commandOf } from './new-tunnel.tsx'

test.each([
  [{ kind: 'http', name: 'shop', port: '', domain: '' }, 'npx porttunneler http 3000 --name shop'],
  [{ kind: 'tcp', name: ' db ', port: '5433', domain: '' }, 'npx porttunneler tcp 5433 --name db'],
  [
    { kind: 'tls', name: 'mail', port: '993', domain: 'mail.example.com' },
    'npx porttunneler tls 993 --name mail --domain mail.example.com',
  ],
] as const)('the command for %j', (wish, command) => {
  expect(commandOf(wish)).toBe(command)
})
