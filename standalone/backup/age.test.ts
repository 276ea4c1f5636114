import { Secret } from '@porttunneler/shared/base/secret'
import { describe, expect, test } from 'vitest'
import { isSealed, seal, unseal } from './age.ts'
import { ByteReader } from './byte-reader.ts'

const passphrase = new Secret('correct horse battery staple')
/** A small work factor, for speed. */
const fast = 4

async function* inParts(bytes: Buffer, size = bytes.length || 1): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
async function joined(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const part of parts) all.push(part)
  return Buffer.concat(all)
}
const sealed = (plain: Buffer) => joined(seal(inParts(plain, 10_000), passphrase, fast))
const opened = (bytes: Buffer, size?: number, given = passphrase) =>
  joined(unseal(new ByteReader(inParts(bytes, size)), given))

/** `age -p` 1.1 wrote it, with the passphrase `correct horse`. */
const byAge = [
  'YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCA0bE9USWtPVHpEWjZFN0piWTVkczBBIDE4CjI2bzFJQ003ODEvaUFW',
  'TTYyL2lZSGNGT3ZjMGxtQXdwLzZscHRuQ3hjbVUKLS0tIDkxVWdwZlh3M2Q5ZDRoZy9hcjdITzBxYU1ENExZeXUrMmxRMDNH',
  'd2V3aTgKIYcQN7S1n48VITWzKwysOzzFh5an2su1n4LBb9CGLtDCVY/uFF5hzN8nwkIypRw=',
].join('')

describe('encryption of backups', () => {
  test('a file of the program age is opened', async () => {
    const file = Buffer.from(byAge, 'base64')
    expect((await opened(file, 50, new Secret('correct horse'))).toString()).toBe('hello from age\n')
  })

  test.each([0, 1, 65_535, 65_536, 65_537, 131_072, 200_000])('%i bytes come back', async (size) => {
    const plain = Buffer.alloc(size, 'some content. ')
    const file = await sealed(plain)
    expect(isSealed(file)).toBe(true)
    expect((await opened(file)).equals(plain)).toBe(true)
    expect((await opened(file, 777)).equals(plain), 'however it arrives').toBe(true)
  })

  test('another passphrase is named as the reason', async () => {
    const file = await sealed(Buffer.from('x'))
    await expect(opened(file, 100, new Secret('other'))).rejects.toMatchObject({ key: 'backup.passphrase' })
  })

  test('a file that was cut anywhere is not opened', async () => {
    const file = await sealed(Buffer.alloc(140_000, 'abc'))
    const chunk = 65_536 + 16
    const head = file.length - 140_000 - 3 * 16
    for (const end of [
      0,
      10,
      head - 1,
      head,
      head + 1,
      head + chunk,
      head + chunk + 1,
      head + 2 * chunk,
      file.length - 1,
    ])
      await expect(opened(file.subarray(0, end)), `${end}`).rejects.toMatchObject({ key: 'backup.damaged' })
    await expect(opened(Buffer.concat([file, Buffer.of(0)]))).rejects.toMatchObject({ key: 'backup.damaged' })
  })

  test('another spelling of the same header is not opened', async () => {
    const file = Buffer.from(byAge, 'base64')
    // Each way to write the same MAC: the last of its 43 characters has two bits too many.
    const end = file.indexOf('\n', file.indexOf('---')) - 1
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
    const value = alphabet.indexOf(String.fromCharCode(file[end] ?? 0))
    const other = Buffer.from(file)
    other[end] = alphabet.charCodeAt(value ^ 1)
    await expect(opened(other, 50, new Secret('correct horse'))).rejects.toMatchObject({
      key: 'backup.damaged',
    })
  })

  test('a short file of which any byte was changed is not opened', async () => {
    const file = await sealed(Buffer.from('a short text'))
    for (let at = 0; at < file.length; at++) {
      const changed = Buffer.from(file)
      changed[at] = (file[at] ?? 0) ^ 1
      await expect(opened(changed), `byte ${at}`).rejects.toMatchObject({
        key: expect.stringMatching(/^backup\.(damaged|passphrase)$/),
      })
    }
  })

  test('chunks that changed places are not opened', async () => {
    const file = await sealed(Buffer.alloc(140_000, 'abc'))
    const chunk = 65_536 + 16
    const head = file.length - 140_000 - 3 * 16
    const [one, two] = [file.subarray(head, head + chunk), file.subarray(head + chunk, head + 2 * chunk)]
    const swapped = Buffer.concat([file.subarray(0, head), two, one, file.subarray(head + 2 * chunk)])
    await expect(opened(swapped)).rejects.toMatchObject({ key: 'backup.damaged' })
  })

  test('a stranger’s file cannot ask for all memory', async () => {
    const file = (await sealed(Buffer.from('x'))).toString('latin1')
    const greedy = Buffer.from(file.replace(/( )4\n/, '$130\n'), 'latin1')
    await expect(opened(greedy)).rejects.toMatchObject({ key: 'backup.damaged' })
  })
})
