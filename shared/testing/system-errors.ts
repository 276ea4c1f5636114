/**
 * For tests of what people are told when the system refuses something: each code with the words of its cure that no
 * other cause has a use for. A failure made out of a code says these words, and none of another code.
 */
import fs from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { Server, Socket } from 'node:net'
import { expect, vi } from 'vitest'
import { isFailure } from '../base/errors.ts'

const descriptors = [
  ['EMFILE', /ulimit -n/],
  ['ENFILE', /fs\.file-max/],
] as const

const cures = {
  network: [
    ...descriptors,
    ['ECONNREFUSED', /nothing listens/],
    ['ECONNRESET', /was cut/],
    ['ENOTFOUND', /its spelling/],
    ['EAI_AGAIN', /does not answer; check the network and the DNS/],
    ['ETIMEDOUT', /firewall may be in the way/],
    ['EHOSTUNREACH', /no way leads there/],
    ['ENETUNREACH', /no way leads there/],
    ['EADDRNOTAVAIL', /local port/],
    ['EACCES', /own firewall/],
    ['EPERM', /own firewall/],
  ],
  file: [
    ...descriptors,
    ['ENOSPC', /make room/],
    ['EDQUOT', /quota/],
    ['EROFS', /read-only/],
    ['EACCES', /chown/],
    ['EPERM', /chown/],
    ['EIO', /dmesg/],
    ['ENOTDIR', /something else is in the way/],
    ['EISDIR', /it is a folder/],
    ['ENAMETOOLONG', /shorter/],
  ],
  listen: [
    ...descriptors,
    ['EADDRINUSE', /another program listens/],
    ['EACCES', /above 1023/],
    ['EADDRNOTAVAIL', /no network interface/],
    ['EAFNOSUPPORT', /of that family/],
  ],
} as const

type Kind = keyof typeof cures

/** As the system's own error. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: as the system says it`), { code })
}

export function systemCodes(kind: Kind): readonly string[] {
  return cures[kind].map(([code]) => code)
}

/** That `failure`, by its detail and its cure, tells of this cause and of no other. */
export function expectCure(failure: unknown, { kind, code }: { kind: Kind; code: string }): void {
  if (!isFailure(failure)) throw failure
  const said = `${failure.detail} ${failure.entry.cure}`
  expect(said).toContain(code)
  const own = cures[kind].find(([name]) => name === code)?.[1] ?? expect.unreachable()
  expect(said).toMatch(own)
  for (const words of Object.values(cures).flatMap((list) => list.map(([, words]) => words)))
    if (words.source !== own.source) expect(said).not.toMatch(words)
}

type Call = (...args: never[]) => unknown

/** Lets these functions of `node:fs` and `node:fs/promises` fail with `error`. @returns undoes it */
export function refuseFiles(error: Error): () => void {
  const calls: readonly (readonly [object, readonly string[], Call])[] = [
    [promises, ['mkdir', 'readFile', 'stat', 'writeFile', 'open', 'rename'], () => Promise.reject(error)],
    [
      fs,
      ['mkdirSync', 'readFileSync', 'writeFileSync', 'openSync', 'accessSync', 'readdirSync'],
      () => {
        throw error
      },
    ],
  ]
  const spies = calls.flatMap(([module, names, call]) =>
    names.map((name) => vi.spyOn(module as Record<string, Call>, name).mockImplementation(call)),
  )
  // Named imports of built-in modules follow only when they are told.
  syncBuiltinESMExports()
  return () => {
    for (const spy of spies) spy.mockRestore()
    syncBuiltinESMExports()
  }
}

/** Lets every server socket fail to listen. @returns undoes it */
export function refuseListening(error: Error): () => void {
  const spy = vi.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server) {
    process.nextTick(() => this.emit('error', error))
    return this
  })
  return () => spy.mockRestore()
}

/** Lets every connection fail. @returns undoes it */
export function refuseConnections(error: Error): () => void {
  const spy = vi.spyOn(Socket.prototype, 'connect').mockImplementation(function (this: Socket) {
    return this.destroy(error)
  })
  return () => spy.mockRestore()
}

/** What `act` fails with. */
export async function failureOf(act: () => unknown): Promise<unknown> {
  try {
    await act()
  } catch (error) {
    return error
  }
  return expect.unreachable()
}
