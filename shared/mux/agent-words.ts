/** What the agent said about a stream besides its bytes. Every report repeats it, because nothing else does. */
import { FrameType } from '../protocol/frames.ts'
import type { Carrier } from './carrier.ts'

export class AgentWords {
  #openedMs = -1
  #answer: 'upgraded' | 'plain' | undefined

  opened(stream: number, connectMs: number, carrier: Carrier | undefined): void {
    this.#openedMs = connectMs
    carrier?.frames.sendOpened(stream, connectMs)
  }

  answered(stream: number, answer: 'upgraded' | 'plain', carrier: Carrier | undefined): void {
    this.#answer = answer
    carrier?.frames.sendEmpty(FrameType[answer], stream)
  }

  sayAgain(stream: number, carrier: Carrier): void {
    if (this.#openedMs >= 0) carrier.frames.sendOpened(stream, this.#openedMs)
    if (this.#answer) carrier.frames.sendEmpty(FrameType[this.#answer], stream)
  }
}
