/** The standalone server as a user starts it, in a child process with a data folder of its own. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keyCreatedSchema, tokensSchema } from '@porttunneler/shared/api/schemas/accounts'
import { freeRange } from '@porttunneler/shared/testing/ports'
import { z } from 'zod'
import { eventually } from './events.ts'
import { childrenOf, type Program, runProgram, startProgram, textOf } from './programs.ts'
import { callApi, type Service } from './service.ts'

/** The password of each account that a test makes. */
export const password = 'correct horse battery'

/** What the server writes for scripts. */
const standaloneSchema = z.object({
  console: z.url(),
  api: z.url(),
  pid: z.int(),
  account: z.object({ email: z.string(), password: z.string() }).optional(),
  demo: z.object({ http: z.url(), tcp: z.string() }).optional(),
})
export type StandaloneFile = z.infer<typeof standaloneSchema>

export type Standalone = {
  readonly program: Program
  readonly folder: string
  readonly file: StandaloneFile
}

export type StandaloneOptions = {
  /** A folder that the caller keeps. Default: a fresh one. */
  readonly folder: string
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly namespace?: string
  readonly uid?: number
  readonly gid?: number
  /** What is started: the server itself, or start.ts of a folder. */
  readonly entry?: string
  /** Relays run from the bundle, as with `npm start`, in half the time that they need from source. Default: true. */
  readonly isBundled?: boolean
}

/**
 * Settings with ports that stay free: of a range that no other test takes ports from, nor the system for outgoing
 * connections. A restart uses the same ones. There is no demo: its agent is a second of a core at each start, so tests
 * that need it say so.
 */
export async function freeSettings(): Promise<Readonly<Record<string, string>>> {
  const { from, to } = await freeRange()
  return {
    PORTTUNNELER_CONSOLE_PORT: `${from}`,
    PORTTUNNELER_HTTP_PORT: `${from + 1}`,
    PORTTUNNELER_TLS_PORT: `${from + 2}`,
    PORTTUNNELER_METRICS_PORT: `${from + 3}`,
    PORTTUNNELER_TCP_PORTS: `${from + 4}-${to}`,
    PORTTUNNELER_DEMO: 'false',
  }
}

export function temporaryFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `ptun-${name}-`))
}

/** Resolves when standalone.json of exactly this process is there and its API answers. */
export async function startStandalone({
  folder,
  env = {},
  isBundled = true,
  entry = 'standalone/main.ts',
  ...place
}: StandaloneOptions): Promise<Standalone> {
  const program = await startProgram('node', [entry, ...(isBundled ? ['--bundled'] : [])], {
    env: { PORTTUNNELER_DATA: folder, ...env },
    ...place,
  })
  try {
    const up = eventually(
      'the server is up',
      async () => {
        const said = standaloneSchema.parse(JSON.parse(readFileSync(join(folder, 'standalone.json'), 'utf8')))
        if (said.pid !== program.pid) return undefined
        const answer = await fetch(`${said.api}/v1/config`, { signal: AbortSignal.timeout(10_000) })
        return answer.ok ? said : undefined
      },
      120_000,
    )
    const ended = program.exited.then(({ code }): never => {
      throw new Error(`it ended with ${code}`)
    })
    return { program, folder, file: await Promise.race([up, ended]) }
  } catch (cause) {
    await program.stop('SIGKILL')
    const said = [textOf(program, 'stdout'), textOf(program, 'stderr').slice(-2_000)].join('\n')
    throw new Error(`the standalone server did not start:\n${said}`, { cause })
  }
}

/** Settings that a service is started with, beside free ports. */
export type ServiceSettings = {
  readonly env?: StandaloneOptions['env']
  /** The text of standalone.yaml. */
  readonly yaml?: string
}

