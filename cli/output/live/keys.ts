/** What somebody typed at the live view, from the bytes of a terminal (ECMA-48, xterm's control sequences). */

export type Key =
  | { readonly kind: 'letter'; readonly letter: string }
  | {
      readonly kind:
        | 'up'
        | 'down'
        | 'page-up'
        | 'page-down'
        | 'home'
        | 'end'
        | 'enter'
        | 'escape'
        | 'erase'
        | 'erase-all'
        | 'interrupt'
        | 'quit'
        | 'suspend'
        | 'redraw'
    }

type Named = Exclude<Key['kind'], 'letter'>

const sequences: Readonly<Record<string, Named>> = {
  A: 'up',
  B: 'down',
  H: 'home',
  F: 'end',
  '1~': 'home',
  '4~': 'end',
  '5~': 'page-up',
  '6~': 'page-down',
  '7~': 'home',
  '8~': 'end',
}

const controls: Readonly<Record<string, Named>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\u007f': 'erase',
  '\b': 'erase',
  '\u0003': 'interrupt',
  '\u001c': 'quit',
  '\u001a': 'suspend',
  '\u000c': 'redraw',
  '\u0015': 'erase-all',
}

const pasteEnd = '\u001b[201~'
/** A paste that is longer is no filter. */
const pasteMax = 200

/** Keeps what belongs together over several reads: a paste. Sequences of keys come in one. */
export class KeyReader {
  #paste: string | undefined

  /** Pasted text comes as letters, so that no line of it is taken for keys; `isPaste` tells them apart. */
  read(chunk: string): readonly (Key & { readonly isPaste?: boolean })[] {
    const keys: (Key & { readonly isPaste?: boolean })[] = []
    let rest = chunk
    while (rest !== '') {
      if (this.#paste !== undefined) {
        const end = rest.indexOf(pasteEnd)
        this.#paste = (this.#paste + (end < 0 ? rest : rest.slice(0, end))).slice(0, pasteMax)
        if (end < 0) return keys
        const pasted = this.#paste.replace(/\p{Cc}+/gu, ' ').trim()
        keys.push(...[...pasted].map((letter) => ({ kind: 'letter', letter, isPaste: true }) as const))
        this.#paste = undefined
        rest = rest.slice(end + pasteEnd.length)
        continue
      }
      // biome-ignore lint/suspicious/noControlCharactersInRegex: sequences begin with ESC.
      const [sequence, body] = /^\u001b(?:\[|O)([0-9;<=>?]*[ -/]*[@-~])/.exec(rest) ?? []
      if (sequence !== undefined && body !== undefined) {
        if (body === '200~') this.#paste = ''
        const kind = sequences[body]
        if (kind) keys.push({ kind })
        rest = rest.slice(sequence.length)
        continue
      }
      const [letter = ''] = rest
      rest = rest.slice(letter.length)
      const kind = letter === '\u001b' ? 'escape' : controls[letter]
      if (kind) keys.push({ kind })
      else if (!/\p{Cc}/u.test(letter)) keys.push({ kind: 'letter', letter })
    }
    return keys
  }
}
