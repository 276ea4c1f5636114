/** What hostile upstreams that speak HTTP/2 answer, for tests in their own process and in one that may be lost. */
import { Buffer } from 'node:buffer'
import { errorCode, fieldBlock, flood, frame, frameFlag, frameType, ok, type RawAnswer } from './raw-http2.ts'

const { endStream, endHeaders } = frameFlag
type Named = readonly (readonly [name: string, answer: RawAnswer])[]

const field = fieldBlock(['x', 'y'.repeat(1_000)])
const noField = Buffer.alloc(6, 0xff)

function withoutEnd(frames: number): RawAnswer {
  return (peer, id) => {
    peer.send(frameType.headers, 0, id, ok)
    return flood(peer, frame(frameType.continuation, 0, id, field), frames)
  }
}

/** What must become a page, because the answer had not begun. */
export const answersInstead: Named = [
  ['a reset', (peer, id) => peer.send(frameType.reset, 0, id, errorCode(2))],
  ['a reset that claims no error', (peer, id) => peer.send(frameType.reset, 0, id, errorCode(0))],
  ['a lost connection', (peer) => peer.socket.destroy()],
  [
    'a status that switches protocols',
    (peer, id) => peer.send(frameType.headers, 4, id, fieldBlock([':status', '101'])),
  ],
  [
    'a status that is none',
    (peer, id) => peer.send(frameType.headers, 4, id, fieldBlock([':status', '2000'])),
  ],
  ['no status', (peer, id) => peer.send(frameType.headers, 4, id, fieldBlock(['a', 'b']))],
  [
    'a framing field',
    (peer, id) =>
      peer.send(frameType.headers, 4, id, fieldBlock([':status', '200'], ['transfer-encoding', 'chunked'])),
  ],
  [
    'two lengths',
    (peer, id) =>
      peer.send(
        frameType.headers,
        4,
        id,
        fieldBlock([':status', '200'], ['content-length', '1'], ['content-length', '2']),
      ),
  ],
  [
    'a length that is none',
    (peer, id) =>
      peer.send(frameType.headers, 4, id, fieldBlock([':status', '200'], ['content-length', '1x'])),
  ],
  ['data without a head', (peer, id) => peer.send(frameType.data, endStream, id, 'x')],
  [
    'a broken field block',
    (peer, id) => peer.send(frameType.headers, 4, id, Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff)),
  ],
  ['a push', (peer, id) => peer.send(frameType.push, 4, id, Buffer.concat([errorCode(2), ok]))],
  [
    'a head of 200 KiB',
    (peer, id) => {
      const block = fieldBlock(
        [':status', '200'],
        ...Array.from({ length: 200 }, (_, at) => [`x-${at}`, 'y'.repeat(1_000)] as const),
      )
      for (let at = 0; at < block.length; at += 16_000)
        peer.send(
          at === 0 ? frameType.headers : frameType.continuation,
          at + 16_000 < block.length ? 0 : endHeaders,
          id,
          block.subarray(at, at + 16_000),
        )
    },
  ],
  ['fields without an end', withoutEnd(1_000)],
  ['20 MB of fields without an end', withoutEnd(20_000)],
  [
    'a head that breaks off with its connection',
    (peer, id) => {
      peer.send(frameType.headers, 0, id, Buffer.concat([ok, field]))
      peer.socket.end()
    },
  ],
  [
    'a head with another frame in it',
    (peer, id) => {
      peer.send(frameType.headers, 0, id, Buffer.concat([ok, field]))
      peer.send(frameType.data, 0, id, 'x')
    },
  ],
  [
    'a head that is broken in the middle',
    (peer, id) => peer.send(frameType.headers, endHeaders, id, Buffer.concat([ok, field, noField])),
  ],
  [
    'more fields than are allowed, and then no frame of HTTP/2',
    (peer, id) => {
      const block = fieldBlock(...Array.from({ length: 500 }, (_, at) => [`x-${at}`, 'y'] as const))
      peer.send(frameType.headers, endHeaders, id, Buffer.concat([ok, block]))
      peer.send(frameType.data, 0, 0, 'x')
    },
  ],
  [
    'tiny field blocks that unpack to much',
    (peer, id) => {
      // The first is put into the table and then named 4,000 times by one byte each.
      const big = Buffer.concat([Buffer.of(0x40), fieldBlock(['x', 'y'.repeat(3_900)]).subarray(1)])
      peer.send(frameType.headers, 4, id, Buffer.concat([ok, big, Buffer.alloc(4_000, 0xbe)]))
    },
  ],
]

