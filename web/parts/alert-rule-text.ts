/** Rules of alerts in words, and the list of them that a change sends. */
import type { AlertRule } from '@porttunneler/shared/api/schemas/alerts'
import type { RulesWish } from '../api/alert-calls.ts'
import { formatCounted } from './format.ts'

type Wish = RulesWish['items'][number]
type Scope = Pick<AlertRule, 'kind' | 'tunnel' | 'tag'>

/** What two rules cannot have in common. */
export function ruleKey({ kind, tunnel = '', tag = '' }: Scope): string {
  return JSON.stringify([kind, tunnel, tag])
}

/** Only alerts about tunnels can differ from tunnel to tunnel. */
export function isOfTunnels({ kind }: Pick<AlertRule, 'kind'>): boolean {
  return kind.startsWith('tunnel.')
}

/** "after 5 minutes", "above 5 %, after 10 minutes", "off". */
export function whenText({ on, forMs, threshold, unit }: AlertRule): string {
  if (!on) return 'never'
  const limit = threshold === undefined ? [] : [`above ${threshold} ${unit ?? ''}`.trim()]
  const time = forMs === undefined ? [] : [`after ${minutesText(forMs)}`]
  return [...limit, ...time].join(', ') || 'at once'
}

function minutesText(ms: number): string {
  return formatCounted(Math.round(ms / 60_000), 'minute')
}

/**
 * All rules that the account has set, with one of them changed: the API takes the whole list.
 * @param was the rule that goes; undefined: none
 * @param next what comes; undefined: as usual again
 */
export function changedRules(
  items: readonly AlertRule[],
  was: Scope | undefined,
  next: Wish | undefined,
): RulesWish {
  const gone = was && ruleKey(was)
  const others = items.filter((rule) => rule.own && ruleKey(rule) !== gone)
  return { items: [...others.map(wishOf), ...(next ? [next] : [])] }
}

function wishOf({ kind, tunnel, tag, on, threshold, forMs }: AlertRule): Wish {
  return {
    kind: kind as Wish['kind'],
    ...(tunnel !== undefined && { tunnel }),
    ...(tag !== undefined && { tag }),
    on,
    ...(threshold !== undefined && { threshold }),
    ...(forMs !== undefined && { forMs }),
  }
}
