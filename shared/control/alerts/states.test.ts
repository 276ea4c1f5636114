import { describe, expect, test } from 'vitest'
import type { AlertDoc } from './alert-documents.ts'
import { afterQuiet, afterTrouble, endHoldMs, steadyMs } from './states.ts'

const key = { account: 'acc_1', kind: 'tunnel.down', subject: 'tun_1' } as const
const minuteMs = 60_000
const trouble = { since: 0, name: 'shop', cause: 'It is gone.' }
const fail = (before: AlertDoc | undefined, nowMs: number, damped = true) =>
  afterTrouble(before, key, { trouble: { ...trouble, since: nowMs }, nowMs, damped })
const told = (alert: AlertDoc | undefined): AlertDoc => {
  if (!alert) throw new Error('the alert did not change')
  return { ...alert, untold: 0, news: '', toldAt: alert.last }
}

describe('alert', () => {
  test('the same trouble is told once, and its end once it has lasted two minutes', () => {
    const begun = fail(undefined, minuteMs)
    expect(begun).toMatchObject({ state: 'firing', news: 'begun', untold: 1 })
    const known = told(begun)
    expect(fail(known, 2 * minuteMs)).toBeUndefined()
    const quiet = afterQuiet(known, { nowMs: 9 * minuteMs, damped: true })
    expect(quiet).toMatchObject({ state: 'firing', untold: 0 })
    expect(afterQuiet(quiet, { nowMs: 10 * minuteMs, damped: true })).toBeUndefined()
    const ended = afterQuiet(quiet, { nowMs: 9 * minuteMs + endHoldMs, damped: true })
    expect(ended).toMatchObject({ state: 'resolved', news: 'ended', endedAt: 9 * minuteMs })
  })

  test('one that comes and goes is told once as unsteady, and then of one end', () => {
    let alert = told(fail(undefined, 0))
    const news: string[] = []
    for (let at = minuteMs; at < 200 * minuteMs; at += minuteMs) {
      const isBad = at < 120 * minuteMs && at % (4 * minuteMs) < 2 * minuteMs
      const next = isBad ? fail(alert, at) : afterQuiet(alert, { nowMs: at, damped: true })
      if (next?.untold === 1) news.push(next.news)
      if (next) alert = next.untold === 1 ? told(next) : next
    }
    expect(news).toEqual(['unsteady', 'ended'])
    expect(alert.state).toBe('resolved')
  })

  test('trouble half an hour after the end is news of its own', () => {
    const quiet = afterQuiet(told(fail(undefined, 0)), { nowMs: minuteMs, damped: true })
    const ended = told(afterQuiet(quiet, { nowMs: 3 * minuteMs, damped: true }))
    expect(fail(ended, 5 * minuteMs)).toMatchObject({ news: 'unsteady', unsteady: true })
    expect(fail(ended, minuteMs + steadyMs)).toMatchObject({ news: 'begun', unsteady: false })
  })

  test('what was never told and is stopped on purpose stays untold', () => {
    const begun = fail(undefined, 1)
    expect(afterQuiet(begun, { nowMs: 1, damped: true, quietly: true })).toMatchObject({ untold: 0 })
    expect(afterQuiet(told(begun), { nowMs: 1, damped: true, quietly: true })).toMatchObject({
      news: 'ended',
    })
  })

  test('nothing that was closed by hand opens again for the same trouble', () => {
    const begun = fail(undefined, 0)
    if (!begun) throw new Error('no alert')
    const closed: AlertDoc = { ...told(begun), state: 'resolved', endedAt: minuteMs, closedBy: 'usr_1' }
    const again = { trouble, nowMs: 2 * minuteMs, damped: true }
    expect(afterTrouble(closed, key, again)).toBeUndefined()
    expect(fail(closed, 3 * minuteMs)).toMatchObject({ state: 'firing', news: 'begun' })
  })

  test('its timeline is bounded', () => {
    let alert = told(fail(undefined, 0))
    for (let at = 1; at < 200; at++) {
      const quiet = afterQuiet(alert, { nowMs: at * 60 * minuteMs, damped: false })
      alert = told(fail(quiet, at * 60 * minuteMs + 40 * minuteMs, false))
    }
    expect(alert.timeline.length).toBeLessThanOrEqual(40)
  })
})
