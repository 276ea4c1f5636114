/**
 * From cumulative counters to rates. A relay counts from zero again after a restart: a counter that fell means that
 * everything counted since is new, never a negative rate.
 */
import type { LiveSample } from '@porttunneler/shared/api/schemas/tunnels'

export type Counters = LiveSample['tunnels'][string]

/** Per second, over the time between two samples of one relay. */
export type Rates = { readonly in: number; readonly out: number; readonly opened: number }

export const noRates: Rates = { in: 0, out: 0, opened: 0 }

export function ratesBetween(before: Counters, after: Counters, elapsedMs: number): Rates {
  if (elapsedMs <= 0) return noRates
  const isReset = after.in < before.in || after.out < before.out || after.opened < before.opened
  const perSecond = (field: keyof Rates) =>
    ((after[field] - (isReset ? 0 : before[field])) * 1_000) / elapsedMs
  return { in: perSecond('in'), out: perSecond('out'), opened: perSecond('opened') }
}

/** What one tunnel does now, all its relays added up. */
export type Figures = Omit<Counters, 'rttMs'> & { readonly rates: Rates; readonly rttMs: number | undefined }

export const noFigures: Figures = {
  in: 0,
  out: 0,
  opened: 0,
  refused: 0,
  active: 0,
  attached: false,
  rttMs: undefined,
  rates: noRates,
}

/** Sums are sums; the round trip is the shortest, as that of the nearest relay; attached anywhere is attached. */
export function addFigures(a: Figures, b: Figures): Figures {
  return {
    in: a.in + b.in,
    out: a.out + b.out,
    opened: a.opened + b.opened,
    refused: a.refused + b.refused,
    active: a.active + b.active,
    attached: a.attached || b.attached,
    rttMs: a.rttMs === undefined ? b.rttMs : b.rttMs === undefined ? a.rttMs : Math.min(a.rttMs, b.rttMs),
    rates: {
      in: a.rates.in + b.rates.in,
      out: a.rates.out + b.rates.out,
      opened: a.rates.opened + b.rates.opened,
    },
  }
}
