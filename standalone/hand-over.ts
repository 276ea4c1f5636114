/**
 * How a newer server takes over from the running one. Both are children of start.ts, which passes their messages on:
 * the newer asks for one part after the other and gets an answer when that part is free. If the newer one ends instead,
 * the older takes back what it gave up (`resume`). Their versions differ, so messages say little, every field is
 * optional, and unknown ones are ignored.
 */
import { type Command, commandSchema } from '@porttunneler/shared/api/schemas/relays'
import { z } from 'zod'
import { relayPortsSchema } from './relay.ts'

/**
 * `control`: lock, store and console port; `relay`: one of them, when the next one listens; `rest`: everything left,
 * after which the older server ends.
 */
const askSchema = z.discriminatedUnion('ask', [
  z.object({ ask: z.literal('control') }),
  z.object({ ask: z.literal('relay'), index: z.int() }),
  z.object({ ask: z.literal('rest') }),
])
export type Ask = z.infer<typeof askSchema>

const givenSchema = z.object({
  consolePort: z.int().optional(),
  /**
   * The ports of each relay: those that the system chose are kept, or agents and visitors would lose their addresses.
   */
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

/** This process, as the child of start.ts. */
export type Channel = {
  send(message: object): void
  onMessage(listener: (message: unknown) => void): void
}

/** The newer server's end. */
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

  /** One question at a time. Resolves when that part is free, or when the other server is gone. */
  async ask(ask: Ask): Promise<Given> {
    if (this.#isGone) return nothing
    this.#waiting = Promise.withResolvers<Given>()
    this.#channel.send(ask)
    return await this.#waiting.promise
  }

  /** Passes a command to the relays that it still has. */
  pass(command: Command): void {
    if (!this.#isGone) this.#channel.send({ command })
  }
}

export type Giver = {
  give(ask: Ask): Promise<Partial<Given>>
  resume(): Promise<void>
  pass(command: Command): void
  /** One of these failed; the hand-over goes on. */
  onTrouble(error: unknown): void
}

/** The running server's end: does what a newer one asks, in order. */
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
