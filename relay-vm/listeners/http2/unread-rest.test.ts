/** Requests that are answered before they were read to their end. */
import { execFile } from 'node:child_process'
import { constants } from 'node:http2'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { say, useRigs } from '../../testing/http-rig.ts'
import { ask, asked, over } from '../../testing/http2-visitor.ts'

const startRigs = useRigs()

test('visitors who vanish while a page is on its way do not stop the relay', async () => {
  const program = join(import.meta.dirname, '../../testing/http2-lost.ts')
  // Without an end it would fill the machine's memory.
  const { stdout } = await promisify(execFile)(process.execPath, [program], {
    timeout: 20_000,
    killSignal: 'SIGKILL',
  })
  expect(stdout).toBe('done')
})

test('an early answer comes with its trailers, and the rest of the request is refused behind them', async () => {
  const rig = await startRigs({ isHttp2: true })
  const call = ask(rig.connect(), { ':method': 'POST', ':path': '/' }, { isOpen: true })
  const upstream = await rig.upstream()
  await asked(upstream, '/')
  say(
    upstream,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nearl\r\n0\r\ngrpc-status: 5\r\n\r\n',
  )
  expect(await over(call)).toMatchObject({
    text: 'earl',
    trailers: { 'grpc-status': '5' },
    code: constants.NGHTTP2_NO_ERROR,
  })
  expect(rig.refused).toEqual([])
})
