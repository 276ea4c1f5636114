/** How many BIND and UNBIND a relay reads from a session, by their size: a longer ticket costs more to read. */
import { PerMinute } from '../base/per-minute.ts'
import { FrameType } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'

export class BindsHeard {
  readonly #perMinute = new PerMinute(limits.bindsHeardPerMinute)

  /** @returns false for one too many; other frames are not counted */
  allows(type: FrameType, bytes: number, nowMs: number): boolean {
    if (type !== FrameType.bind && type !== FrameType.unbind) return true
    return this.#perMinute.allows(nowMs, Math.ceil(bytes / limits.bindBytes))
  }
}
