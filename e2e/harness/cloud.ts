/** The cloud on this machine as `npm run cloud:local` starts it, in a child process with a data folder of its own. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { z } from 'zod'
import type { EmulatorHosts } from '../../functions/testing/emulators.ts'
import { signInAt } from '../cloud-local/sign-in.ts'
import { noMetadata } from './auth-emulator.ts'
import { eventually } from './events.ts'
import { childrenOf, type Program, runProgram, startProgram, textOf } from './programs.ts'
import { callApi, type People, type Service } from './service.ts'
import { freeSettings, password, type ServiceSettings, temporaryFolder } from './standalone.ts'

const reportSchema = z.object({
  pid: z.int(),
  console: z.url(),
  api: z.url(),
  project: z.string(),
  account: z.object({ email: z.string(), password: z.string() }),
  key: z.string(),
})

/** Includes builds, should they be stale. */
const startMs = 120_000

export type CloudService = Service & {
  readonly program: Program
  /** Kills one of the two relays as a crash would; resolves once it is gone, not when it is back. */
  killOneRelay(): Promise<void>
}

/** Two relays in one cell. The emulators are those of the test run; their data is separated by project. */
export async function startCloudService(
  hosts: EmulatorHosts,
  { env, yaml }: ServiceSettings = {},
): Promise<CloudService> {
  const folder = temporaryFolder('cloud')
  if (yaml !== undefined) writeFileSync(join(folder, 'standalone.yaml'), yaml, { mode: 0o600 })
  const args = ['--relays', '2', '--sign-in', 'stand-in', '--data', folder]
  const program = await startProgram('node', ['e2e/cloud-local/main.ts', ...args], {
    env: {
      ...(await freeSettings()),
      PORTTUNNELER_OWN_PORTS: '0',
      PORTTUNNELER_METRICS_PORT: '0',
      ...env,
      FIRESTORE_EMULATOR_HOST: hosts.firestore,
      PUBSUB_EMULATOR_HOST: hosts.pubsub,
    },
  })
  const report = await readReport(program, join(folder, 'cloud-local.json'))
  return {
    program,
    api: new URL(report.api).origin,
    account: report.account,
    key: report.key,
    addressOf: (_host, port) => ({ host: '127.0.0.1', port }),
    relays: ['r1', 'r2'],
    faults: {
      killRelay: () => killRelays(program.pid),
      freezeControlPlane: () => freeze(program.pid),
    },
    people: peopleOf({ folder, project: report.project, api: new URL(report.api).origin }),
    killOneRelay: () => killOneRelay(program.pid),
    stop: async () => {
      const children = childrenOf(program.pid)
      await program.stop()
      const left = children.filter(({ pid }) => existsSync(`/proc/${pid}`))
      if (left.length > 0) throw new Error(`left running: ${left.map(({ command }) => command).join('; ')}`)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function peopleOf({ folder, project, api }: { folder: string; project: string; api: string }): People {
  const file = join(folder, 'operator.env')
  return {
    signUp: async (email) => {
      const { FIREBASE_AUTH_EMULATOR_HOST: host = '' } = parseEnv(readFileSync(file, 'utf8'))
      const key = await signInAt(host, project, { email, password })
      // The accounts are known here once they have made a request.
      await callApi({ api, key }, 'GET', '/v1/me')
      return key
    },
    operator: async (...words) => {
      const args = [`--env-file=${file}`, 'ptunctl/ptunctl.js', '--json', ...words]
      return JSON.parse((await runProgram('node', args, { env: noMetadata })).stdout)
    },
  }
}

async function readReport(program: Program, file: string): Promise<z.infer<typeof reportSchema>> {
  const ended = program.exited.then(({ code }): never => {
    throw new Error(`it ended with ${code}`)
  })
  try {
    const up = eventually(
      'the cloud is up',
      () => reportSchema.parse(JSON.parse(readFileSync(file, 'utf8'))),
      startMs,
    )
    return await Promise.race([up, ended])
  } catch (cause) {
    await program.stop('SIGKILL')
    const said = [textOf(program, 'stdout'), textOf(program, 'stderr').slice(-3_000)].join('\n')
    throw new Error(`the cloud did not start:\n${said}`, { cause })
  }
}

/** Kills all relays of the cell at once: the hardest case. */
async function killRelays(pid: number): Promise<void> {
  const before = relaysOf(pid)
  for (const relay of before) process.kill(relay, 'SIGKILL')
  await eventually('other relays run', () => {
    const now = relaysOf(pid).filter((relay) => !before.includes(relay))
    return now.length === before.length || undefined
  })
}

async function killOneRelay(pid: number): Promise<void> {
  const [relay] = relaysOf(pid)
  if (relay === undefined) throw new Error('there is no relay')
  process.kill(relay, 'SIGKILL')
  // A process that is ending has no command any more, but still its sockets.
  const isThere = () => childrenOf(pid).some((child) => child.pid === relay)
  await eventually('the relay is gone', () => !isThere() || undefined)
}

/** Stops the function that serves the API; requests wait for it. */
function freeze(pid: number): () => void {
  const api = childrenOf(pid).find(({ command }) => command.includes('--target api'))?.pid
  if (api === undefined) throw new Error('no process serves the API')
  process.kill(api, 'SIGSTOP')
  return () => void process.kill(api, 'SIGCONT')
}

function relaysOf(pid: number): readonly number[] {
  return childrenOf(pid).flatMap((child) => (/relay-vm\//.test(child.command) ? [child.pid] : []))
}