/** For the suites that run on every platform. */
export async function startStandaloneService({ env, yaml }: ServiceSettings = {}): Promise<Service> {
  const folder = temporaryFolder('server')
  if (yaml !== undefined) writeFileSync(join(folder, 'standalone.yaml'), yaml, { mode: 0o600 })
  const { program, file } = await startStandalone({ folder, env: { ...(await freeSettings()), ...env } })
  return {
    ...(await firstLogin({ file })),
    ...(file.demo && { demo: file.demo }),
    addressOf: (_host, port) => ({ host: '127.0.0.1', port }),
    faults: {
      killRelay: () => killRelay(program.pid),
      freezeControlPlane: () => {
        program.send('SIGSTOP')
        return () => program.send('SIGCONT')
      },
    },
    people: {
      signUp: (email, code) => joinByMail({ program, folder, file }, { email, password, code }),
      mailTo: (email, subject) => mailTo(folder, { email, subject }),
      operator: async (...words) => {
        const args = ['ptunctl/ptunctl.js', '--data', folder, '--json', ...words]
        return JSON.parse((await runProgram('node', args)).stdout)
      },
    },
    stop: async () => {
      program.send('SIGCONT')
      await program.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Who the first start has shown, and a key of that account. */
export async function firstLogin({
  file,
}: Pick<Standalone, 'file'>): Promise<Pick<Service, 'api' | 'account' | 'key'>> {
  if (!file.account) throw new Error('a first start shows its account')
  const login = { api: new URL(file.api).origin, account: file.account }
  return { ...login, key: await makeKey(login) }
}

/** Signs in with the password, as the console does, and makes a key as a user would. */
export async function makeKey({ api, account }: Pick<Service, 'api' | 'account'>): Promise<string> {
  const tokens = tokensSchema.parse(await callApi({ api, key: '' }, 'POST', '/v1/auth/login', account))
  const answer = await callApi({ api, key: tokens.accessToken }, 'POST', '/v1/keys', {
    name: 'end-to-end tests',
    scopes: ['read', 'tunnels', 'admin'],
  })
  return keyCreatedSchema.parse(answer).secret
}

async function killRelay(pid: number): Promise<void> {
  const relay = relayOf(pid)
  if (relay === undefined) throw new Error('the server has no relay')
  process.kill(relay, 'SIGKILL')
  await eventually('another relay runs', () => (relayOf(pid) ?? relay) !== relay || undefined)
}

/** The relays of a server, from source or from their bundle. */
export function relaysOf(pid: number): ReturnType<typeof childrenOf> {
  return childrenOf(pid).filter(({ command }) => /relay-vm\/(main\.ts|dist\/relay\.cjs)/.test(command))
}

/** The relay's process id, while it has one. */
export function relayOf(pid: number): number | undefined {
  return relaysOf(pid)[0]?.pid
}

/** Makes an account as a person does, with the link of the mail, which waits in a file. @returns an access token */
export async function joinByMail(
  { folder, file }: Standalone,
  {
    email,
    password,
    code,
  }: { readonly email: string; readonly password: string; readonly code?: string | undefined },
): Promise<string> {
  const post = (path: string, body: object) =>
    fetch(`${new URL(file.api).origin}/v1/auth/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(60_000),
    })
  await post('register', { email, code })
  const letter = await mailTo(folder, { email, subject: 'Your PortTunneler account' })
  const token = /token=(\S+)/.exec(letter)?.[1]
  const answer = await post('register/confirm', { token, password })
  return tokensSchema.parse(await answer.json()).accessToken
}

/** Waits for the mail, which is a file. @returns its text */
function mailTo(
  folder: string,
  { email, subject }: { readonly email: string; readonly subject: string },
): Promise<string> {
  const mails = join(folder, 'mail')
  return eventually(`a mail to ${email}: ${subject}`, async () => {
    const names = readdirSync(mails, { encoding: 'utf8' }).filter((name) => name.endsWith('.txt'))
    const texts = names.map((name) => readFileSync(join(mails, name), 'utf8'))
    return texts.find((text) => {
      const [, to, about = ''] = /^To: (.*)\nSubject: (.*)$/m.exec(text) ?? []
      // An empty rest: it is still being written.
      return to === JSON.stringify(email) && about.includes(subject) && text.endsWith('\n')
    })
  })
}
