/** `ptun doctor` looks at this machine: the program, its folders, running agents, and upstreams. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { dialUpstream } from '../agent/dial-upstream.ts'
import { readStatuses } from '../agent/status-socket.ts'
import type { WantedTunnel } from '../agent/tunnels.ts'
import { formatUpstream } from '../agent/upstream.ts'
import { type Config, configName, readConfig } from '../config.ts'
import type { Context } from '../context.ts'
import { runtimeFolder, stateFolder, writePrivateFile } from '../paths.ts'
import { version } from '../version.ts'
import { type Finding, failed, fine } from './check.ts'

export function lookAtProgram(): Finding {
  return fine('ptun', `${version} on Node ${process.versions.node}, ${process.platform} ${process.arch}`)
}

/** @throws cli.folder */
export async function lookAtFolders({ env }: Context): Promise<Finding> {
  const folders = [...new Set([stateFolder(env), runtimeFolder(env)])]
  for (const folder of folders) {
    const trial = join(folder, `.doctor-${process.pid}`)
    await writePrivateFile(trial, '')
    await rm(trial, { force: true })
  }
  return fine('folders', `${folders.join(' and ')} can be written`)
}

export async function lookAtAgents({ env, clock }: Context): Promise<readonly Finding[]> {
  const agents = await readStatuses(runtimeFolder(env), clock)
  if (agents.length === 0) return [fine('agents', 'none runs on this machine now')]
  return agents.flatMap(({ pid, tunnels, relays, serverProblem }) => {
    const name = `agent ${pid}`
    const online = tunnels.filter(({ state }) => state === 'online').length
    const joined = relays.filter(({ state }) => state === 'connected').length
    const text = `${online} of ${tunnels.length} tunnels online, ${joined} of ${relays.length} relays connected`
    const isWell = online === tunnels.length && joined === relays.length
    const troubles = [
      serverProblem,
      ...relays.map(({ problem }) => problem),
      ...tunnels.map((one) => one.problem),
    ]
    const told = new Map(
      troubles.flatMap((one) => (one ? [[`${one.code} ${one.detail}`, one] as const] : [])),
    )
    return [
      { name, state: isWell ? 'ok' : 'warning', text } as const,
      ...[...told.values()].map(
        ({ detail, cure, code }): Finding => ({ name, state: 'failed', text: detail, cure, code }),
      ),
    ]
  })
}

/** The file in this folder, if there is one. @throws config.*, cli.folder */
export async function readOwnConfig({ env }: Context): Promise<Config | undefined> {
  try {
    return await readConfig(configName, env)
  } catch (error) {
    if (isFailure(error, 'config.missing')) return undefined
    throw error
  }
}

/** Each upstream once, all at a time. */
export async function lookAtUpstreams(
  { clock }: Context,
  tunnels: readonly WantedTunnel[],
): Promise<readonly Finding[]> {
  const byPlace = new Map(tunnels.map((tunnel) => [formatUpstream(tunnel.upstream), tunnel]))
  return Promise.all(
    [...byPlace].map(async ([place, { upstream, tls }]): Promise<Finding> => {
      const failure = await new Promise<PortTunnelerError | undefined>((resolve) => {
        dialUpstream(upstream, {
          clock,
          memory: new Map(),
          tls,
          onFail: resolve,
          onConnect: (socket) => {
            socket.on('error', () => {}).destroy()
            resolve(undefined)
          },
        })
      })
      return failure ? failed('upstream', failure) : fine('upstream', `${place} takes connections`)
    }),
  )
}
