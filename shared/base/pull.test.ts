import { describe, expect, test } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import {
  type Delivery,
  deafMsMax,
  Pull,
  type PulledMessage,
  type PullOptions,
  type PullStream,
} from './pull.ts'

/** A stream whose server side the test plays. */
class TestStream implements PullStream {
  readonly #heard = new Map<string, (value: never) => void>()
  readonly written: object[] = []
  isPaused = false
  isCancelled = false
  on(event: string, heard: (value: never) => void): void {
    this.#heard.set(event, heard)
  }
  say(event: 'data' | 'error' | 'end' | 'metadata', value?: unknown): void {
    this.#heard.get(event)?.(value as never)
  }
  messages(...received: readonly PulledMessage[]): void {
    this.say('data', { receivedMessages: received })
  }
  write(request: object): void {
    this.written.push(request)
  }
  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }
  cancel(): void {
    this.isCancelled = true
  }
}

function setUp(changes: Partial<PullOptions> = {}) {
  const clock = new FakeClock()
  const streams: TestStream[] = []
  const acked: string[] = []
  const again: string[] = []
  const handled: Delivery[] = []
  const lost: { isGone: boolean; failures: number }[] = []
  const troubles: string[] = []
  const pull = new Pull({
    client: {
      streamingPull: () => {
        const stream = new TestStream()
        streams.push(stream)
        return stream
      },
      acknowledge: async ({ ackIds }) => void acked.push(...ackIds),
      modifyAckDeadline: async ({ ackIds }) => void again.push(...ackIds),
    },
    subscription: 'projects/p/subscriptions/s',
    clock,
    random: () => 0,
    handle: (delivery) => void handled.push(delivery),
    onLost: ({ isGone, failures }) => void lost.push({ isGone, failures }),
    onTrouble: ({ message }) => void troubles.push(message),
    ...changes,
  })
  const stream = () => {
    const last = streams.at(-1)
    if (last === undefined) throw new Error('no stream')
    return last
  }
  return { clock, pull, streams, stream, acked, again, handled, lost, troubles, turn }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const message = (ackId: string, data = ackId, deliveryAttempt = 0): PulledMessage => ({
  ackId,
  deliveryAttempt,
  message: { data: Buffer.from(data), messageId: `m-${ackId}`, attributes: { topic: 't' } },
})
const gone = Object.assign(new Error('gone'), { code: 5 })

describe('pull', () => {
  test('handled messages are acknowledged; failed ones come again', async () => {
    const t = setUp({
      handle: ({ text }) => {
        if (text === 'bad') throw new Error('no')
      },
    })
    t.stream().messages(message('1', 'good'), message('2', 'bad'), message('3', 'good'))
    await turn()
    expect([t.acked.sort(), t.again]).toEqual([['1', '3'], ['2']])
    await t.pull.close()
  })

  test('a delivery has text, attributes and its number', async () => {
    const t = setUp()
    t.stream().messages(message('1', '{"ü":1}', 4), { ackId: '2' })
    await turn()
    expect(t.handled).toEqual([
      { id: 'm-1', text: '{"ü":1}', attributes: { topic: 't' }, attempt: 4 },
      { id: '', text: '', attributes: {}, attempt: 1 },
    ])
    await t.pull.close()
  })

  test('a message whose handler hangs is given back before its deadline, and its late end changes nothing', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const t = setUp({ handle: () => released })
    t.stream().messages(message('1'))
    await t.clock.advanceAsync(9_000)
    expect([t.acked, t.again]).toEqual([[], ['1']])
    expect(t.troubles).toHaveLength(1)
    release()
    await turn()
    expect([t.acked, t.again]).toEqual([[], ['1']])
    await t.pull.close()
  })

  test('no more messages than configured are handled at a time, and the stream pauses meanwhile', async () => {
    const ends: (() => void)[] = []
    const t = setUp({ messagesMax: 2, handle: () => new Promise<void>((resolve) => ends.push(resolve)) })
    t.stream().messages(...['1', '2', '3', '4', '5'].map((id) => message(id)))
    await turn()
    expect([ends.length, t.stream().isPaused]).toEqual([2, true])
    for (let n = 0; n < 5; n++) {
      ends[n]?.()
      await turn()
    }
    expect([t.acked.length, t.stream().isPaused]).toEqual([5, false])
    await t.pull.close()
  })

  test('a stream that breaks is opened again, ever more slowly, until that succeeds', async () => {
    let found = 0
    const t = setUp({ onFound: () => found++ })
    for (let n = 0; n < 4; n++) {
      t.stream().say('error', new Error('unavailable'))
      await t.clock.advanceAsync(2_500, 50)
    }
    expect(t.lost.map(({ failures }) => failures)).toEqual([1, 2, 3, 4])
    expect(t.streams).toHaveLength(5)
    t.stream().say('metadata')
    expect(found).toBe(1)
    t.stream().say('end')
    await turn()
    expect(t.lost.at(-1)?.failures).toBe(1)
    await t.pull.close()
  })

  test('a deleted subscription is told apart from a broken stream', async () => {
    const t = setUp()
    t.stream().say('error', gone)
    await turn()
    expect(t.lost).toEqual([{ isGone: true, failures: 1 }])
    await t.pull.close()
  })

  test(`a stream that went silent is opened afresh within ${deafMsMax / 1_000} s`, async () => {
    const t = setUp()
    await t.clock.advanceAsync(deafMsMax, 1_000)
    expect(t.streams).toHaveLength(2)
    expect(t.streams[0]?.isCancelled).toBe(true)
    // Not a failure: at the emulator an idle subscription is silent.
    expect(t.lost).toEqual([])
    t.stream().say('error', gone)
    await turn()
    expect(t.lost).toEqual([{ isGone: true, failures: 1 }])
    await t.pull.close()
  })

  test('a stream that answers its pings is left alone', async () => {
    const t = setUp()
    for (let n = 0; n < 20; n++) {
      await t.clock.advanceAsync(15_000, 5_000)
      t.stream().messages()
    }
    expect(t.streams).toHaveLength(1)
    expect(t.stream().written.length).toBeGreaterThan(19)
    await t.pull.close()
  })

  test('a failed acknowledgement is reported', async () => {
    const refuse = async () => {
      throw new Error('unavailable')
    }
    const client = { streamingPull: () => stream, acknowledge: refuse, modifyAckDeadline: refuse }
    const stream = new TestStream()
    const t = setUp({ client })
    stream.messages(message('1'))
    await turn()
    expect(t.troubles).toEqual(['unavailable'])
    await t.pull.close()
  })

  test('close gives unfinished messages back, and leaves no timer', async () => {
    const t = setUp({ messagesMax: 1, handle: () => new Promise<void>(() => {}) })
    t.stream().messages(message('1'), message('2'))
    await turn()
    await Promise.all([t.pull.close(), t.pull.close()])
    expect(t.again.sort()).toEqual(['1', '2'])
    expect([t.clock.pending, t.stream().isCancelled]).toEqual([0, true])
    t.stream().messages(message('3'))
    await turn()
    expect(t.again).toHaveLength(2)
  })
})
