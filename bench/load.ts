/** The load generator, a process of its own: takes one order at a time from bench/main.ts and answers its outcome. */
import { connect, type Socket } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import { type Job, type Outcome, orderSchema, type Target } from './scenarios.ts'

const MiB = 1024 * 1024
/** A measurement that takes this long is a failure, not a slow result. */
const deadlineMs = 60_000
const chunk = Buffer.alloc(64 * 1024, 'u')
const answerBytes = 'HTTP/1.1 200 OK\r\ncontent-length: 256\r\ncontent-type: text/plain\r\n\r\n'.length + 256

type JobOf<K extends Job['kind']> = Extract<Job, { kind: K }>

async function measure(job: Job, target: Target): Promise<Outcome> {
  switch (job.kind) {
    case 'bulk':
      return await measureBulk(job, target)
    case 'requests':
      return await measureRequests(job, target)
    case 'connections':
      return await measureConnections(job, target)
    case 'pings':
      return await measurePings(job, target)
  }
}

async function measureBulk(job: JobOf<'bulk'>, target: Target): Promise<Outcome> {
  const share = Math.floor(job.bytes / job.visitors)
  const transfer = job.direction === 'down' ? download : upload
  const startMs = performance.now()
  await Promise.all(Array.from({ length: job.visitors }, () => transfer(target, share)))
  const seconds = (performance.now() - startMs) / 1_000
  return { value: (share * job.visitors) / MiB / seconds, seconds }
}

async function download(target: Target, bytes: number): Promise<void> {
  const socket = await dial(target.tcp)
  let got = 0
  socket.on('data', (data: Buffer) => {
    got += data.length
  })
  const ended = once(socket, 'end')
  socket.write(`D${bytes}`)
  await ended
  socket.destroy()
  if (got !== bytes) throw new Error(`${got} bytes came instead of ${bytes}`)
}

async function upload(target: Target, bytes: number): Promise<void> {
  const socket = await dial(target.tcp)
  let answer = ''
  socket.on('data', (data: Buffer) => {
    answer += data.toString()
  })
  const ended = once(socket, 'end')
  socket.write('U')
  let left = bytes
  const push = () => {
    while (left > 0) {
      const part = left >= chunk.length ? chunk : chunk.subarray(0, left)
      left -= part.length
      if (!socket.write(part)) return
    }
    socket.off('drain', push)
    socket.end()
  }
  socket.on('drain', push)
  push()
  await ended
  socket.destroy()
  if (answer !== String(bytes)) throw new Error(`the backend counted ${answer} bytes instead of ${bytes}`)
}

async function measureRequests(job: JobOf<'requests'>, target: Target): Promise<Outcome> {
  const request = Buffer.from(`GET ${job.path} HTTP/1.1\r\nHost: ${target.hostHeader}\r\n\r\n`)
  const sockets = await Promise.all(Array.from({ length: job.connections }, () => dial(target.http)))
  const startMs = performance.now()
  const latencies = await Promise.all(
    sockets.map((socket) =>
      exchange(socket, { message: request, replyBytes: answerBytes, untilMs: startMs + job.ms }),
    ),
  )
  return summary(latencies.flat(), (performance.now() - startMs) / 1_000)
}

async function measurePings(job: JobOf<'pings'>, target: Target): Promise<Outcome> {
  const socket = await dial(target.tcp)
  socket.write('E')
  const message = Buffer.alloc(job.bytes, 'x')
  const startMs = performance.now()
  const latencies = await exchange(socket, { message, replyBytes: job.bytes, untilMs: startMs + job.ms })
  const outcome = summary(latencies, (performance.now() - startMs) / 1_000)
  return { ...outcome, value: outcome.p50Us ?? Number.NaN }
}

type Exchange = { readonly message: Buffer; readonly replyBytes: number; readonly untilMs: number }

/** Sends, waits for the whole reply, sends again; resolves to every latency in us. */
function exchange(socket: Socket, { message, replyBytes, untilMs }: Exchange): Promise<number[]> {
  const latencies: number[] = []
  let got = 0
  let sentMs = performance.now()
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('the connection closed in the middle of an exchange')))
    socket.on('data', (data: Buffer) => {
      got += data.length
      if (got < replyBytes) return
      if (got > replyBytes) socket.destroy(new Error("the reply is not the backend's"))
      const nowMs = performance.now()
      latencies.push((nowMs - sentMs) * 1_000)
      got = 0
      if (nowMs >= untilMs) {
        socket.removeAllListeners('close')
        socket.destroy()
        resolve(latencies)
        return
      }
      sentMs = nowMs
      socket.write(message)
    })
    socket.write(message)
  })
}

async function measureConnections(job: JobOf<'connections'>, target: Target): Promise<Outcome> {
  const latencies: number[] = []
  const startMs = performance.now()
  const worker = async () => {
    while (latencies.length < job.count) {
      const dialMs = performance.now()
      const socket = await dial(target.tcp)
      const ended = once(socket, 'end')
      socket.resume()
      socket.write('Cx')
      await ended
      socket.destroy()
      latencies.push((performance.now() - dialMs) * 1_000)
    }
  }
  await Promise.all(Array.from({ length: job.parallel }, worker))
  return summary(latencies, (performance.now() - startMs) / 1_000)
}

function summary(latencies: number[], seconds: number): Outcome {
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { value: sorted.length / seconds, seconds, p50Us: at(0.5), p99Us: at(0.99) }
}

function dial({ host, port }: { host: string; port: number }): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      // Whoever waits for 'end' hears of an error by 'close'; see once().
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}

/** Resolves at the event, rejects when the socket closes before it. */
function once(socket: Socket, event: 'end'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve())
    socket.once('close', () => reject(new Error('the connection was cut')))
  })
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
