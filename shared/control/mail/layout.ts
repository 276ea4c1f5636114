/**
 * The one layout of all mails, as text and as HTML. It loads nothing, so opening a mail tells nobody anything. It sets
 * no colours, so mail programs choose readable ones in light and dark. Words that a stranger chose come in by `asName`,
 * which leaves nothing in them that a mail program would make a link of.
 */
import { escapeHtml } from '../../base/html.ts'

/** A paragraph, or an address to open. */
export type Part = string | { readonly link: string; readonly says: string }

export type Content = {
  readonly subject: string
  readonly parts: readonly Part[]
  /** Completes "You get this mail because ...". */
  readonly because: string
}

export type Rendered = { readonly subject: string; readonly text: string; readonly html: string }

export type Place = {
  /** Where the service is, for people who have several. */
  readonly consoleUrl: string
  /** Opens a page that turns mails of this kind off; undefined where they cannot be. */
  readonly offUrl?: string | undefined
}

const columns = 76
/** Longer names are cut: a subject is read in a list. */
const nameMax = 60

export function renderMail({ subject, parts, because }: Content, { consoleUrl, offUrl }: Place): Rendered {
  const footer = `You get this mail because ${because}. PortTunneler at ${consoleUrl}`
  const off = offUrl === undefined ? undefined : { says: 'No more mails of this kind', link: offUrl }
  return {
    subject,
    text: `${parts.map(textOf).join('\n\n')}\n\n-- \n${wrap(footer)}\n${off ? `${off.says}: ${off.link}\n` : ''}`,
    html: [
      '<!doctype html>',
      '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
      '<meta name="color-scheme" content="light dark">',
      '<meta name="supported-color-schemes" content="light dark">',
      `<title>${escapeHtml(subject)}</title></head>`,
      '<body style="margin:0;padding:24px;font:16px/1.5 system-ui,sans-serif">',
      '<div style="max-width:36em;margin:0 auto">',
      ...parts.map(htmlOf),
      `<hr><p style="font-size:14px">${escapeHtml(footer)}</p>`,
      ...(off ? [`<p style="font-size:14px"><a href="${escapeHtml(off.link)}">${off.says}</a></p>`] : []),
      '</div></body></html>',
      '',
    ].join('\n'),
  }
}

/**
 * A name that somebody chose, as one quotable piece: on one line, without characters that turn its direction or hide,
 * and without anything that looks like an address to open.
 */
export function asName(text: string): string {
  const plain = text
    .toWellFormed()
    .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/[<>:/\\@]+|\.(?=\S)/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
  const characters = [...plain]
  return characters.length > nameMax ? `${characters.slice(0, nameMax - 1).join('')}…` : plain
}

function textOf(part: Part): string {
  return typeof part === 'string' ? wrap(part) : `${wrap(part.says)}:\n\n${part.link}`
}

function htmlOf(part: Part): string {
  if (typeof part === 'string') return `<p>${escapeHtml(part)}</p>`
  const link = escapeHtml(part.link)
  return `<p><a href="${link}">${escapeHtml(part.says)}</a></p>
<p style="font-size:14px;word-break:break-all">If the link does not open, copy this address: ${link}</p>`
}

/** Breaks between words; a longer word, such as an address, stays whole. */
function wrap(text: string): string {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    const isRoom = last !== undefined && last.length + 1 + word.length <= columns
    if (isRoom) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines.join('\n')
}