/** What must end in a reset, because the visitor would take a FIN, or nothing, for the end of the answer. */
export const answersCut: Named = [
  [
    'a reset',
    (peer, id) => {
      peer.send(frameType.headers, endHeaders, id, ok)
      peer.send(frameType.data, 0, id, 'part')
      peer.send(frameType.reset, 0, id, errorCode(2))
    },
  ],
  [
    'a reset that claims no error',
    (peer, id) => {
      peer.send(frameType.headers, endHeaders, id, ok)
      peer.send(frameType.data, 0, id, 'part')
      peer.send(frameType.reset, 0, id, errorCode(0))
    },
  ],
  [
    'a lost connection',
    (peer, id) => {
      peer.send(frameType.headers, endHeaders, id, ok)
      peer.send(frameType.data, 0, id, 'part')
      peer.socket.end()
    },
  ],
  [
    'GOAWAY with an error',
    (peer, id) => {
      peer.send(frameType.headers, endHeaders, id, ok)
      peer.send(frameType.goaway, 0, 0, Buffer.concat([errorCode(id), errorCode(1)]))
    },
  ],
  [
    'less than its length',
    (peer, id) => {
      peer.send(frameType.headers, endHeaders, id, fieldBlock([':status', '200'], ['content-length', '9']))
      peer.send(frameType.data, endStream, id, 'part')
    },
  ],
  [
    'more than its length',
    (peer, id) => {
      peer.send(frameType.headers, endHeaders, id, fieldBlock([':status', '200'], ['content-length', '2']))
      peer.send(frameType.data, endStream, id, 'part')
    },
  ],
  [
    'trailers without an end',
    (peer, id) => {
      peer.send(frameType.headers, endHeaders, id, ok)
      peer.send(frameType.data, 0, id, 'part')
      peer.send(frameType.headers, endStream, id, field)
      return flood(peer, frame(frameType.continuation, 0, id, field), 1_000)
    },
  ],
  [
    'trailers that break off with their connection',
    (peer, id) => {
      peer.send(frameType.headers, endHeaders, id, ok)
      peer.send(frameType.headers, endStream, id, field)
      peer.socket.end()
    },
  ],
  [
    'trailers that are broken in the middle',
    (peer, id) => {
      peer.send(frameType.headers, endHeaders, id, ok)
      peer.send(frameType.headers, endHeaders | endStream, id, Buffer.concat([field, noField]))
    },
  ],
  [
    'a second head',
    (peer, id) => {
      peer.send(frameType.headers, endHeaders, id, ok)
      peer.send(frameType.headers, endHeaders, id, ok)
    },
  ],
]

/** What need not end a request, but costs something. */
export const floods: Named = (
  [
    ['SETTINGS', 20_000, frame(frameType.settings, 0, 0, Buffer.of(0, 4, 0, 1, 0, 0))],
    ['SETTINGS that change the table', 20_000, frame(frameType.settings, 0, 0, Buffer.of(0, 1, 0, 0, 16, 0))],
    ['answers to SETTINGS', 20_000, frame(frameType.settings, frameFlag.ack, 0)],
    ['a hundred settings each', 2_000, frame(frameType.settings, 0, 0, Buffer.alloc(600, 9))],
    ['PING', 20_000, frame(frameType.ping, 0, 0, Buffer.alloc(8))],
    ['answers to PING', 20_000, frame(frameType.ping, frameFlag.ack, 0, Buffer.alloc(8))],
    ['empty DATA', 20_000, frame(frameType.data, 0, 1)],
    ['DATA that is only padding', 20_000, frame(frameType.data, 8, 1, Buffer.of(2, 0, 0))],
    ['WINDOW_UPDATE', 20_000, frame(frameType.window, 0, 0, errorCode(1))],
    ['WINDOW_UPDATE by nothing', 20_000, frame(frameType.window, 0, 1, errorCode(0))],
    ['GOAWAY', 20_000, frame(frameType.goaway, 0, 0, Buffer.concat([errorCode(1), errorCode(0)]))],
    [
      'GOAWAY with 16 KB of text',
      2_000,
      frame(frameType.goaway, 0, 0, Buffer.concat([errorCode(1), errorCode(0), Buffer.alloc(16_000, 0x78)])),
    ],
    ['PRIORITY', 20_000, frame(frameType.priority, 0, 3, Buffer.alloc(5))],
    ['PRIORITY_UPDATE', 20_000, frame(frameType.priorityUpdate, 0, 0, Buffer.from('\0\0\0\x01u=1'))],
    ['RST_STREAM of what is not there', 20_000, frame(frameType.reset, 0, 3, errorCode(8))],
    ['PUSH_PROMISE', 20_000, frame(frameType.push, endHeaders, 1, Buffer.concat([errorCode(2), ok]))],
    ['HEADERS of what is not there', 20_000, frame(frameType.headers, endHeaders, 3, ok)],
    ['empty HEADERS', 20_000, frame(frameType.headers, endHeaders, 1)],
    ['empty CONTINUATION', 20_000, frame(frameType.continuation, 0, 1)],
    [
      'ALTSVC',
      2_000,
      frame(frameType.altSvc, 0, 0, Buffer.concat([Buffer.of(0, 1), Buffer.alloc(16_000, 0x78)])),
    ],
    ['ORIGIN', 2_000, frame(frameType.origin, 0, 0, Buffer.alloc(16_000, '\0\x08https://'))],
    ['frames that nobody knows', 2_000, frame(0x77, 0, 1, Buffer.alloc(16_000))],
  ] as const
).map(([name, count, one]): Named[number] => [
  `a flood of ${name}`,
  async (peer, id) => {
    peer.send(frameType.headers, endHeaders, id, ok)
    await flood(peer, one, count)
    peer.send(frameType.data, endStream, id)
  },
])

/** Heads and trailers of which no more comes. */
export const halves: Named = [
  ['half a head', (peer, id) => peer.send(frameType.headers, 0, id, Buffer.concat([ok, field]))],
  [
    'half of the trailers',
    (peer, id) => {
      peer.send(frameType.headers, endHeaders, id, ok)
      peer.send(frameType.headers, endStream, id, field)
    },
  ],
]
