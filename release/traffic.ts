/**
 * Which revision of a function gets its calls. Google makes a Cloud Run service of each function, and moves all calls
 * to a new revision unless they are held at one by name, which is what a release does before it applies anything.
 */
import { fail } from '@porttunneler/shared/base/errors'
import { z } from 'zod'
import { deployments } from '../functions/deployment.ts'
import { ask, type Command } from './command.ts'
import { inRegion, type Release } from './release.ts'

/** In small letters, as Cloud Run has them. */
export const services: readonly string[] = Object.keys(deployments).map((name) => name.toLowerCase())

const serviceSchema = z.looseObject({
  status: z.looseObject({
    latestReadyRevisionName: z.string(),
    traffic: z.array(z.looseObject({ revisionName: z.string().optional(), percent: z.int().default(0) })),
  }),
})
const listSchema = z.array(z.looseObject({ metadata: z.looseObject({ name: z.string() }) }))

export type Traffic = {
  /** The newest revision that could serve. */
  readonly latest: string
  /** The one with most of the calls. */
  readonly most: string
}

/** The services that exist: none before the first release. */
export async function existingServices(
  release: Pick<Release, 'environment' | 'run'>,
): Promise<readonly string[]> {
  const made = await ask(release.run, listSchema, {
    program: 'gcloud',
    args: ['run', 'services', 'list', ...inRegion(release), '--format=json'],
    why: 'which functions exist',
  })
  const names = made.map(({ metadata }) => metadata.name)
  return services.filter((name) => names.includes(name))
}

/** @throws release.answer when no revision has calls */
export async function trafficOf(
  release: Pick<Release, 'environment' | 'run'>,
  service: string,
): Promise<Traffic> {
  const command: Command = {
    program: 'gcloud',
    args: ['run', 'services', 'describe', service, ...inRegion(release), '--format=json'],
    why: `which revision of ${service} has the calls`,
  }
  const { status } = await ask(release.run, serviceSchema, command)
  const [first] = status.traffic.toSorted((one, other) => other.percent - one.percent)
  const most = first?.revisionName
  if (most === undefined) throw fail('release.answer', `gcloud (${command.why}): none has any`)
  return { latest: status.latestReadyRevisionName, most }
}

/** @param shares percent by revision, 100 together */
export async function moveTraffic(
  release: Release,
  service: string,
  shares: Readonly<Record<string, number>>,
): Promise<void> {
  const parts = Object.entries(shares).map(([revision, percent]) => `${revision}=${percent}`)
  const words = Object.entries(shares).map(([revision, percent]) => `${percent} % to ${revision}`)
  await release.run({
    program: 'gcloud',
    args: [
      ...['run', 'services', 'update-traffic', service],
      `--to-revisions=${parts.join(',')}`,
      ...inRegion(release),
    ],
    why: `calls of ${service}: ${words.join(', ')}`,
    minutes: 10,
  })
}
