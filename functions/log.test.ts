import { fail } from '@porttunneler/shared/base/errors'
import { beforeEach, describe, expect, test } from 'vitest'
import { makeLog, withRequest } from './log.ts'

let lines: string[]
const log = makeLog('demo-log', { write: (line) => void lines.push(line) })
const logged = () => lines.map((line) => JSON.parse(line))
const request = (headers: Record<string, string>) =>
  new Request('https://tunnel.example.com/v1/me?secret=1', { headers, method: 'POST' })

beforeEach(() => {
  lines = []
})

describe('log', () => {
  test('severity, message and time have the names and forms of Cloud Logging', () => {
    log.debug({}, 'hidden by default')
    log.info({ relay: 'r1' }, 'one')
    log.warn({}, 'two')
    log.error({}, 'three')
    expect(logged().map(({ severity, message }) => [severity, message])).toEqual([
      ['INFO', 'one'],
      ['WARNING', 'two'],
      ['ERROR', 'three'],
    ])
    expect(logged()[0]).toEqual({
      severity: 'INFO',
      message: 'one',
      relay: 'r1',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    })
  })

  test('a line names the trace of its request by the standard header', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    withRequest(request({ traceparent, 'user-agent': 'ptun/1' }), () => log.info({}, 'within'))
    log.info({}, 'without')
    const [within, without] = logged()
    expect(within).toMatchObject({
      'logging.googleapis.com/trace': 'projects/demo-log/traces/0af7651916cd43dd8448eb211c80319c',
      'logging.googleapis.com/spanId': 'b7ad6b7169203331',
      'logging.googleapis.com/trace_sampled': true,
      httpRequest: { requestMethod: 'POST', requestUrl: '/v1/me', userAgent: 'ptun/1' },
    })
    expect(Object.keys(without)).toEqual(['severity', 'time', 'message'])
  })

  test("Google's older header names it as well, its span in decimal", () => {
    const header = '105445aa7843bc8bf206b12000100000/255;o=1'
    withRequest(request({ 'x-cloud-trace-context': header }), () => log.info({}, 'within'))
    expect(logged()[0]).toMatchObject({
      'logging.googleapis.com/trace': 'projects/demo-log/traces/105445aa7843bc8bf206b12000100000',
      'logging.googleapis.com/spanId': '00000000000000ff',
      'logging.googleapis.com/trace_sampled': true,
    })
  })

  test.each(['', 'garbage', '00-xyz', '105445aa7843bc8bf206b12000100000'])(
    'a header %j names none',
    (header) => {
      withRequest(request({ traceparent: header, 'x-cloud-trace-context': header }), () => log.info({}, 'x'))
      expect(Object.keys(logged()[0]).filter((key) => key.startsWith('logging'))).toEqual([])
    },
  )

  test('concurrent requests keep their own, across everything they wait for', async () => {
    const traces = ['a', 'b', 'c'].map((letter) => letter.repeat(32))
    await Promise.all(
      traces.map((trace) =>
        withRequest(request({ traceparent: `00-${trace}-b7ad6b7169203331-00` }), async () => {
          await Promise.resolve()
          log.child({ trace }).info({}, 'within')
        }),
      ),
    )
    for (const line of logged()) expect(line['logging.googleapis.com/trace']).toContain(line.trace)
  })

  test('an error brings its stack for Error Reporting and its code for people', () => {
    const error = fail('api.internal', undefined, { cause: new Error('inner') })
    log.error({ error, code: error.code }, 'a request failed')
    expect(logged()[0]).toMatchObject({ severity: 'ERROR', code: error.code, error: { key: 'api.internal' } })
    expect(logged()[0].stack_trace).toContain('log.test.ts')
    expect(logged()[0].error.stack).toContain('inner')
  })
})
