/** Builds an image from a Dockerfile and a folder with docker, podman or buildah, whichever is there. */
import { execFileSync, spawnSync } from 'node:child_process'
import process from 'node:process'

/** 1980, the first year of every format. */
const timestamp = '315532800'

const buildArgs = {
  buildah: ['build', '--format', 'docker', '--timestamp', timestamp],
  podman: ['build', '--format', 'docker', '--timestamp', timestamp],
  docker: ['build', '--build-arg', `SOURCE_DATE_EPOCH=${timestamp}`],
} as const
const names = ['buildah', 'podman', 'docker'] as const
export type Builder = (typeof names)[number]

/** @throws when none is installed */
export function findBuilder(): Builder {
  const builder = names.find((name) => spawnSync(name, ['--version']).status === 0)
  if (builder === undefined) throw new Error(`None of these is installed: ${names.join(', ')}`)
  return builder
}

export type Build = {
  readonly file: string
  /** The folder that the Dockerfile copies from. */
  readonly context: string
  readonly tag: string
  /** The image that it stands on. */
  readonly base?: string
}

/** @throws when the build fails; what it says goes to stderr */
export function buildImage(builder: Builder, { file, context, tag, base }: Build): void {
  const given = base === undefined ? [] : ['--build-arg', `BASE=${base}`]
  const args = [...buildArgs[builder], ...given, '--file', file, '--tag', tag, context]
  execFileSync(builder, args, { stdio: ['ignore', process.stderr, 'inherit'] })
}
