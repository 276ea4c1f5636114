/** What every command gets: where and how to write, and which server to call as whom. */
import { hostname } from 'node:os'
import type { Client } from '@porttunneler/shared/api/client'
import type { ClientOptions } from '@porttunneler/shared/api/client-call'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { type Credential, currentServer, readCredential } from './credentials.ts'
import { httpFetch } from './http-fetch.ts'
import { type Paint, paintFor, withColoursOnly } from './output/format.ts'
import type { Input } from './output/live/keyboard.ts'
import type { Environment } from './paths.ts'
import { type ChooseProxy, proxyChooser } from './proxy/settings.ts'
import { version } from './version.ts'

/** The default server of commands: the console and API port of a standalone server. */
const defaultServer = 'http://localhost:8400'

/** The part of a writable stream that commands use; `process.stdout` is one. */
export type Output = {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  readonly rows?: number | undefined
  write(text: string): unknown
  on?(event: 'resize', listener: () => void): unknown
  off?(event: 'resize', listener: () => void): unknown
}

export type Context = {
  readonly env: Environment
  readonly stdout: Output
  readonly stderr: Output
  /** Where keys come from, opened when it is asked for; undefined: nobody can press any. */
  readonly input?: () => Input
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** --server as written. */
  readonly server?: string
  /** --account as written, or PTUN_ACCOUNT. */
  readonly account?: string
  /** One JSON object on each line, and nothing else. */
  readonly isJson: boolean
  readonly isVerbose: boolean
  /** `proxy` of the present ptun.yaml. */
  readonly proxy?: () => string | undefined
}

/** A line for people; silent with --json. */
export function say(context: Context, ...lines: readonly string[]): void {
  if (!context.isJson) context.stdout.write(lines.map((line) => `${withColoursOnly(line)}\n`).join(''))
}

/** Something that people should see even when the output goes into a file. */
export function warn(context: Context, line: string): void {
  if (!context.isJson) context.stderr.write(`${withColoursOnly(line)}\n`)
}

/** A line for programs; silent without --json. Event names are documented in docs/cli.md and stay. */
export function tell(
  context: Context,
  event: { readonly event: string; readonly [field: string]: unknown },
): void {
  if (context.isJson) context.stdout.write(`${JSON.stringify(event)}\n`)
}

export function paintOf({ stdout, env }: Context): Paint {
  return paintFor(stdout.isTTY === true, env)
}

/**
 * The server to call: --server, PTUN_SERVER, the one signed in to last, or the default.
 * @throws cli.server, login.unsafe, login.damaged
 */
export async function serverOf(context: Context): Promise<string> {
  const named = context.server ?? context.env.PTUN_SERVER
  return parseServer(named || ((await currentServer(context.env)) ?? defaultServer))
}

/** An origin, without a final slash. @throws cli.server */
function parseServer(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol))
    throw fail('cli.server', `"${text}" is not an http or https address.`)
  if (url.username || url.password)
    throw fail('cli.server', 'An address of a server has no user and password in it.')
  if (url.pathname !== '/' || url.search || url.hash)
    throw fail('cli.server', `"${text}" has a path; write ${url.origin}.`)
  return url.origin
}

export type Connection = { readonly client: Client; readonly server: string; readonly credential: Credential }

/** A client that acts as the signed-in user. @throws login.*, cli.server */
export async function connectApi(context: Context): Promise<Connection> {
  const server = await serverOf(context)
  const credential = await readCredential(context.env, server, context.account)
  return { client: await clientFor(context, server, credential), server, credential }
}

/** Decides what goes through a proxy, and through which. */
export function proxyChooserOf({ env, proxy = () => undefined }: Context): ChooseProxy {
  return proxyChooser(env, proxy)
}

/** Without a credential it can only call what needs none (signing in). */
export async function clientFor(context: Context, server: string, credential?: Credential): Promise<Client> {
  if (isExposed(server))
    warn(context, `Warning: ${server} is not encrypted, so others on the way can read your key.`)
  const { makeClient } = await import('@porttunneler/shared/api/client')
  return makeClient(callOptionsFor(context, server, credential))
}

/** The version of this program, of Node, and the system: people see them beside their agents. */
function programName(): string {
  return `ptun/${version} node/${process.versions.node} ${process.platform}`
}

/** How ptun calls the API. */
export function callOptionsFor(context: Context, server: string, credential?: Credential): ClientOptions {
  return {
    baseUrl: server,
    fetch: httpFetch(proxyChooserOf(context)),
    clock: context.clock,
    random: context.random,
    headers: {
      'user-agent': `${programName()} host/${hostname()
        .replace(/[^\w.-]/g, '-')
        .slice(0, 63)}`,
    },
    ...(credential && { token: () => credential.key.reveal() }),
  }
}

function isExposed(server: string): boolean {
  const url = new URL(server)
  return url.protocol === 'http:' && !/^(localhost|127\.[0-9.]+|\[::1\]|.*\.localhost)$/.test(url.hostname)
}
