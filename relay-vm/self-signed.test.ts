import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { makeSelfSigned } from './self-signed.ts'

const dayMs = 86_400_000

test('the certificate is signed by its own key, for TLS servers, with exactly the requested names', async () => {
  const nowMs = Date.UTC(2026, 5, 1)
  const host = `${'a'.repeat(60)}.tunnels.example.com`
  const names = [host, '*.example.com', '192.0.2.7', '2001:db8::7']
  const made = new X509Certificate((await makeSelfSigned(names, nowMs)).certificate)
  expect(made.verify(made.publicKey)).toBe(true)
  expect(made.ca).toBe(false)
  expect(made.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
  expect(made.subjectAltName).toBe(
    `DNS:${host}, DNS:*.example.com, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7`,
  )
  expect(made.checkHost('demo.example.com')).toBe('*.example.com')
  expect(made.checkIP('192.0.2.7')).toBe('192.0.2.7')
  expect(made.checkHost('example.org')).toBeUndefined()
})

test.each([
  ['before 2050', Date.UTC(2026, 1, 28)],
  ['across 2050, where dates change their form', Date.UTC(2049, 5, 1)],
  ['after it', Date.UTC(2051, 11, 31)],
])('it is valid from yesterday for 800 days: %s', async (_when, nowMs) => {
  const { certificate } = await makeSelfSigned(['r1'], nowMs)
  const { validFromDate, validToDate } = new X509Certificate(certificate)
  expect(validFromDate.getTime()).toBe(nowMs - dayMs)
  expect(validToDate.getTime()).toBe(nowMs + 800 * dayMs)
})

test('no two have the same serial number', async () => {
  const made = await Promise.all(Array.from({ length: 20 }, () => makeSelfSigned(['r1'], 0)))
  const serials = made.map(({ certificate }) => new X509Certificate(certificate).serialNumber)
  expect(new Set(serials).size).toBe(20)
})
