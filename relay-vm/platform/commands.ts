/**
 * Brings commands to a relay fast; `sync` makes sure that they arrive. There is one implementation a technology:
 * commands.ipc.ts (child of the standalone server), commands.pubsub.ts (Google Cloud).
 */
import type { Command } from '@porttunneler/shared/api/schemas/relays'

export interface CommandSource {
  /** Calls `onCommand` for every command, at least once and in any order, until closed. */
  start(onCommand: (command: Command) => void): void
  close(): Promise<void> | void
}

/** For a relay that has only `sync`. */
export const noCommands: CommandSource = { start() {}, close() {} }
