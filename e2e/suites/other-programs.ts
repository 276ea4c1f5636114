/** Programs that know nothing about tunnels, at both ends of one: PostgreSQL with psql, sshd with ssh. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isWhole } from '../breadth.ts'
import { type Agent, startAgent } from '../harness/agent.ts'
import { type Postgres, startPostgres } from '../harness/postgres.ts'
import { runProgram } from '../harness/programs.ts'
import { visitorAddress } from '../harness/service.ts'
import type { Address } from '../harness/sockets.ts'
import { type SshServer, startSsh } from '../harness/ssh.ts'
import { describeWith, programPath } from '../requirements.ts'
import type { Context } from './context.ts'

const rowCount = isWhole ? 100_000 : 20_000

export function describeOtherPrograms(context: Context): void {
  describeWith(['initdb', 'psql'], 'PostgreSQL through a tcp tunnel', () => {
    let postgres: Postgres
    let agent: Agent
    let endpoint: Address

    beforeAll(async () => {
      postgres = await startPostgres()
      agent = await startAgent(context.service, {
        db: { kind: 'tcp', upstream: postgres.port },
        local: { kind: 'tcp', upstream: `unix:${postgres.socket}` },
      })
      endpoint = visitorAddress(context.service, await agent.online('db'))
    })
    afterAll(async () => {
      await agent?.stop()
      await postgres?.close()
    })

    const psql = async (at: Address, commands: string) => {
      const options = ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'postgres', '-U', postgres.user]
      const { exit, stdout, stderr } = await runProgram(
        programPath('psql'),
        [...options, '-h', at.host, '-p', String(at.port), '-f', '-'],
        { input: `${commands}\n` },
      )
      return { code: exit.code, stdout, stderr }
    }

    test('all rows written through it are there', async () => {
      const rows = Array.from({ length: rowCount }, (_, index) => `${index}\t${'row'.repeat(index % 9)}`)
      const table = 'create table rows (id int primary key, text text not null);'
      const written = await psql(endpoint, `${table}\ncopy rows from stdin;\n${rows.join('\n')}\n\\.`)
      expect(written).toEqual({ code: 0, stdout: '', stderr: '' })
      const sum = "select count(*), md5(string_agg(id || text, ',' order by id)) from rows;"
      const direct = await psql({ host: '127.0.0.1', port: postgres.port }, sum)
      expect(direct.stdout).toMatch(new RegExp(`^${rowCount}\\|[0-9a-f]{32}$`))
      expect(await psql(endpoint, sum)).toEqual(direct)
      const read = await psql(endpoint, 'copy (select * from rows order by id) to stdout;')
      expect(read.stdout.split('\n')).toEqual(rows)
    })

    test('it is reached by its unix socket too', async () => {
      const local = visitorAddress(context.service, await agent.online('local'))
      // Over TCP it would be an address.
      const where = "select coalesce(host(inet_server_addr()), 'unix'), repeat('x', 300000) ~ '^x+$';"
      expect(await psql(local, where)).toEqual({ code: 0, stdout: 'unix|t', stderr: '' })
      expect((await psql(local, "select repeat('x', 3000000);")).stdout).toHaveLength(3_000_000)
    })

    test("the server's own errors come through", async () => {
      const { code, stderr } = await psql(endpoint, 'select * from nowhere;')
      expect(code).toBe(3)
      expect(stderr).toContain('relation "nowhere" does not exist')
    })
  })

  describeWith(['sshd', 'ssh', 'sshKeygen'], 'SSH through a tcp tunnel', () => {
    let server: SshServer
    let agent: Agent
    let endpoint: Address

    beforeAll(async () => {
      server = await startSsh()
      agent = await startAgent(context.service, { shell: { kind: 'tcp', upstream: server.port } })
      endpoint = visitorAddress(context.service, await agent.online('shell'))
    })
    afterAll(async () => {
      await agent?.stop()
      await server?.close()
    })

    const ssh = (command: string, input = '') =>
      runProgram(programPath('ssh'), [...server.arguments(endpoint), command], {
        input,
      })

    test('a session runs commands and hands back output, errors and exit status', async () => {
      const { exit, stdout, stderr } = await ssh('echo out; echo err >&2; exit 7')
      expect({ code: exit.code, stdout, stderr }).toEqual({ code: 7, stdout: 'out', stderr: 'err' })
    })

    test('a shell is talked to line by line', async () => {
      const { exit, stdout } = await ssh('sh', 'echo one\necho $((40 + 2))\n')
      expect({ code: exit.code, stdout }).toEqual({ code: 0, stdout: 'one\n42' })
    })

    test('megabytes come through a pipe unchanged', async () => {
      const { stdout } = await ssh('head -c 8388608 /dev/zero | tr "\\0" "z"')
      expect(createHash('sha256').update(stdout).digest('hex')).toBe(
        createHash('sha256').update('z'.repeat(8_388_608)).digest('hex'),
      )
    })
  })
}
