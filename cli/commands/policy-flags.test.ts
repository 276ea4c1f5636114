import { expect, test } from 'vitest'
import { parseConfig } from '../config.ts'
import { policyOfFlags } from './policy-flags.ts'

const fromFile = (kind: string, policy: string) =>
  parseConfig(`version: 1\ntunnels:\n  web: {kind: ${kind}, upstream: 1, policy: ${policy}}\n`, 'ptun.yaml')
    .tunnels[0]?.policy

test('options and ptun.yaml mean the same', () => {
  const flags = {
    allow: ['10.0.0.0/8', '::1'],
    deny: ['10.1.0.0/16'],
    httpsOnly: true,
    acmeUpstream: true,
    requestsPerMinute: '60',
  }
  expect(policyOfFlags('http', { ...flags, maxBody: '10MB' })).toEqual(
    fromFile(
      'http',
      '{allow: [10.0.0.0/8, "::1"], deny: [10.1.0.0/16], httpsOnly: true, acme: upstream, requestsPerMinute: 60, bodyBytesMax: 10000000}',
    ),
  )
  expect(policyOfFlags('tcp', { deny: ['192.0.2.1'] })).toEqual(fromFile('tcp', '{deny: [192.0.2.1]}'))
  expect(policyOfFlags('tcp', {})).toBeUndefined()
})

test.each([
  ['500', 500],
  ['500b', 500],
  ['2k', 2_000],
  ['2KB', 2_000],
  ['3m', 3_000_000],
  ['1G', 1_000_000_000],
])('%s are %i bytes', (maxBody, bytes) => {
  expect(policyOfFlags('http', { maxBody })).toEqual({ bodyBytesMax: bytes })
})

test('a rule about requests says which it is, also in ptun.yaml', () => {
  expect(() => fromFile('tls', '{httpsOnly: true}')).toThrow(
    /3:53 tunnel web, access rules, httpsOnly: .*http tunnels only/,
  )
  expect(() => fromFile('http', '{allow: [nowhere]}')).toThrow(
    /tunnel web, access rules, first entry of allow/,
  )
  expect(() => fromFile('http', '{httpOnly: true}')).toThrow(/did you mean "httpsOnly"/)
})
