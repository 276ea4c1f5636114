/** What pages need beside the server: programs that readers have, at the ports that the pages name. */

import type { Need } from '../harness/installed.ts'
import { startPostgres } from '../harness/postgres.ts'
import { startSsh } from '../harness/ssh.ts'
import { askMinecraft, type Stop, startMinecraft } from './minecraft.ts'

type Surrounding = {
  readonly needs: readonly Need[]
  start(): Promise<{ readonly ssh?: readonly string[]; readonly stop: Stop }>
  /** Looks at the end, while all still runs. @throws where it is not as the page says */
  look?(): Promise<void>
}

export const surroundings: Readonly<Record<string, Surrounding>> = {
  'guides/ssh.md': {
    needs: ['sshd', 'ssh', 'sshKeygen'],
    start: async () => {
      const server = await startSsh(22)
      return { ssh: server.options, stop: () => server.close() }
    },
  },
  'guides/postgresql.md': {
    needs: ['psql', 'postgres', 'initdb'],
    start: async () => {
      const server = await startPostgres(5432)
      return { stop: () => server.close() }
    },
  },
  'guides/minecraft.md': {
    needs: [],
    start: async () => ({ stop: await startMinecraft(25_565) }),
    look: async () => {
      const said = await askMinecraft(20_065)
      if (!said.includes('A stand-in')) throw new Error(`the server's status is ${said}`)
    },
  },
}
