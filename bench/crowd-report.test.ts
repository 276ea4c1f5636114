import { expect, test } from 'vitest'
import { tunnelsTable } from './crowd-report.ts'

test('bench: the cost of many tunnels is shown for each agent, each renewal, and for all of them', () => {
  const rows = tunnelsTable({
    agents: 1_050,
    tunnels: 2,
    firstAgents: 50,
    bytes: { first: 70e6, all: 150e6, renewed: 152e6 },
    coming: { seconds: 4, cpuSeconds: 2 },
    idle: { seconds: 10, cpuSeconds: 0.2 },
    renewing: { seconds: 2, cpuSeconds: 0.42 },
    restart: { listening: 0.5, half: 2, all: 3, cpuSeconds: 2.5, bytes: 140e6 },
    ticketMs: 3_600_000,
  })
    .split('\n')
    .map((row) => row.split('|').map((cell) => cell.trim()))
  const of = (name: string) => rows.find(([, first]) => first === name)?.[2]
  expect(of('an agent with its tunnels')).toBe('80.0 KB')
  expect(of('agents coming')).toBe('250 a second, 2.00 ms of CPU each')
  expect(of('heartbeats of all')).toBe('20 ms of CPU a second')
  // 0.42 s for 2,100; each comes every half hour.
  expect(of('a renewal')).toBe('0.20 ms of CPU; 1050 a second at once')
  expect(of('renewals of all, spread')).toBe('0.2 ms of CPU a second')
  expect(of('killed: until all are served')).toBe('3.0 s, 2.5 s of CPU')
})
