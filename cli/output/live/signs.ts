/** The signs of the live view, and which terminals can show it at all. */
import type { TunnelState } from '@porttunneler/shared/api/schemas/tunnel-words'
import type { Context } from '../../context.ts'
import type { Environment } from '../../paths.ts'

export type Signs = {
  readonly states: Readonly<Record<TunnelState, string>>
  readonly to: string
  readonly between: string
  readonly chosen: string
  readonly more: string
}

const unicode: Signs = {
  states: {
    upstream_failing: '✕',
    refused: '✕',
    degraded: '◐',
    connecting: '○',
    healthy: '●',
    offline: '○',
    never_used: '○',
  },
  to: '→',
  between: '·',
  chosen: '›',
  more: '…',
}

const ascii: Signs = {
  states: {
    upstream_failing: 'x',
    refused: 'x',
    degraded: '!',
    connecting: 'o',
    healthy: '*',
    offline: '-',
    never_used: '-',
  },
  to: '->',
  between: '|',
  chosen: '>',
  more: '~',
}

/** Letters alone where the locale names another encoding than UTF-8; without a locale it is most likely UTF-8. */
export function signsFor(env: Environment): Signs {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || 'UTF-8'
  return /utf-?8/i.test(locale) ? unicode : ascii
}

/**
 * Whether the live view can be drawn: on a terminal that can move its cursor. Old consoles of Windows show other
 * letters for the signs, as their code page says, and logs of CI keep every painting: both get plain lines.
 */
export function canDraw(
  { stdout, env, isJson }: Pick<Context, 'stdout' | 'env' | 'isJson'>,
  platform: NodeJS.Platform = process.platform,
): boolean {
  if (isJson || stdout.isTTY !== true || env.TERM === 'dumb' || env.CI) return false
  return platform !== 'win32' || Boolean(env.WT_SESSION || env.TERM_PROGRAM || env.ConEmuANSI === 'ON')
}
