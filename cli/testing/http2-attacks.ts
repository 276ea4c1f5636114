/**
 * A program for e2e/http2-attacks.test.ts: upstreams attack an agent by HTTP/2, and the collector follows. What goes
 * wrong here ends the whole process, so no test can do it in its own. It writes a line for each attack: by how many
 * megabytes the process grew, and its name.
 */
import { Buffer } from 'node:buffer'
import { isTried, startCollector, still } from '@porttunneler/shared/testing/collector'
import { answersCut, answersInstead, floods, halves } from './hostile-answers.ts'
import type { Http1Visitor, Rig } from './http2-rig.ts'
import {
  frame,
  frameFlag,
  frameType,
  get,
  ok,
  type RawAnswer,
  type RawPeer,
  rawRig,
  settingsFrame,
} from './raw-http2.ts'

/** Windows as large as there are: what an upload has not sent then waits in the socket. */
const greeting = Buffer.concat([
  settingsFrame([3, 100], [4, 0x7fffffff]),
  frame(frameType.window, 0, 0, Buffer.of(0x7f, 0, 0, 0)),
])
const uploadBytes = 32 * 1024 * 1024

const collector = await startCollector()
for (const [index, [name, answer]] of [...answersInstead, ...answersCut, ...floods, ...halves].entries())
  if (isTried(index)) await run(name, () => attack(answer, false))
// Only there the fields may still be held when the rest of a request waits in the socket.
for (const [index, [name, answer]] of halves.entries())
  if (isTried(index)) await run(`${name}, and the request is not read`, () => attack(answer, true))
process.exit(0)

async function run(name: string, work: () => Promise<void>): Promise<void> {
  process.stdout.write(`${await collector.growthOf(work)} ${name}\n`)
}

async function attack(answer: RawAnswer, isUpload: boolean): Promise<void> {
  const peers = new Set<RawPeer>()
  let isHostile = true
  const rig = await rawRig(
    async (peer, id, request) => {
      peers.add(peer)
      if (!isHostile) {
        peer.send(frameType.headers, frameFlag.endHeaders | frameFlag.endStream, id, ok)
        return
      }
      if (isUpload) peer.socket.pause()
      const sent = answer(peer, id, request)
      collector.follow()
      await sent
      collector.follow()
    },
    { greeting },
  )
  const visitor = rig.visit()
  if (isUpload) upload(visitor)
  else visitor.send(get)
  const progress = () =>
    [...peers].reduce((sum, { socket }) => sum + socket.bytesWritten + socket.bytesRead, visitor.received)
  await still(() => `${progress()} ${visitor.hasFin} ${visitor.resetCode}`)
  // The visitor leaves while a part of the request waits in the socket.
  visitor.stream?.reset('stream.aborted')
  collector.follow()
  await still(progress)
  isHostile = false
  for (const { socket } of peers) socket.resume()
  await served(rig)
  rig.close()
  await still(() => rig.ended())
}

/** Others are served, if not at once: the attack may have left a connection that can only end. */
async function served(rig: Rig): Promise<void> {
  for (let tries = 0; ; tries++) {
    const other = rig.visit().send(get)
    await other.until(() => other.hasFin || other.resetCode !== undefined || other.text.endsWith('\r\n\r\n'))
    if (other.text.startsWith('HTTP/1.1 200 ')) return
    if (tries === 2) throw new Error('Another visitor is not served')
  }
}

/** As much as the agent takes. */
function upload(visitor: Http1Visitor): void {
  visitor.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${uploadBytes}\r\n\r\n`)
  let left = uploadBytes
  const part = Buffer.alloc(16_384)
  const more = () => {
    let mayGoOn = true
    for (; mayGoOn && left > 0; left -= part.length) mayGoOn = visitor.stream?.write(part) === true
  }
  visitor.onChange = more
  more()
}
