/**
 * What a second of live figures costs the console: counted in rows and nodes, in memory after a collection, and as a
 * ratio of two lists in one run, so that nothing depends on how busy the machine is.
 */
import type { CDPSession, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Agent } from '../harness/agent.ts'
import { signIn, type Tab } from '../harness/browser.ts'
import { eventually } from '../harness/events.ts'
import { visit } from '../harness/http.ts'
import type { Service } from '../harness/service.ts'

const pageSchema = z.looseObject({
  items: z.array(z.looseObject({ id: z.string(), name: z.string() })),
  counts: z.looseObject({ total: z.number() }).optional(),
})

/**
 * The server's list with copies of one tunnel that nobody visits, up to `count`; as from the server, whoever has it
 * already learns that it is the same.
 */
async function lengthen(page: Page, count: number): Promise<void> {
  const etag = `"${count}"`
  await page.unroute(lists)
  await page.route(lists, async (route) => {
    const { 'if-none-match': known, ...headers } = route.request().headers()
    if (known === etag) return route.fulfill({ status: 304, headers: { etag } })
    const { items, counts } = pageSchema.parse(await (await route.fetch({ headers })).json())
    const model = items.find(({ name }) => name === 'shop')
    if (!model) throw new Error('shop is not in the list')
    const copies = Array.from({ length: count - items.length }, (_, at) => ({
      ...model,
      id: `tun_${String(at).padStart(26, '0')}`,
      name: `copy-${at}`,
    }))
    const json = { items: [...items, ...copies], counts: { ...counts, total: count } }
    return route.fulfill({ json, headers: { etag } })
  })
}

const lists = /\/v1\/tunnels\?/

/** Notes which rows change, by their names; ages of times are the clock's doing. */
const noteChanges = `globalThis.changed = []
new MutationObserver((records) => {
  for (const { target } of records) {
    const element = target instanceof Element ? target : target.parentElement
    if (element?.closest('time') === null)
      changed.push(element.closest('[data-row]')?.querySelector('a')?.textContent ?? element.tagName)
  }
}).observe(document.querySelector('main'), { childList: true, characterData: true, attributes: true, subtree: true })`

async function scriptSeconds(devtools: CDPSession): Promise<number> {
  const { metrics } = await devtools.send('Performance.getMetrics')
  return metrics.find(({ name }) => name === 'ScriptDuration')?.value ?? 0
}

/** The least after some collections: compiled code and answers come and go above what is really held. */
async function heapFloor(page: Page, devtools: CDPSession, seconds: number): Promise<number> {
  const sizes: number[] = []
  for (let done = 0; done < seconds; done += heapEverySeconds) {
    await runSeconds(page, heapEverySeconds)
    await devtools.send('HeapProfiler.collectGarbage')
    sizes.push((await devtools.send('Runtime.getHeapUsage')).usedSize)
  }
  return Math.min(...sizes)
}

const heapEverySeconds = 60

/** A second of figures for all; the steps are short enough for the page's own calls to come between. */
async function runSeconds(page: Page, seconds: number): Promise<void> {
  for (let done = 0; done < seconds; done += 20) await page.clock.runFor(20_000)
}

export function describeLive(
  world: () => { readonly service: Service; readonly agent: Agent },
  inTab: (work: (tab: Tab) => Promise<void>) => Promise<void>,
): void {
  test('a second of figures changes the row of the tunnel that is busy and no other, in a list of 1,000', () =>
    inTab(async (tab) => {
      const { page } = tab
      const { service, agent } = world()
      const url = await agent.online('shop')
      await lengthen(page, 1_000)
      await signIn(tab, service.api, service.account)
      await page.getByText('of 1,000 healthy').waitFor()
      expect(await page.locator('[data-row]').count()).toBeLessThan(60)
      await page.evaluate(noteChanges)
      await visit(service, `${url}/hello`)
      await eventually(
        'the figures of shop change',
        async () => (await page.evaluate<boolean>(`changed.includes('shop')`)) || undefined,
      )
      const changed = await page.evaluate<string[]>('changed')
      expect([...new Set(changed)].filter((name) => name.startsWith('copy-'))).toEqual([])
      expect(changed.length).toBeLessThan(200)
    }))

  test('a second of figures costs a list of 1,000 what it costs one of 60, and the heap stays flat', () =>
    inTab(async (tab) => {
      const { page } = tab
      const { service, agent } = world()
      await agent.online('shop')
      const devtools = await page.context().newCDPSession(page)
      await devtools.send('Performance.enable')
      await page.clock.install()
      await signIn(tab, service.api, service.account)
      const costOf = async (count: number) => {
        await lengthen(page, count)
        await page.reload()
        await page.locator('[data-row="20"]').waitFor()
        await runSeconds(page, 20)
        const before = await scriptSeconds(devtools)
        await runSeconds(page, 60)
        return (await scriptSeconds(devtools)) - before
      }
      const few = await costOf(60)
      const many = await costOf(1_000)
      // Both draw the rows on the screen, and few of them change. A tenth of a second is too little to compare.
      expect(many).toBeLessThan(3 * few + 0.1)
      // Five minutes of figures are kept, so that the first five fill what may grow.
      await runSeconds(page, 240)
      const full = await heapFloor(page, devtools, 240)
      expect((await heapFloor(page, devtools, 240)) - full).toBeLessThan(600_000)
    }))
}
