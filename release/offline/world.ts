/**
 * A project that exists on this machine alone: what the programs of a release would find there, and what they change.
 * The stand-ins (gcloud.ts, programs.ts) take the command lines that a release uses and refuse every other, so a
 * mistyped flag shows in a dry run.
 */
import { createHash } from 'node:crypto'
import { fail } from '@porttunneler/shared/base/errors'
import type { Environment } from '../../cdktf/environment.ts'
import { slotsOf, stateBucket, type Vm, vmsOf } from '../../cdktf/names.ts'
import { type Command, commandLine } from '../command.ts'
import type { Current } from '../record.ts'
import { services } from '../traffic.ts'

export type Archives = { readonly functions: string; readonly relays: string }
/** A Cloud Run service: its revisions, oldest first, and which has how many of 100 calls. */
export type Service = {
  readonly revisions: { readonly name: string; readonly functions: string; readonly database: string }[]
  traffic: Record<string, number>
}

/** Faults that a drill wants; none by default. */
export type Faults = {
  /** Calls to revisions with this archive of functions fail: so many of 1,000. */
  failingFunctions?: { readonly archive: string; readonly permille: number }
  /** Calls to revisions with this archive take so long. */
  slowFunctions?: { readonly archive: string; readonly ms: number }
  /** VMs with this archive of relays never become ready. */
  deadRelay?: string
  /** Tunnels of VMs with this archive of relays do not work. */
  brokenRelay?: string
  /** So many tunnels fail by the way from here to there. */
  lostTunnels?: number
  ci?: 'failure' | 'none'
  changed?: readonly string[]
  isOffMain?: boolean
  /** What Terraform would take away, by type. */
  destroys?: string
  /** A program that fails, by a part of its command line. */
  fails?: string
}

/** Each revision has so many calls while it is watched. */
export const callsOfRevision = 1_000
const usualMs = 120

/** Objects by `gs://` address; each write gives one a new generation, as Cloud Storage does. */
class Objects extends Map<string, string> {
  #newest = 0
  #generations: Map<string, string> | undefined

  override set(address: string, content: string): this {
    this.#newest += 1
    this.#generations ??= new Map()
    this.#generations.set(address, String(this.#newest))
    return super.set(address, content)
  }

  /** `0` when there is no such object. */
  generationOf(address: string): string {
    return (this.has(address) ? this.#generations?.get(address) : undefined) ?? '0'
  }
}

export class World {
  readonly environment: Environment
  readonly faults: Faults
  commit: string
  readonly objects = new Objects()
  /** Files that were fetched, by path. */
  readonly files = new Map<string, string>()
  readonly services = new Map<string, Service>()
  /** The archive that the newest template has, and those that VMs run, by VM. */
  templates: Record<string, string> = {}
  readonly vms = new Map<string, string>()
  readonly webVersions: string[] = []
  web: string | undefined
  /** What cdktf/main.ts wrote last. */
  synthesised: Archives | undefined
  readonly planned = new Set<string>()
  /** What new revisions work on; a restore changes it. */
  database: string
  /** Whether the list of relays' archives has a signature beside it. */
  isSigned = false

  constructor(environment: Environment, faults: Faults = {}) {
    this.environment = environment
    this.faults = faults
    this.database = environment.database
    this.commit = hash('commit', '2').slice(0, 40)
  }

  /** As after an earlier release: what this one can go back to. */
  released(commit: string, at: string, previous?: Current): Current {
    const archives = this.archivesOf(commit)
    this.deploy(archives)
    for (const service of this.services.values()) {
      const { name = '' } = service.revisions.at(-1) ?? {}
      service.traffic = { [name]: 100 }
    }
    for (const vm of this.allVms) {
      this.templates[vm.name] = archives.relays
      this.vms.set(vm.name, archives.relays)
    }
    this.serveNewWeb()
    const { previous: _, ...before } = previous ?? { previous: undefined }
    const current: Current = {
      id: `${at.replace(/\.\d+|[-:]/g, '')}-${commit.slice(0, 7)}`,
      commit,
      at,
      archives,
      revisions: Object.fromEntries(
        [...this.services].map(([name, { revisions }]) => [name, revisions.at(-1)?.name ?? '']),
      ),
      ...(this.web !== undefined && { web: this.web }),
      ...(previous && { previous: before as Current }),
    }
    this.objects.set(this.recordOf('current.json'), JSON.stringify(current))
    this.objects.set(this.recordOf(`${current.id}/relays/cdk.tf.json`), JSON.stringify(archives))
    return current
  }

  get allVms(): readonly Vm[] {
    return this.environment.cells.flatMap(vmsOf)
  }

  recordOf(name: string): string {
    return `gs://${stateBucket(this.environment)}/releases/${name}`
  }

  archivesOf(commit: string): Archives {
    return { functions: hash('functions', commit), relays: hash('relays', commit) }
  }

  /** A new revision of each function; Google moves calls to it only where none is held by name. */
  deploy({ functions }: Archives): void {
    for (const name of services) {
      const service = this.services.get(name) ?? { revisions: [], traffic: {} }
      this.services.set(name, service)
      const last = service.revisions.at(-1)
      if (last?.functions === functions && last.database === this.database) continue
      const revision = `${name}-${String(service.revisions.length + 1).padStart(5, '0')}-abc`
      service.revisions.push({ name: revision, functions, database: this.database })
      if (Object.keys(service.traffic).length === 0) service.traffic = { [revision]: 100 }
    }
  }

  /** As an operator changes over to a restored database, by hand: new revisions of the same code, with all calls. */
  restoreInto(database: string): void {
    this.database = database
    this.deploy(this.archivesOf(this.commit))
    for (const service of this.services.values())
      service.traffic = { [service.revisions.at(-1)?.name ?? '']: 100 }
  }

  serveNewWeb(): void {
    this.web = `sites/${this.environment.project}/versions/v${this.webVersions.length + 1}`
    this.webVersions.push(this.web)
  }

  replace(name: string): void {
    this.vms.set(name, this.templates[name] ?? '')
  }

  stateOf(vm: Vm): string {
    return this.vms.get(vm.name) === this.faults.deadRelay ? 'starting' : `ready ${slotsOf(vm).length}`
  }

  /** Figures of a revision, as Cloud Monitoring has them. */
  figuresOf(revision: { readonly functions: string }): { failed: number; ms: number } {
    const { failingFunctions, slowFunctions } = this.faults
    return {
      failed:
        failingFunctions?.archive === revision.functions
          ? (callsOfRevision * failingFunctions.permille) / 1_000
          : 0,
      ms: slowFunctions?.archive === revision.functions ? slowFunctions.ms : usualMs,
    }
  }
}

export function hash(...words: readonly string[]): string {
  return createHash('sha256').update(words.join('\0')).digest('hex')
}

/** The failure of a program, as spawn.ts makes it. */
export function ended(command: Command, lastWords: string) {
  return fail('release.command', `${commandLine(command)}: it ended with 1\n${lastWords}`, {
    fields: { lastWords },
  })
}

/** A release must not say this at all; no real program would take it. */
export function refused(command: Command, reason: string): Error {
  return new Error(`No program takes this: ${commandLine(command)}: ${reason}`)
}
