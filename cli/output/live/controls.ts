/** What the keys of the live view do: which tunnel is chosen, the filter, the help. Pure; live-output.ts acts. */
import type { Key } from './keys.ts'

export type Controls = {
  readonly filter: string
  /** Letters go to the filter. */
  readonly isTyping: boolean
  readonly isHelp: boolean
  /** The name of the chosen row; undefined: the first. */
  readonly chosen?: string
}

export const noControls: Controls = { filter: '', isTyping: false, isHelp: false }

export type Act =
  | 'quit'
  | 'interrupt'
  | 'kill'
  | 'suspend'
  | 'redraw'
  | 'open'
  | 'copy'
  | 'inspect'
  | 'resend'
const letters: Readonly<Record<string, Act>> = { q: 'quit', o: 'open', c: 'copy', i: 'inspect', r: 'resend' }
const always: Partial<Record<Key['kind'], Act>> = {
  interrupt: 'interrupt',
  quit: 'kill',
  suspend: 'suspend',
  redraw: 'redraw',
}
/** A longer one would not fit beside what it says. */
const filterMax = 60

export type Pressed = { readonly controls: Controls; readonly act?: Act }

/**
 * @param names of the rows that the filter leaves, in the order in which they are shown
 * @param page rows that a page has
 */
export function press(
  controls: Controls,
  key: Key & { readonly isPaste?: boolean },
  { names, page }: { readonly names: readonly string[]; readonly page: number },
): Pressed {
  const act = always[key.kind]
  if (act) return { controls, act }
  const step = stepOf(key, page)
  if (step !== undefined) return { controls: { ...controls, ...chosenBy(controls, names, step) } }
  return controls.isTyping ? type(controls, key) : command(controls, key)
}

function stepOf({ kind }: Key, page: number): number | undefined {
  if (kind === 'up') return -1
  if (kind === 'down') return 1
  if (kind === 'page-up') return -page
  if (kind === 'page-down') return page
  if (kind === 'home') return Number.NEGATIVE_INFINITY
  return kind === 'end' ? Number.POSITIVE_INFINITY : undefined
}

function chosenBy(
  { chosen }: Controls,
  names: readonly string[],
  step: number,
): { readonly chosen: string } | undefined {
  const now = Math.max(0, chosen === undefined ? 0 : names.indexOf(chosen))
  const name = names[Math.min(names.length - 1, Math.max(0, now + step))]
  return name === undefined ? undefined : { chosen: name }
}

function type(controls: Controls, key: Key): Pressed {
  const { filter } = controls
  if (key.kind === 'letter')
    return { controls: { ...controls, filter: (filter + key.letter).slice(0, filterMax) } }
  if (key.kind === 'erase') return { controls: { ...controls, filter: [...filter].slice(0, -1).join('') } }
  if (key.kind === 'erase-all') return { controls: { ...controls, filter: '' } }
  if (key.kind === 'enter') return { controls: { ...controls, isTyping: false } }
  return { controls: { ...controls, filter: '', isTyping: false } }
}

function command(controls: Controls, key: Key & { readonly isPaste?: boolean }): Pressed {
  if (key.kind === 'escape') return { controls: { ...controls, filter: '', isHelp: false } }
  // What somebody pasted was not meant as keys.
  if (key.kind !== 'letter' || key.isPaste) return { controls }
  if (key.letter === '/') return { controls: { ...controls, isTyping: true } }
  if (key.letter === '?') return { controls: { ...controls, isHelp: !controls.isHelp } }
  const act = letters[key.letter]
  return act ? { controls, act } : { controls }
}
