/** A gate between a visitor's stream and an upstream that are both texts. */
import { HeadRewriter } from '@porttunneler/shared/http/rewrite'
import type { Stream } from '@porttunneler/shared/mux/stream'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { type RequestRules, stagesOf } from '../http/pipeline.ts'
import { RequestGate } from '../http/request-gate.ts'
import { Guesses } from '../http/stages/guesses.ts'
import { loginOf } from '../http/stages/logins.ts'
import { HeldRoom } from '../http/webhooks/held-room.ts'
import { WebhookKeeper } from '../http/webhooks/held-webhook.ts'

export const good = `Authorization: Basic ${Buffer.from('alice:x').toString('base64')}\r\n`
export const locked: RequestRules = { logins: [loginOf('alice:x')] }

export function openGate(
  rules: RequestRules,
  {
    awaitsUpgrade = false,
    guesses = new Guesses(new FakeClock()),
    hostOfTls,
    room = new HeldRoom(),
    path = ['1', '192.0.2.1'],
  }: {
    awaitsUpgrade?: boolean
    guesses?: Guesses
    hostOfTls?: string
    room?: HeldRoom
    path?: readonly string[]
  } = {},
) {
  const clock = new FakeClock()
  const said: string[] = []
  const passed: string[] = []
  let consumed = 0
  const stream = {
    write: (bytes: Buffer) => {
      said.push(bytes.toString('latin1'))
      return true
    },
    end: () => said.push('<end>'),
    reset: (key: string) => said.push(`<reset ${key}>`),
    resetBehind: (key: string) => said.push(`<reset behind ${key}>`),
    answeredUpgrade: (answer: 'upgraded' | 'plain') => said.push(`<${answer}>`),
    consumed: (bytes: number) => {
      consumed += bytes
    },
    bytesIn: 0,
    bytesOut: 0,
  }
  const gate = new RequestGate(stream as unknown as Stream, {
    stages: stagesOf(rules, { guesses, realm: 'web' }),
    webhooks: rules.webhooks && new WebhookKeeper(rules.webhooks, { room, path }),
    clock,
    visitorAddress: '192.0.2.1',
    awaitsUpgrade,
    ...(hostOfTls !== undefined && {
      endToEnd: {
        host: () => hostOfTls,
        rewriter: new HeadRewriter({ address: '192.0.2.1', proto: 'https' }),
      },
    }),
    deliver: (bytes) => passed.push(bytes.toString('latin1')),
    finish: () => passed.push('<fin>'),
    onAnswered: (key) => passed.push(key === undefined ? '<answered>' : `<refused ${key}>`),
    onOver: (key) => passed.push(`<over ${key}>`),
  })
  gate.start()
  return {
    gate,
    stream,
    clock,
    ask: (text: string) => {
      stream.bytesIn += text.length
      gate.onData(Buffer.from(text, 'latin1'))
    },
    answer: (text: string) => gate.write(Buffer.from(text, 'latin1')),
    said: () => said.splice(0).join(''),
    passed: () => passed.splice(0).join(''),
    consumed: () => consumed,
  }
}

export const get = (fields = '', path = '/') => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`
export const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'
