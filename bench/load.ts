/**
 * The load generator, a process of its own: takes one order at a time from bench/main.ts and sends back its outcome.
 */
import { systemClock } from '@porttunneler/shared/base/clock'
import { dial, type Visitor } from './load-visitor.ts'
import { type Job, type Outcome, orderSchema, type Target } from './scenarios.ts'

/** A measurement that takes this long is a failure, not a slow result. */
const deadlineMs = 120_000
const chunk = Buffer.alloc(256 * 1024, 'u')
const bodyBytes = 256
/** How many dials of `hold` run at once. */
const holdParallel = 64

type JobOf<K extends Job['kind']> = Extract<Job, { kind: K }>

const held: Visitor[] = []

async function measure(job: Job, target: Target): Promise<Outcome> {
  switch (job.kind) {
    case 'bulk':
      return await measureBulk(job, target)
    case 'saturate':
      return await saturate(job, target)
    case 'requests':
      return await measureRequests(job, target)
    case 'connections':
      return await measureConnections(job, target)
    case 'pings':
      return await measurePings(job, target)
    case 'hold':
      return await hold(job, target)
    case 'release':
      for (const { socket } of held.splice(0)) socket.destroy()
      return { value: 0, seconds: 0 }
  }
}

async function measureBulk(job: JobOf<'bulk'>, target: Target): Promise<Outcome> {
  const share = Math.floor(job.bytes / job.visitors)
  const transfer = transferOf(job)
  const startMs = performance.now()
  await Promise.all(Array.from({ length: job.visitors }, () => transfer(target, share)))
  const seconds = (performance.now() - startMs) / 1_000
  return { value: (share * job.visitors) / 1e6 / seconds, seconds }
}

function transferOf({ door, direction }: JobOf<'bulk'>) {
  if (door === 'vhost') return direction === 'down' ? httpDownload : httpUpload
  return direction === 'down' ? download : upload
}

async function download(target: Target, bytes: number): Promise<void> {
  const visitor = await dial(target.tcp)
  let got = 0
  visitor.onRead = (length) => {
    got += length
  }
  visitor.socket.write(`D${bytes}`)
  await visitor.ended()
  visitor.socket.destroy()
  if (got !== bytes) throw new Error(`${got} bytes came instead of ${bytes}`)
}

async function httpDownload(target: Target, bytes: number): Promise<void> {
  const { address, name } = webDoor('vhost', target)
  const visitor = await dial(address)
  let head = ''
  let got = 0
  visitor.onRead = (length, data) => {
    got += length
    if (head.includes('\r\n\r\n')) return
    head += data.toString('latin1', 0, length)
    got = head.length - head.indexOf('\r\n\r\n') - 4
  }
  visitor.socket.write(`GET /d${bytes} HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`)
  await visitor.ended()
  visitor.socket.destroy()
  if (got !== bytes) throw new Error(`${got} bytes came instead of ${bytes}`)
}

async function upload(target: Target, bytes: number): Promise<void> {
  const answer = await send(await dial(target.tcp), `U${bytes}\n`, bytes)
  if (answer !== String(bytes)) throw new Error(`the backend counted ${answer} bytes instead of ${bytes}`)
}

async function httpUpload(target: Target, bytes: number): Promise<void> {
  const { address, name } = webDoor('vhost', target)
  const head = `POST /u HTTP/1.1\r\nHost: ${name}\r\nContent-Length: ${bytes}\r\nConnection: close\r\n\r\n`
  const answer = await send(await dial(address), head, bytes)
  if (!answer.endsWith(`\r\n\r\n${bytes}`)) throw new Error(`the answer was: ${answer.slice(0, 200)}`)
}

/** Sends `head` and so many bytes. @returns what came back until the end */
async function send(visitor: Visitor, head: string, bytes: number): Promise<string> {
  const { socket } = visitor
  let answer = ''
  visitor.onRead = (length, data) => {
    answer += data.toString('latin1', 0, length)
  }
  socket.write(head)
  let left = bytes
  const push = () => {
    while (left > 0) {
      const part = left >= chunk.length ? chunk : chunk.subarray(0, left)
      left -= part.length
      if (!socket.write(part)) return
    }
    socket.off('drain', push)
  }
  socket.on('drain', push)
  push()
  await visitor.ended()
  socket.destroy()
  return answer
}

async function saturate(job: JobOf<'saturate'>, target: Target): Promise<Outcome> {
  const visitor = await dial(target.tcp)
  let got = 0
  visitor.onRead = (length) => {
    got += length
  }
  const startMs = performance.now()
  visitor.socket.write(`D${Number.MAX_SAFE_INTEGER}`)
  const cut = visitor.ended()
  const done = Promise.withResolvers<void>()
  const timer = systemClock.after(job.ms, () => done.resolve())
  await Promise.race([done.promise, cut.then(() => Promise.reject(new Error('the download ended')))])
  timer.clear()
  cut.catch(() => undefined)
  visitor.socket.destroy()
  const seconds = (performance.now() - startMs) / 1_000
  return { value: got / 1e6 / seconds, seconds }
}

async function measureRequests(job: JobOf<'requests'>, target: Target): Promise<Outcome> {
  const { address, name } = webDoor(job.door, target)
  const request = Buffer.from(`GET ${job.path} HTTP/1.1\r\nHost: ${name}\r\n\r\n`)
  const visitors = await Promise.all(Array.from({ length: job.connections }, () => dial(address)))
  const replyBytes = await replyLength(visitors[0], request)
  const startMs = performance.now()
  const order = { message: request, replyBytes, untilMs: startMs + job.ms }
  const latencies = await Promise.all(visitors.map((visitor) => exchange(visitor, order)))
  return summary(latencies.flat(), (performance.now() - startMs) / 1_000)
}

