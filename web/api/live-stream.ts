/**
 * One relay's live figures: a server-sent event stream read with fetch, because EventSource cannot send the watch
 * ticket in a header, and a ticket in an address would end up in logs.
 */
import type { LiveSample } from '@porttunneler/shared/api/schemas/tunnels'
import { createParser } from 'eventsource-parser'
import { ApiFailure, failureOf, unreachable } from './failure.ts'

/** An event longer than this is no sample of ours (10,000 tunnels are about 1 MB). */
const bufferCharactersMax = 4_000_000

export type OpenStream = (
  url: string,
  ticket: string,
  options: { readonly signal: AbortSignal; readonly onSample: (sample: LiveSample) => void },
) => Promise<void>

/** Resolves when the relay ended the stream; rejects when it refused, broke, or `signal` aborted. */
export function openStreamWith(fetch: typeof globalThis.fetch): OpenStream {
  return async (url, ticket, { signal, onSample }) => {
    try {
      const answer = await fetch(url, {
        headers: { authorization: `Bearer ${ticket}`, accept: 'text/event-stream' },
        signal,
        credentials: 'omit',
        cache: 'no-store',
      })
      if (!answer.ok || !answer.body) throw await failureOf(answer)
      await readSamples(answer.body, onSample)
    } catch (cause) {
      if (signal.aborted || cause instanceof ApiFailure) throw cause
      throw unreachable(cause)
    }
  }
}

/** Exported for its test. Data that is no sample is skipped: a newer relay may send other events, too. */
export async function readSamples(
  body: ReadableStream<Uint8Array>,
  onSample: (sample: LiveSample) => void,
): Promise<void> {
  const parser = createParser({
    maxBufferSize: bufferCharactersMax,
    onEvent: ({ data }) => {
      const sample = parseSample(data)
      if (sample) onSample(sample)
    },
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') throw error
    },
  })
  const decoder = new TextDecoder()
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    parser.feed(decoder.decode(value, { stream: true }))
  }
}

const numberFields = ['in', 'out', 'opened', 'refused', 'active'] as const

function parseSample(data: string): LiveSample | undefined {
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch {
    return undefined
  }
  const { at, tunnels } = (value ?? {}) as Partial<LiveSample>
  if (typeof at !== 'number' || typeof tunnels !== 'object' || tunnels === null) return undefined
  const areFigures = Object.values(tunnels).every((figures) =>
    numberFields.every((field) => Number.isFinite(figures?.[field])),
  )
  return areFigures ? { at, tunnels } : undefined
}
