/**
 * What the inspector of an agent says about the requests that pass (docs/inspector.md). The agent makes it and its
 * page shows it; the server knows nothing of it. Secrets are replaced before any of this is made.
 */

/** A header line: name as it came, value, both Latin-1. */
export type HeaderLine = readonly [name: string, value: string]

/** One half of an exchange: a request, or its answer. */
export type InspectedMessage = {
  readonly headers: readonly HeaderLine[]
  /** Bytes of the body that have passed, its chunk sizes not counted. */
  readonly bytes: number
  /** How many of them, from the first, are kept. */
  readonly keptBytes: number
  /** It has ended in order. */
  readonly isWhole: boolean
}

/** Milliseconds since the first byte of the request came; a phase that has not come is missing. */
export type Phases = {
  /** The request was complete. */
  readonly asked?: number
  /** The upstream took the connection; missing where it was open before. */
  readonly connected?: number
  /** The head of the answer was there. */
  readonly answered?: number
  /** The answer was complete, or the connection broke. */
  readonly ended?: number
}

/** A line of the list. */
export type InspectedSummary = {
  /** Rises by one with each request of this agent. */
  readonly id: number
  /** Rises with each change of any request, so that a page knows what it has missed. */
  readonly revision: number
  readonly tunnel: string
  readonly visitor: string
  /** Wall ms. */
  readonly at: number
  readonly method: string
  readonly host: string
  /** Path and query, secrets replaced. */
  readonly target: string
  /** Missing until the answer's head has come, or if none will. */
  readonly status?: number
  /** The answer's Content-Type, without parameters. */
  readonly type?: string
  readonly requestBytes: number
  readonly answerBytes: number
  readonly ms?: number
  /**
   * What ended it before its time: `PT-nnnn`, a number of a newer relay, `unanswered` or `cut` if the upstream closed
   * without an answer or within it, `unread` if its bytes are no HTTP that everybody reads alike.
   */
  readonly failure?: string
  readonly isPinned: boolean
  /** The request that this one repeats. */
  readonly replayOf?: number
  /** What a webhook's signature proved to be, where one was wanted. */
  readonly signature?: SignatureVerdict
  /** How many frames or events have passed, if it became a WebSocket or a stream of events. */
  readonly messages?: number
}

export type SignatureVerdict = 'valid' | 'wrong' | 'missing' | 'old' | 'unchecked'

export type InspectedDetail = InspectedSummary & {
  readonly request: InspectedMessage
  readonly answer?: InspectedMessage
  readonly phases: Phases
  /** How many values were hidden; a replay sends them as they came. */
  readonly hidden: number
}

/** A WebSocket frame's message, or an event of a stream of them. */
export type InspectedFrame = {
  /** Its place, from 1; earlier ones may have been dropped. */
  readonly n: number
  /** Wall ms. */
  readonly at: number
  readonly from: 'visitor' | 'upstream'
  readonly kind: 'text' | 'binary' | 'close' | 'ping' | 'pong' | 'event'
  readonly bytes: number
  /** Text, or hexadecimal digits of what is binary; the beginning if it is long. */
  readonly text: string
  readonly isCut: boolean
  /** It came compressed and was unpacked; this many bytes were on the way. */
  readonly packedBytes?: number
  /** It came compressed and was not unpacked. */
  readonly isPacked?: boolean
}

/** A connection of a tcp or tls tunnel. */
export type InspectedConnection = {
  readonly id: number
  readonly tunnel: string
  readonly visitor: string
  /** Wall ms. */
  readonly at: number
  /** Missing while it is open. */
  readonly ms?: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** `PT-nnnn`, or a number; missing if it ended in order. */
  readonly code?: string
}

/** What the page needs to know first. */
export type InspectorAbout = {
  readonly version: string
  readonly tunnels: readonly string[]
  /** Values of these are replaced when they are seen. */
  readonly redacted: { readonly headers: readonly string[]; readonly parameters: readonly string[] }
  readonly limits: {
    readonly bytes: number
    readonly bodyBytes: number
    readonly requests: number
    readonly pinnedBytes: number
  }
  readonly usedBytes: number
}

export type InspectedPage = {
  readonly requests: readonly InspectedSummary[]
  /** Give it as `before` to read on; missing at the end. */
  readonly next?: number
  /** The highest revision so far. */
  readonly revision: number
}

/** Missing parts stay as the request had them. */
export type ReplayWish = {
  readonly times?: number
  readonly method?: string
  readonly target?: string
  readonly headers?: readonly HeaderLine[]
  readonly body?: string
}

export type ReplayAnswer = {
  /** Numbers of the requests that were made. */
  readonly ids: readonly number[]
  /** How many hidden values were sent as they came. */
  readonly revealed: number
}

/** A body with its codings taken off. */
export type InspectedBody = {
  readonly kind: 'empty' | 'json' | 'form' | 'multipart' | 'text' | 'image' | 'binary'
  /** The whole Content-Type, in small letters. */
  readonly type: string
  readonly bytes: number
  /** What was taken off, outermost first. */
  readonly codings: readonly string[]
  /** It is not in the coding that its header names, so it is shown as it came. */
  readonly isBroken: boolean
  readonly isCut: boolean
  /** Text, or the first bytes in hexadecimal digits of what is none. */
  readonly text: string
}
