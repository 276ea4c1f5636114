/**
 * `npm run console:figures`: what the first load of the console costs a browser, as Lighthouse would put it: bytes as
 * they come over the line, requests, first and largest paint, shifts of the layout, and blocking time; on this
 * machine, and as on a phone (a quarter of the processor, 150 ms and 1.6 Mbit/s). With --minutes it then watches live
 * figures for that long and says how the heap grows. Fails when the scripts of a first load are more than 110 kB.
 *
 *   npm run console:figures -- --minutes 30
 */
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import type { Browser, BrowserContextOptions, CDPSession, Page } from 'playwright-core'
import { z } from 'zod'
import { startBrowser } from '../harness/browser.ts'
import { missingOf, sayMissing } from '../harness/installed.ts'
import { readOptions } from '../harness/options.ts'
import { type Point, riseOf } from '../soak/slope.ts'
import { openTabOf, settled } from './look.ts'
import { type ConsoleStage, openConsoleStage } from './stage.ts'

const scriptBytesMax = 110_000
/** The phone of Lighthouse ("mobile slow 4G"). */
const phone = { cpu: 4, latency: 150, bitsPerSecond: 1.6e6 } as const
/** A task longer than this blocks, by the time above it (web.dev/articles/tbt). */
const taskMs = 50
/** Five minutes of figures are kept: until then the heap may grow. */
const warmMs = 360_000
const sampleSeconds = 20
/** A share of the mean: compiled code comes and goes by as much. */
const riseMax = 0.03

const values = readOptions({
  name: 'console:figures',
  what: 'What the first load of three pages costs, in Chromium; with --minutes also whether the heap stays flat.',
  takes: 'Takes half a minute, and the minutes that it is told.',
  options: {
    minutes: { type: 'string', default: '0', value: 'number', says: 'how long to watch live figures' },
  },
})
const minutes = z.coerce.number().min(0).max(1_440).parse(values.minutes)
const say = (line: string) => process.stdout.write(`${line}\n`)

/** Runs before the page: keeps what the browser says once. */
const observe = `globalThis.seen = { lcp: 0, cls: 0, tasks: [] }
new PerformanceObserver((list) => { seen.lcp = list.getEntries().at(-1).startTime })
  .observe({ type: 'largest-contentful-paint', buffered: true })
new PerformanceObserver((list) => {
  for (const { hadRecentInput, value } of list.getEntries()) if (!hadRecentInput) seen.cls += value
})
  .observe({ type: 'layout-shift', buffered: true })
new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) seen.tasks.push(duration) })
  .observe({ type: 'longtask', buffered: true })`
const seenSchema = z.object({
  fcp: z.number(),
  lcp: z.number(),
  cls: z.number(),
  tasks: z.array(z.number()),
})

type Load = z.infer<typeof seenSchema> & {
  readonly scriptBytes: number
  readonly bytes: number
  readonly requests: number
}

async function main(): Promise<number> {
  const missing = missingOf(['chromium'])
  if (missing.length > 0) {
    say(`left out: ${sayMissing(missing)}`)
    return process.env.CI === 'true' ? 1 : 0
  }
  const stage = await openConsoleStage()
  const browser = await startBrowser()
  try {
    const isLight = await firstLoads(browser, stage)
    const isFlat = minutes === 0 || (await watchHeap(browser, stage))
    return isLight && isFlat ? 0 : 1
  } finally {
    await browser.close()
    await stage.close()
  }
}

/** @returns whether the scripts of each are within the limit */
async function firstLoads(browser: Browser, stage: ConsoleStage): Promise<boolean> {
  const head = ['page', 'scripts', 'all', 'requests', 'FCP', 'LCP', 'CLS', 'TBT', 'longest task']
  say(head.map((word, at) => (at === 0 ? word.padEnd(20) : word.padStart(13))).join(''))
  const pages = { 'sign-in': '/sign-in', tunnels: '/', tunnel: `/tunnels/${stage.ids.tunnel}` }
  const owner = await openTabOf(browser, stage, 'owner')
  let state: BrowserContextOptions['storageState'] = await owner.page.context().storageState()
  await owner.close()
  let isLight = true
  for (const isPhone of [false, true])
    for (const [name, path] of Object.entries(pages)) {
      const context = await browser.newContext({ ...(name !== 'sign-in' && { storageState: state }) })
      const page = await context.newPage()
      const load = await loadOnce(page, `${stage.service.api}${path}`, isPhone)
      if (name !== 'sign-in') state = await context.storageState()
      await context.close()
      say(rowOf(`${name}${isPhone ? ', phone' : ''}`, load))
      isLight &&= load.scriptBytes <= scriptBytesMax
    }
  say(`scripts of a first load: ${isLight ? 'at most' : 'MORE than'} ${scriptBytesMax / 1_000} kB`)
  return isLight
}

