/** The month's transfer in words: what each state is called, what happens next, and when it starts again. */
import type { Transfer } from '@porttunneler/shared/api/schemas/service'
import { formatDay } from './format.ts'

export const transferWords: Record<Transfer['state'], { readonly title: string; readonly next: string }> = {
  ok: { title: 'Within the plan', next: 'At 80 % this page and your agents will tell you.' },
  near: {
    title: 'Nearly used up',
    next: 'Everything goes on. From 100 % a tunnel that is not online can no longer go online.',
  },
  over: {
    title: 'Used up',
    next: 'Tunnels that are online go on, others cannot go online. From 110 % new connections are refused.',
  },
  stopped: {
    title: 'Stopped for this month',
    next: 'New connections are refused and no tunnel can go online. Connections that are open go on.',
  },
}

/** @param toMs first ms of the next month, UTC */
export function resetText(toMs: number): string {
  return `It starts again at zero on ${formatDay(new Date(toMs).toISOString().slice(0, 10))} (UTC).`
}
