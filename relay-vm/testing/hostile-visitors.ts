/** What hostile visitors who speak HTTP/2 send, for tests in their own process and in one that may be lost. */
import { Buffer } from 'node:buffer'
import { field, frame, opening, request, reset, Type } from './http2-frames.ts'

/** Stream ids of visitors. */
export const ids = (count: number) => Array.from({ length: count }, (_, index) => 2 * index + 1)
export const repeated = (bytes: Buffer, count: number) => Buffer.concat(Array<Buffer>(count).fill(bytes))

type Attack = readonly [name: string, pieces: readonly Buffer[]]

const zeros = (bytes: number) => Buffer.alloc(bytes)
const post = request(1, { isOpen: true })
const long = repeated(field('x', 'y'.repeat(110)), 9)
const noField = Buffer.alloc(6, 0xff)
/** DATA of the connection itself, which ends it. */
const nonsense = frame(Type.data, 0, zeros(1))
const endStream = 1
const endHeaders = 4

/** Each of them ends the connection. */
export const fatal: readonly Attack[] = [
  ...(
    [
      [
        'requests that are taken back at once',
        ids(2_000).map((id) => Buffer.concat([request(id), reset(id)])),
      ],
      [
        'requests that are made to be reset (MadeYouReset)',
        ids(2_000).map((id) =>
          Buffer.concat([request(id, { isOpen: true }), frame(Type.windowUpdate, id, zeros(4))]),
        ),
      ],
      [
        'a head without an end',
        [request(1, { isCut: true }), repeated(frame(Type.continuation, 1, field('a', 'b')), 2_000)],
      ],
      ['20 MB of a head', [request(1, { isCut: true }), repeated(frame(Type.continuation, 1, long), 20_000)]],
      [
        'a head of empty CONTINUATION frames',
        [request(1, { isCut: true }), repeated(frame(Type.continuation, 1), 2_000)],
      ],
      ['a head with another frame in it', [request(1, { isCut: true, more: long }), nonsense]],
      ['a head that is broken in the middle', [request(1, { more: Buffer.concat([long, noField]) })]],
      [
        'more fields than are allowed, and then nonsense',
        [Buffer.concat([request(1, { more: repeated(field('x', 'y'), 500) }), nonsense])],
      ],
      [
        'more fields than are allowed, and then a head without an end',
        [
          request(1, { more: repeated(field('x', 'y'), 500) }),
          request(3, { isCut: true }),
          repeated(frame(Type.continuation, 3, long), 2_000),
        ],
      ],
      ['trailers with another frame in them', [post, frame(Type.headers, 1, long, endStream), nonsense]],
      [
        'trailers without an end',
        [post, frame(Type.headers, 1, long, endStream), repeated(frame(Type.continuation, 1, long), 2_000)],
      ],
      [
        'trailers that are broken in the middle',
        [post, frame(Type.headers, 1, Buffer.concat([long, noField]), endStream | endHeaders)],
      ],
      ['SETTINGS without an end', [repeated(frame(Type.settings, 0), 20_000)]],
      ['more settings than there are', [frame(Type.settings, 0, zeros(6 * 100))]],
      ['PING without an end', [repeated(frame(Type.ping, 0, zeros(8)), 20_000)]],
      ['empty DATA without an end', [post, repeated(frame(Type.data, 1), 20_000)]],
      ['DATA of a stream that is not there', [frame(Type.data, 1, zeros(5))]],
      ['a frame beyond the limit', [frame(Type.data, 1, zeros(16_385))]],
      ['HPACK that is none', [frame(Type.headers, 1, Buffer.alloc(100, 0xff), endStream | endHeaders)]],
    ] as const
  ).map(([name, pieces]): Attack => [name, [opening(), ...pieces]]),
  ['HTTP/1.1', [Buffer.from('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')]],
]

/** What a connection may outlive. */
export const costly: readonly Attack[] = (
  [
    ['a head that breaks off', [request(1, { isCut: true, more: long })]],
    ['trailers that break off', [post, frame(Type.headers, 1, long, endStream)]],
    ['PRIORITY', [repeated(frame(Type.priority, 3, zeros(5)), 20_000)]],
    ['PRIORITY_UPDATE', [repeated(frame(16, 0, Buffer.from('\0\0\0\x01u=1')), 20_000)]],
    ['WINDOW_UPDATE', [post, repeated(frame(Type.windowUpdate, 0, Buffer.of(0, 0, 0, 1)), 20_000)]],
    ['RST_STREAM of what is not there', [request(1), repeated(reset(1), 20_000)]],
    ['GOAWAY', [repeated(frame(Type.goaway, 0, zeros(8)), 20_000)]],
    ['GOAWAY with 16 KB of text', [repeated(frame(Type.goaway, 0, zeros(16_000)), 2_000)]],
    ['PUSH_PROMISE', [repeated(frame(5, 1, zeros(8), endHeaders), 20_000)]],
    ['ALTSVC', [repeated(frame(10, 0, Buffer.from('\0\x01a')), 20_000)]],
    ['ORIGIN', [repeated(frame(12, 0, zeros(16_000)), 2_000)]],
    ['frames that nobody knows', [repeated(frame(0x77, 1, zeros(16_000)), 2_000)]],
    ['SETTINGS that change the table', [repeated(opening([[1, 4_096]]).subarray(24), 20_000)]],
    ['answers to PING', [repeated(frame(Type.ping, 0, zeros(8), 1), 20_000)]],
    ['DATA that is only padding', [post, repeated(frame(Type.data, 1, Buffer.of(2, 0, 0), 8), 20_000)]],
    ['empty HEADERS', [post, repeated(frame(Type.headers, 1, zeros(0), endHeaders), 20_000)]],
  ] as const
).map(([name, pieces]): Attack => [name, [opening(), ...pieces]])
