/** Tests the harness itself (hashes, faults, programs), so that failures elsewhere are not its fault. */
import { expect, test } from 'vitest'
import { eventually, within } from './events.ts'
import { startFaultProxy } from './fault-proxy.ts'
import { runProgram, startProgram } from './programs.ts'
import { dial, endOf, readBytes, readToEnd } from './sockets.ts'
import { receiveHashed, sendHashed } from './transfer.ts'
import { startEcho, startSink } from './upstreams.ts'

const mebibyte = 1024 ** 2

test('harness: a transfer over a plain connection has the same hash at both ends', async () => {
  const sink = await startSink()
  const socket = await dial({ host: '127.0.0.1', port: sink.port })
  const answer = readToEnd(socket)
  const sha256 = await sendHashed(socket, { bytes: 32 * mebibyte, seed: 1 })
  expect((await answer).toString()).toBe(`${32 * mebibyte} ${sha256}`)
  await sink.close()
})

test('harness: the proxy passes bytes and ends, holds them back in silence, and cuts with a reset', async () => {
  const echo = await startEcho()
  const proxy = await startFaultProxy({ host: '127.0.0.1', port: echo.port })
  const at = { host: '127.0.0.1', port: proxy.port }
  const first = await dial(at)
  const echoed = readToEnd(first)
  first.end('through')
  expect((await echoed).toString()).toBe('through')

  const second = await dial(at)
  const before = readBytes(second, 6)
  second.write('before')
  await before
  proxy.blackHole()
  const after = readBytes(second, 5)
  second.write('after')
  await expect(within(after, 'an echo in silence', 200)).rejects.toThrow('not within')
  proxy.heal()
  expect((await within(after, 'the echo after it')).toString()).toBe('after')

  const end = endOf(second)
  second.resume()
  proxy.cut()
  expect(await within(end, 'the cut')).toBe('reset')
  await eventually('nothing is left', () => proxy.connections === 0 || undefined)
  await proxy.close()
  await echo.close()
})

test('harness: a delay keeps the order of bytes, also when it is taken back', async () => {
  const echo = await startEcho()
  const proxy = await startFaultProxy({ host: '127.0.0.1', port: echo.port })
  const socket = await dial({ host: '127.0.0.1', port: proxy.port })
  const received = receiveHashed(socket, { bytes: 8 * mebibyte })
  proxy.delay(20)
  const sending = sendHashed(socket, { bytes: 8 * mebibyte, seed: 2, end: false })
  await eventually('bytes are on the way', () => socket.bytesRead > 0 || undefined)
  proxy.delay(0)
  const sha256 = await sending
  expect((await within(received, 'the transfer')).sha256).toBe(sha256)
  socket.destroy()
  await proxy.close()
  await echo.close()
})

test('harness: a program that does not listen to SIGTERM is ended anyway', async () => {
  const deaf = await startProgram('node', [
    '-e',
    "process.on('SIGTERM',()=>{});console.log('up');setInterval(()=>{},1e6)",
  ])
  await deaf.lines.waitFor(({ text }) => text === 'up', { what: 'up' })
  expect(await deaf.stop('SIGTERM', 300)).toEqual({ code: null, signal: 'SIGKILL' })
  const { exit, stdout } = await runProgram('node', ['-p', '6*7'])
  expect({ ...exit, stdout }).toEqual({ code: 0, signal: null, stdout: '42' })
})
