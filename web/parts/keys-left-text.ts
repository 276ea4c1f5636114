/** What a new password has left: keys are no sessions, so they stay unless the person ends them. */
import type { Key } from '@porttunneler/shared/api/schemas/accounts'

export function keysLeftText(keys: readonly Pick<Key, 'name'>[]): string {
  if (keys.length === 0) return 'No API keys are left.'
  const names = keys
    .slice(0, 5)
    .map(({ name }) => name)
    .join(', ')
  const more = keys.length > 5 ? ` and ${keys.length - 5} more` : ''
  return `Still valid: ${keys.length === 1 ? 'the API key' : 'the API keys'} ${names}${more}.`
}
