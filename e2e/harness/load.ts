/** Visitors over HTTP that ask again and again and try nothing twice, so that each refused request is known by name. */
import { Agent as ConnectionPool, request } from 'node:http'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { within } from './events.ts'
import type { Address } from './sockets.ts'

const local = (url: string): Address => ({ host: '127.0.0.1', port: Number(new URL(url).port) })

/** The whole answer; rejects when it is cut. */
export function fetchWhole(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { host, pathname } = new URL(url)
    const outgoing = request({ ...local(url), path: pathname, headers: { host } }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      answer.on('error', reject).once('end', () => resolve(text))
    })
    outgoing.once('error', reject).end()
  })
}

export type Load = ReturnType<typeof startLoad>

/**
 * Visitors that ask again when answered, after a pause, so that they leave some of the machine to what they ask. No
 * request is tried twice.
 * @param options `isKept`: over connections that stay open; default: when there is no pause
 */
export function startLoad(
  url: string,
  visitors: number,
  { pauseMs = 0, isKept = pauseMs === 0 }: { pauseMs?: number; isKept?: boolean } = {},
) {
  const pool = new ConnectionPool({ keepAlive: isKept, maxSockets: visitors })
  const failures: string[] = []
  let sent = 0
  let isStopped = false
  let onSent = () => {}
  const visit = async () => {
    while (!isStopped) {
      sent += 1
      const problem = await ask(url, pool)
      if (problem !== undefined) failures.push(problem)
      onSent()
      if (pauseMs > 0) await sleep(systemClock, pauseMs)
    }
  }
  const running = Promise.all(Array.from({ length: visitors }, visit))
  return {
    get sent() {
      return sent
    },
    async reached(count: number) {
      while (sent < count)
        await new Promise<void>((resolve) => {
          onSent = resolve
        })
    },
    async stop() {
      isStopped = true
      await running
      pool.destroy()
      return { sent, failures }
    },
  }
}

/**
 * One visitor after the other, each with its number. `stop` returns how many came, and the messages of those that
 * failed.
 */
export function startVisits(visit: (number: number) => Promise<void>, everyMs: number) {
  const failures: string[] = []
  let sent = 0
  let isStopped = false
  const visiting = (async () => {
    while (!isStopped) {
      await visit(sent++).catch((error: unknown) => failures.push(String(error)))
      await sleep(systemClock, everyMs)
    }
  })()
  return {
    async stop() {
      isStopped = true
      await visiting
      return { sent, failures }
    },
  }
}

/** @returns what went wrong, if anything */
function ask(url: string, pool: ConnectionPool): Promise<string | undefined> {
  const asked = new Promise<string | undefined>((resolve) => {
    const { host, pathname } = new URL(url)
    const outgoing = request({ ...local(url), path: pathname, headers: { host }, agent: pool }, (answer) => {
      answer.on('error', (error) => resolve(error.message))
      answer
        .resume()
        .once('end', () => resolve(answer.statusCode === 200 ? undefined : `${answer.statusCode}`))
    })
    outgoing.once('error', (error) => resolve(`${error.message}, reused: ${outgoing.reusedSocket}`)).end()
  })
  return within(asked, `GET ${url}`)
}
