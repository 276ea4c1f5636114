/** Commands from the parent process over Node's IPC channel: `{ command }` messages, as the standalone server sends. */
import { commandSchema } from '@porttunneler/shared/api/schemas/relays'
import type { Log } from '@porttunneler/shared/base/log'
import { z } from 'zod'
import type { CommandSource } from './commands.ts'

const messageSchema = z.object({ command: commandSchema })

/** The part of `process` that carries the messages. */
export type IpcChannel = {
  on(event: 'message', listener: (message: unknown) => void): unknown
  off(event: 'message', listener: (message: unknown) => void): unknown
}

export function ipcCommands(channel: IpcChannel, log: Log): CommandSource {
  let listener: ((message: unknown) => void) | undefined
  return {
    start(onCommand) {
      listener = (message) => {
        const parsed = messageSchema.safeParse(message)
        if (parsed.success) onCommand(parsed.data.command)
        else log.warn({ issues: parsed.error.issues }, 'A message of the parent process is no command')
      }
      channel.on('message', listener)
    },
    close() {
      if (listener !== undefined) channel.off('message', listener)
      listener = undefined
    },
  }
}
