/** One thing that `ptun doctor` looks at, and what it found. */
import { isFailure } from '@porttunneler/shared/base/errors'
import { sayNetworkError } from '@porttunneler/shared/base/system-errors'

export type Finding = {
  /** One word: what was looked at. */
  readonly name: string
  /** warning: it works, and something is worth knowing. */
  readonly state: 'ok' | 'warning' | 'failed'
  readonly text: string
  readonly cure?: string
  readonly code?: string
}

export function fine(name: string, text: string): Finding {
  return { name, state: 'ok', text }
}

/** A failure with its code and cure, or what the system said. */
export function failed(name: string, error: unknown): Finding {
  if (!isFailure(error)) {
    const text = error instanceof Error ? error.message : String(error)
    return { name, state: 'failed', text: `${text}${sayNetworkError(error)}` }
  }
  const { code, detail, entry } = error
  return { name, state: 'failed', text: detail, cure: entry.cure, code }
}

/** Never rejects: what `look` throws becomes its finding. */
export async function finding(
  name: string,
  look: () => Promise<Finding | readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return [await look()].flat()
  } catch (error) {
    return [failed(name, error)]
  }
}
