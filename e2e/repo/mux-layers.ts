/**
 * The layers of shared/mux and their files: a file imports from its own layer or from one below. Types count, because
 * code that knows a type knows what is inside. Files of one layer may not import each other in a circle.
 */
import { posix } from 'node:path'
import { importsOf } from './imports.ts'
import { isTest, type Source, type Violation, violation } from './sources.ts'

type MuxLayer = { readonly name: string; readonly files: readonly string[] }

const layer = (name: string, files: string): MuxLayer => ({ name, files: files.trim().split(/\s+/) })

/** From the lowest up. */
export const muxLayers: readonly MuxLayer[] = [
  layer(
    'bytes: where they lie, what is kept, what may come',
    `slab pieces fifo budget kept ahead inbound rides outbound
     seen-ids lingering open-info stream-sink endings turn`,
  ),
  layer(
    'wire: sockets, and what is known of them',
    `gather read-into reading work-share carrier-socket frames-out kernel-queue last-words
     backlog pace pulse pings-heard binds-heard connect-tls`,
  ),
  layer(
    'carrier: one TLS connection, and the set of them',
    'carrier carrier-handler carrier-set liveness retirement',
  ),
  layer('router: who sends next, and on which carrier', 'schedule elephants router'),
  layer('stream: one visitor', 'stream stream-options agent-words report relief'),
  layer(
    'session: an agent with a relay; beside it the splice with a local socket',
    'session session-streams session-frames session-options binding-talk last-ids splice',
  ),
  layer('dial and accept: how sessions and carriers begin', 'dial accept fresh-carrier carrier-keeper spare'),
]

const levelOf = new Map(muxLayers.flatMap(({ files }, level) => files.map((file) => [file, level] as const)))

/** `sources` may be any; it checks those of shared/mux that programs run. */
export function checkMuxLayers(sources: readonly Source[]): readonly Violation[] {
  const files = new Map<string, Source>()
  for (const source of sources)
    if (posix.dirname(source.path) === 'shared/mux' && !isTest(source.path))
      files.set(nameOf(source.path), source)
  const imports = new Map([...files].map(([name, source]) => [name, importsInside(source)]))
  return [...files].flatMap(([name, source]) => {
    const level = levelOf.get(name)
    if (level === undefined) return [violation(source, 0, 'stands on no layer of shared/mux')]
    return (imports.get(name) ?? []).flatMap(({ target, start }) => {
      const to = levelOf.get(target)
      if (to !== undefined && to > level)
        return [violation(source, start, `imports ${target}, which is above it`)]
      const isCircle = to === level && reaches(target, name, imports)
      return isCircle ? [violation(source, start, `imports ${target}, which leads back to it`)] : []
    })
  })
}

type Inside = { readonly target: string; readonly start: number }

function importsInside(source: Source): readonly Inside[] {
  return importsOf(source)
    .filter(({ specifier }) => specifier.startsWith('./'))
    .map(({ specifier, start }) => ({ target: nameOf(specifier), start }))
}

/** Whether imports that stay on the layer of `from` lead to `to`. */
function reaches(from: string, to: string, imports: ReadonlyMap<string, readonly Inside[]>): boolean {
  const level = levelOf.get(from)
  const seen = new Set([from])
  for (const name of seen)
    for (const { target } of imports.get(name) ?? []) if (levelOf.get(target) === level) seen.add(target)
  return seen.has(to)
}

function nameOf(path: string): string {
  return posix.basename(path, '.ts')
}