/** Proxies that rewrite heads add to them, the same to each: the first reply shows the length of all. */
function replyLength(visitor: Visitor | undefined, request: Buffer): Promise<number> {
  let text = ''
  return new Promise((resolve, reject) => {
    if (visitor === undefined) throw new Error('no connection to ask on')
    const onClose = () => reject(new Error(`the connection closed after: ${text.slice(0, 100)}`))
    visitor.socket.once('close', onClose)
    visitor.onRead = (length, bytes) => {
      text += bytes.toString('latin1', 0, length)
      const headEnd = text.indexOf('\r\n\r\n')
      if (headEnd < 0 || text.length < headEnd + 4 + bodyBytes) return
      visitor.socket.off('close', onClose)
      if (text.startsWith('HTTP/1.1 200 ')) resolve(text.length)
      else reject(new Error(`the answer was: ${text.slice(0, 100)}`))
    }
    visitor.socket.write(request)
  })
}

async function measurePings(job: JobOf<'pings'>, target: Target): Promise<Outcome> {
  const visitor = await dial(target.tcp)
  visitor.socket.write('E')
  const message = Buffer.alloc(job.bytes, 'x')
  const startMs = performance.now()
  const latencies = await exchange(visitor, { message, replyBytes: job.bytes, untilMs: startMs + job.ms })
  const outcome = summary(latencies, (performance.now() - startMs) / 1_000)
  return { ...outcome, value: outcome.p50Us ?? Number.NaN }
}

type Exchange = { readonly message: Buffer; readonly replyBytes: number; readonly untilMs: number }

/** Sends, waits for the whole reply, sends again; resolves to all latencies in us. */
function exchange(visitor: Visitor, { message, replyBytes, untilMs }: Exchange): Promise<number[]> {
  const { socket } = visitor
  const latencies: number[] = []
  let got = 0
  let sentMs = performance.now()
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('the connection closed in the middle of an exchange')))
    visitor.onRead = (length) => {
      got += length
      if (got < replyBytes) return
      if (got > replyBytes) reject(new Error("the reply is not the backend's"))
      const nowMs = performance.now()
      latencies.push((nowMs - sentMs) * 1_000)
      got = 0
      if (nowMs >= untilMs) {
        resolve(latencies)
        socket.destroy()
        return
      }
      sentMs = nowMs
      socket.write(message)
    }
    socket.write(message)
  })
}

/** A connection counts when it was dialled, carried a request and its answer, and the backend ended it. */
async function measureConnections(job: JobOf<'connections'>, target: Target): Promise<Outcome> {
  const { address, message } = oneShot(job, target)
  const latencies: number[] = []
  const startMs = performance.now()
  const worker = async () => {
    while (latencies.length < job.count) {
      const dialMs = performance.now()
      const visitor = await dial(address)
      let got = 0
      visitor.onRead = (length) => {
        got += length
      }
      visitor.socket.write(message)
      await visitor.ended()
      visitor.socket.destroy()
      if (got === 0) throw new Error('a connection ended without its answer')
      latencies.push((performance.now() - dialMs) * 1_000)
    }
  }
  await Promise.all(Array.from({ length: job.parallel }, worker))
  return summary(latencies, (performance.now() - startMs) / 1_000)
}

function oneShot({ door }: JobOf<'connections'>, target: Target) {
  if (door === 'tcp') return { address: target.tcp, message: Buffer.from('Cx') }
  const { address, name } = webDoor('vhost', target)
  return {
    address,
    message: Buffer.from(`GET /1 HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`),
  }
}

function webDoor(door: 'tcp' | 'web' | 'vhost', target: Target) {
  if (door !== 'vhost') return { address: target[door], name: `localhost:${target[door].port}` }
  if (target.vhost === undefined) throw new Error('this way has no port for names')
  return { address: target.vhost, name: target.vhost.name }
}

async function hold({ count }: JobOf<'hold'>, target: Target): Promise<Outcome> {
  const startMs = performance.now()
  let started = 0
  const worker = async () => {
    while (started < count) {
      started++
      const visitor = await dial(target.tcp)
      const answered = Promise.withResolvers<void>()
      visitor.onRead = () => answered.resolve()
      visitor.socket.once('close', () => answered.reject(new Error('a held connection was cut')))
      visitor.socket.write('Ex')
      await answered.promise
      held.push(visitor)
    }
  }
  await Promise.all(Array.from({ length: holdParallel }, worker))
  return { value: held.length, seconds: (performance.now() - startMs) / 1_000 }
}

function summary(latencies: number[], seconds: number): Outcome {
  const sorted = Float64Array.from(latencies).sort()
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { value: sorted.length / seconds, seconds, p50Us: at(0.5), p99Us: at(0.99) }
}

process.once('disconnect', () => process.exit(0))
process.on('message', (message) => {
  const { job, target } = orderSchema.parse(message)
  const late = Promise.withResolvers<never>()
  const timer = systemClock.after(deadlineMs, () => late.reject(new Error(`not done after ${deadlineMs} ms`)))
  Promise.race([measure(job, target), late.promise])
    .then(
      (outcome) => process.send?.({ outcome }),
      (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
    )
    .finally(() => timer.clear())
})
