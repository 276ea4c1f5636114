/** A refused field, in words: the API names fields as programs do. */
import type { Trouble } from '../api/failure.ts'
import { formatCounted } from './format.ts'

type Issue = NonNullable<Trouble['issues']>[number]

/** "allow, entry 1: an address or a network": no paths and no patterns. */
export function issueText({ path, message }: Issue): string {
  const place = placeText(path)
  const text = /pattern|regex/i.test(message) ? 'is not written as it must be' : message
  if (place === '') return text
  return text === message ? `${place}: ${text}` : `${place} ${text}`
}

/** "policy.requestsPerMinute" -> "requests per minute"; "policy.allow.0" -> "allow, entry 1" */
export function placeText(path: string): string {
  const parts = path.split('.').filter((part) => part !== '')
  const last = parts.findLastIndex((part) => !/^\d+$/.test(part))
  const name = parts[last]?.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`) ?? ''
  const entry = parts[last + 1]
  return entry === undefined ? name : `${name}, entry ${Number(entry) + 1}`.replace(/^, /, '')
}

/** "in 42 seconds", "in 3 minutes" */
export function waitText(seconds: number): string {
  if (seconds === 1) return 'in a second'
  if (seconds < 120) return `in ${formatCounted(seconds, 'second')}`
  const minutes = Math.ceil(seconds / 60)
  return minutes < 120
    ? `in ${formatCounted(minutes, 'minute')}`
    : `in ${formatCounted(Math.ceil(minutes / 60), 'hour')}`
}
