/**
 * How a newer server takes over from the one that runs. Both are children of start.ts, which passes what they say on:
 * the newer asks for one thing after the other, and is answered when it is free. What the older has given up it takes
 * back when the newer one ends instead (`resume`). The two are of different versions, so messages say little, every
 * field may be missing, and what is not understood is left alone.
 */
import { type Command, commandSchema } from '@porttunneler/shared/api/schemas/relays'
import { z } from 'zod'
import { relayPortsSchema } from './relay.ts'

/**
 * `control`: lock, store and console port; `relay`: one of them, when the next one listens; `rest`: all that is left,
 * whereupon it ends.
 */
const askSchema = z.discriminatedUnion('ask', [
  z.object({ ask: z.literal('control') }),
  z.object({ ask: z.literal('relay'), index: z.int() }),
  z.object({ ask: z.literal('rest') }),
])
export type Ask = z.infer<typeof askSchema>

const givenSchema = z.object({
  consolePort: z.int().optional(),
  /** Of each relay: what the system chose is kept, or agents and visitors would lose their addresses. */
  relayPorts: z.array(relayPortsSchema).default([]),
})
export type Given = z.infer<typeof givenSchema>

const nothing = givenSchema.parse({})

const messageSchema = z.object({
  given: givenSchema.optional().catch(undefined),
  command: commandSchema.optional().catch(undefined),
  resume: z.boolean().optional(),
  gone: z.boolean().optional(),
})

/** The process itself, as the child of start.ts. */
export type Channel = {
  send(message: object): void
  onMessage(listener: (message: unknown) => void): void
}

/** The end of the newer server. */
export class Predecessor {
  readonly #channel: Channel
  #waiting: PromiseWithResolvers<Given> | undefined
  #isGone = false

  constructor(channel: Channel) {
    this.#channel = channel
    channel.onMessage((message) => {
      const { given, gone } = messageSchema.safeParse(message).data ?? {}
      if (gone) this.#isGone = true
      if (gone || given) this.#waiting?.resolve(given ?? nothing)
    })
  }

  /** It ended in the middle of the hand-over: its relays may still drain. */
  get isGone(): boolean {
    return this.#isGone
  }

  /** One question at a time. Resolves when that is free; also when the other is gone. */
  async ask(ask: Ask): Promise<Given> {
    if (this.#isGone) return nothing
    this.#waiting = Promise.withResolvers<Given>()
    this.#channel.send(ask)
    return await this.#waiting.promise
  }

  /** For the relays that it still has. */
  pass(command: Command): void {
    if (!this.#isGone) this.#channel.send({ command })
  }
}

export type Giver = {
  give(ask: Ask): Promise<Partial<Given>>
  resume(): Promise<void>
  pass(command: Command): void
  /** Something went wrong in one of these; the hand-over goes on. */
  onTrouble(error: unknown): void
}

/** The end of the server that runs: does what a newer one asks, in order. */
export function serveSuccessor(channel: Channel, { give, resume, pass, onTrouble }: Giver): void {
  let work: Promise<void> = Promise.resolve()
  const then = (step: () => Promise<void>) => {
    work = work.then(step).catch(onTrouble)
  }
  channel.onMessage((message) => {
    const { command, resume: isBack } = messageSchema.safeParse(message).data ?? {}
    const ask = askSchema.safeParse(message).data
    if (command) pass(command)
    if (isBack) then(resume)
    if (ask)
      then(async () => {
        const given = await give(ask).catch((error: unknown): Partial<Given> => {
          onTrouble(error)
          return {}
        })
        channel.send({ given })
      })
  })
}
