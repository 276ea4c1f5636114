import { describe, expect, test } from 'vitest'
import { AnswerWatch } from './answer.ts'

function watched(answers: readonly (readonly [method: string, ...parts: string[]])[]): boolean {
  const watch = new AnswerWatch()
  for (const [method, ...parts] of answers) {
    watch.asked(method)
    for (const part of parts) watch.heard(Buffer.from(part, 'latin1'))
  }
  return watch.isComplete
}

const ok = 'HTTP/1.1 200 OK\r\n'
const chunked = `${ok}Transfer-Encoding: chunked\r\n\r\n`

describe('answer watch', () => {
  test.each<readonly [string, boolean, string, string]>([
    ['a body of the announced length', true, 'GET', `${ok}Content-Length: 5\r\n\r\nhello`],
    ['a body that is still coming', false, 'GET', `${ok}Content-Length: 5\r\n\r\nhell`],
    ['more than was announced', false, 'GET', `${ok}Content-Length: 5\r\n\r\nhello!`],
    ['no body by length', true, 'GET', `${ok}content-length:0\r\n\r\n`],
    ['the last chunk', true, 'GET', `${chunked}5\r\nhello\r\n0\r\n\r\n`],
    ['chunks without the last', false, 'GET', `${chunked}5\r\nhello\r\n`],
    ['chunks with trailers, which nobody reads here', false, 'GET', `${chunked}0\r\nA: b\r\n\r\n`],
    ['events of a stream between two of them', false, 'GET', `${chunked}9\r\ndata: 1\n\n\r\n`],
    ['an end by closing', false, 'GET', `${ok}\r\nhello`],
    ['half a head', false, 'GET', `${ok}Content-Length: 0\r\n`],
    ['nothing', false, 'GET', ''],
    ['a HEAD answer', true, 'HEAD', `${ok}Content-Length: 5\r\n\r\n`],
    ['204', true, 'GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['304 with the length of what it stands for', true, 'GET', 'HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n'],
    ['an interim answer alone', false, 'GET', 'HTTP/1.1 100 Continue\r\n\r\n'],
    [
      'an interim answer and the final one',
      true,
      'GET',
      `HTTP/1.1 103 Early\r\n\r\n${ok}Content-Length: 1\r\n\r\nx`,
    ],
    ['a switch of protocols', false, 'GET', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['a longer head than is kept', false, 'GET', `${ok}A: ${'b'.repeat(1_100)}\r\nContent-Length: 0\r\n\r\n`],
  ])('%s: %s', (_name, isComplete, method, answer) => {
    expect(watched([[method, answer]])).toBe(isComplete)
    expect(watched([[method, ...answer]])).toBe(isComplete)
  })

  test('each request counts anew', () => {
    const answer = `${ok}Content-Length: 1\r\n\r\nx`
    expect(watched([['GET', answer], ['GET']])).toBe(false)
    expect(
      watched([
        ['GET', answer],
        ['GET', answer],
      ]),
    ).toBe(true)
  })

  test('requests that did not wait for each other are never called answered', () => {
    expect(watched([['GET'], ['GET', `${ok}Content-Length: 0\r\n\r\n`]])).toBe(false)
  })
})
