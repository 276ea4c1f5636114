/**
 * Tunnels of one range of ports as people see them: one entry with counts instead of one for each port. Pure; `ptun
 * status`, the live picture and the lines of a running agent are made from it.
 */
import { isTrouble, stateWord } from '@porttunneler/shared/api/schemas/tunnel-words'
import type { Problem, TunnelStatus } from '../agent/events.ts'
import { stateOf } from './states.ts'

export type Range = {
  /** As ptun.yaml or --name has it. */
  readonly name: string
  /** `20100-20110`, all that were asked for. */
  readonly ports: string
  readonly tunnels: readonly TunnelStatus[]
}

/** In the order of the tunnels; a range stands where its first one does. */
export function groupRanges(tunnels: readonly TunnelStatus[]): readonly (TunnelStatus | Range)[] {
  const groups = Map.groupBy(tunnels, ({ range, name }) => (range ? `range ${range.name}` : `one ${name}`))
  return [...groups.values()].flatMap((members): readonly (TunnelStatus | Range)[] => {
    const [first] = members
    if (!first?.range || members.length < 2) return members
    return [{ name: first.range.name, ports: spanOf(portsOf(members)), tunnels: members }]
  })
}

export function isRange(row: TunnelStatus | Range): row is Range {
  return 'tunnels' in row
}

/** `tcp://relay.example.com:20100-20110`; undefined while none has an address. */
export function urlOf({ tunnels, ports }: Range): string | undefined {
  const url = tunnels.find((tunnel) => tunnel.url !== undefined)?.url
  return url?.replace(/\d+$/, ports)
}

/** `localhost:30100-30110`, or the one that all lead to. */
export function upstreamOf({ tunnels }: Range): string {
  return together(tunnels.map(({ upstream }) => upstream))
}

/** `11 Healthy`, or `10 Healthy, 1 Refused PT-2302`. @param isOver the agent has ended */
export function statesOf({ tunnels }: Range, isOver = false): string {
  const words = tunnels.map((tunnel) => {
    const state = stateOf(tunnel, isOver)
    return isTrouble(state) && tunnel.problem
      ? `${stateWord(state)} ${tunnel.problem.code}`
      : stateWord(state)
  })
  return [...Map.groupBy(words, (word) => word)].map(([word, { length }]) => `${length} ${word}`).join(', ')
}

export function totalsOf({
  tunnels,
}: Range): Pick<TunnelStatus, 'active' | 'total' | 'bytesIn' | 'bytesOut'> {
  const sum = (figure: 'active' | 'total' | 'bytesIn' | 'bytesOut') =>
    tunnels.reduce((all, tunnel) => all + tunnel[figure], 0)
  return { active: sum('active'), total: sum('total'), bytesIn: sum('bytesIn'), bytesOut: sum('bytesOut') }
}

/** Each trouble once, with the ports that have it and what the first of them was told. */
export function troublesOf({
  tunnels,
}: Range): readonly { readonly ports: string; readonly problem: Problem }[] {
  const troubled = tunnels.flatMap((tunnel) => (tunnel.problem ? [{ tunnel, problem: tunnel.problem }] : []))
  const byCode = Map.groupBy(troubled, ({ problem }) => problem.code)
  return [...byCode.values()].flatMap((members) => {
    const [first] = members
    return first
      ? [{ ports: spanOf(portsOf(members.map(({ tunnel }) => tunnel))), problem: first.problem }]
      : []
  })
}

/** `data-20100 to data-20110, web`: neighbouring ports of a range in short, and no more than a line holds. */
export function shortNames(names: readonly string[]): string {
  const shown: string[] = []
  for (let at = 0; at < names.length; ) {
    const length = runAt(names, at)
    shown.push(length > 2 ? `${names[at]} to ${names[at + length - 1]}` : `${names[at]}`)
    at += length > 2 ? length : 1
  }
  const more = shown.length - namesMax
  return more > 0 ? `${shown.slice(0, namesMax).join(', ')} and ${more} more` : shown.join(', ')
}

const namesMax = 5

/** How many names from `at` on differ by their last number alone, which counts up. */
function runAt(names: readonly string[], at: number): number {
  const [stem, first] = splitNumber(names[at])
  let length = 1
  while (first !== undefined) {
    const [other, number] = splitNumber(names[at + length])
    if (other !== stem || number !== first + length) break
    length += 1
  }
  return length
}

function splitNumber(text = ''): readonly [stem: string, number: number | undefined] {
  const [, stem = text, number] = /^(.*[-:])(\d+)$/.exec(text) ?? []
  return [stem, number === undefined ? undefined : Number(number)]
}

/** Texts that end in neighbouring numbers, as one with a range at its end; the same texts as one. */
export function together(texts: readonly string[]): string {
  const [first = ''] = texts
  if (texts.every((text) => text === first)) return first
  const [, last] = splitNumber(texts.at(-1))
  return runAt(texts, 0) === texts.length ? `${first}-${last}` : `${first} and others`
}

function portsOf(tunnels: readonly TunnelStatus[]): readonly number[] {
  return tunnels.flatMap(({ range }) => (range ? [range.port] : []))
}

/** `20100-20103, 20110`. */
function spanOf(ports: readonly number[]): string {
  const sorted = ports.toSorted((a, b) => a - b)
  const starts = sorted.filter((port, at) => sorted[at - 1] !== port - 1)
  const ends = sorted.filter((port, at) => sorted[at + 1] !== port + 1)
  return starts.map((start, at) => (ends[at] === start ? `${start}` : `${start}-${ends[at]}`)).join(', ')
}