async function loadOnce(page: Page, url: string, isPhone: boolean): Promise<Load> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Network.enable')
  const sizes = bytesOf(devtools)
  if (isPhone) await slowDown(devtools)
  await page.addInitScript(observe)
  await page.goto(url)
  await settled(page)
  // Whatever was waiting for the main thread has had its turn.
  await page.evaluate('new Promise((done) => requestIdleCallback(done))')
  const seen = await page.evaluate(
    `({ ...seen, fcp: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0 })`,
  )
  return { ...seenSchema.parse(seen), ...sizes() }
}

async function slowDown(devtools: CDPSession): Promise<void> {
  const bytesPerSecond = phone.bitsPerSecond / 8
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: phone.cpu })
  await devtools.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: phone.latency,
    downloadThroughput: bytesPerSecond,
    uploadThroughput: bytesPerSecond / 2,
  })
}

/** Bytes over the line, with heads, packed as they come. */
function bytesOf(devtools: CDPSession): () => Pick<Load, 'scriptBytes' | 'bytes' | 'requests'> {
  const kinds = new Map<string, string>()
  const sizes = { scriptBytes: 0, bytes: 0, requests: 0 }
  devtools.on('Network.responseReceived', ({ requestId, type }) => void kinds.set(requestId, type))
  devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    sizes.requests++
    sizes.bytes += encodedDataLength
    if (kinds.get(requestId) === 'Script') sizes.scriptBytes += encodedDataLength
  })
  return () => ({ ...sizes })
}

function rowOf(name: string, { scriptBytes, bytes, requests, fcp, lcp, cls, tasks }: Load): string {
  const kilobytes = (count: number) => `${(count / 1_000).toFixed(1)} kB`
  const milliseconds = (ms: number) => `${ms.toFixed(0)} ms`
  const blocked = tasks.reduce((sum, ms) => sum + Math.max(0, ms - taskMs), 0)
  const cells = [
    kilobytes(scriptBytes),
    kilobytes(bytes),
    `${requests}`,
    milliseconds(fcp),
    milliseconds(lcp),
    cls.toFixed(3),
    milliseconds(blocked),
    milliseconds(Math.max(0, ...tasks)),
  ]
  return [name.padEnd(20), ...cells.map((cell) => cell.padStart(13))].join('')
}

/** Watches the page of a tunnel that has a visitor each second. @returns whether its heap stays flat */
async function watchHeap(browser: Browser, stage: ConsoleStage): Promise<boolean> {
  const { page, close } = await openTabOf(browser, stage, 'owner')
  await page.goto(`${stage.service.api}/tunnels/${stage.ids.tunnel}`)
  await settled(page)
  const devtools = await page.context().newCDPSession(page)
  const points: Point[] = []
  for (let seconds = 0; seconds <= minutes * 60; seconds += sampleSeconds) {
    await devtools.send('HeapProfiler.collectGarbage')
    const { usedSize: value } = await devtools.send('Runtime.getHeapUsage')
    const { nodes, jsEventListeners } = await devtools.send('Memory.getDOMCounters')
    points.push({ atMs: seconds * 1_000, value })
    const counts = `${nodes} nodes, ${jsEventListeners} listeners`
    if (seconds % 60 === 0)
      say(`${`${seconds / 60}`.padStart(4)} min  ${(value / 1e6).toFixed(2)} MB  ${counts}`)
    if (seconds < minutes * 60) await visitFor(stage, sampleSeconds)
  }
  await close()
  const rise = riseOf(
    points.filter(({ atMs }) => atMs >= warmMs),
    'floor',
  )
  if (rise === undefined) {
    say('too few minutes to judge the heap')
    return true
  }
  say(`the heap rises by ${(rise.rise / 1e6).toFixed(2)} MB, at least ${(rise.least / 1e6).toFixed(2)} MB`)
  return rise.least <= rise.mean * riseMax
}

async function visitFor(stage: ConsoleStage, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await stage.visit()
    await sleep(systemClock, 1_000)
  }
}

process.exitCode = await main()
