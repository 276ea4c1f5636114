/**
 * podman with a store, a network and a mount namespace of its own, as a machine that runs containers. It needs neither
 * systemd nor a fast storage driver: cgroups are made by podman itself, and layers are plain copies (vfs).
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { runProgram, startProgram } from '../harness/programs.ts'

/** The machine's address outside, which containers and visitors dial. */
export const outside = '192.0.2.1'
/** Files that a container may open here: no machine gives away more than it has itself. */
const filesMax = Number(execFileSync('bash', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }))
export const limits = {
  nofile: { soft: filesMax, hard: filesMax },
  nproc: { soft: 1_024, hard: 1_024 },
} as const

/** crun takes the old cgroups or the new ones, not both; what podman mounts ends with this process. */
const prepare = `mount --make-rprivate /
if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
for place in /run/netns /run/libpod /run/containers; do mkdir -p "$place"; mount -t tmpfs tmpfs "$place"; done
echo ready
exec sleep infinity`

type Ran = Awaited<ReturnType<typeof runProgram>>

export type Engine = {
  /** Variables with which podman and buildah use the engine's store. */
  readonly env: Readonly<Record<string, string>>
  /** Runs a program on the machine. @throws when it fails, with what it said */
  run(
    words: readonly string[],
    options?: { cwd?: string; env?: Readonly<Record<string, string>> },
  ): Promise<string>
  /** The same, and a failure is an answer. */
  ask(...words: string[]): Promise<Ran>
}

/** @param store the variables of the store in which images are */
export async function openEngine(
  parts: AsyncDisposableStack,
  folder: string,
  store: Readonly<Record<string, string>>,
): Promise<Engine> {
  const config = join(folder, 'containers.conf')
  const networks = join(folder, 'networks')
  mkdirSync(networks, { recursive: true })
  writeFileSync(
    config,
    `[containers]\nlog_driver = "k8s-file"\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"
[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = "${networks}"\n`,
  )
  const env = { ...store, CONTAINERS_CONF: config }
  const name = `ptun-images-${process.pid}`
  execFileSync('ip', ['netns', 'add', name])
  parts.defer(() => void spawnSync('ip', ['netns', 'del', name]))
  const ip = (...words: string[]) => execFileSync('ip', ['-n', name, ...words])
  ip('link', 'set', 'lo', 'up')
  ip('link', 'add', 'outside', 'type', 'bridge')
  ip('addr', 'add', `${outside}/32`, 'dev', 'outside')
  ip('link', 'set', 'outside', 'up')
  // `ip netns exec` would hide the cgroups.
  const into = [`--net=/run/netns/${name}`, 'unshare', '--mount', 'bash', '-c', prepare]
  const machine = await startProgram('nsenter', into)
  parts.defer(async () => void (await machine.stop('SIGKILL')))
  await machine.lines.waitFor(({ text }) => text === 'ready', { what: 'the machine' })
  const start = (words: readonly string[], { cwd = folder, env: more = {} } = {}) =>
    runProgram('nsenter', ['--target', `${machine.pid}`, '--mount', '--net', `--wd=${cwd}`, ...words], {
      env: { ...env, ...more },
    })
  parts.defer(async () => {
    await start(['podman', 'rm', '--all', '--force', '--time', '1'])
    await start(['podman', 'system', 'prune', '--force', '--volumes'])
  })
  return {
    env,
    run: async (words, options) => {
      const { exit, stdout, stderr } = await start(words, options)
      if (exit.code !== 0) throw new Error(`${words.join(' ')}: ${exit.code}\n${stderr}\n${stdout}`)
      return stdout
    },
    ask: (...words) => start(words),
  }
}
