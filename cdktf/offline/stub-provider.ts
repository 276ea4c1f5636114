/**
 * A provider for tests that has the real one's schemas and no cloud behind it: it plans, applies, changes and destroys
 * in Terraform's state alone. Terraform is the real one, and checks types, required fields and references; what only a
 * real provider would refuse is in `policies.test.ts`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type handleUnaryCall,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedHandleCall,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { z } from 'zod'
import { type Block, providerSchema } from './binding-schema.ts'
import { madeUp } from './made-up.ts'
import { decode, encode, isUnknown, unknown, type Value } from './values.ts'

export type StubProvider = {
  /** For TF_REATTACH_PROVIDERS, beside others. */
  readonly reattach: { readonly [address: string]: object }
  close(): void
}

type Dynamic = { readonly msgpack: Buffer }

export type Schemas = {
  readonly resources: ReadonlyMap<string, Block>
  readonly dataSources: ReadonlyMap<string, Block>
}

/**
 * @param source `hashicorp/google`
 * @param schemas of the types in use: reading all thousand would take seconds
 */
export async function startStubProvider(source: string, schemas: Schemas): Promise<StubProvider> {
  const folder = mkdtempSync(join(tmpdir(), 'ptun-stub-'))
  const socket = join(folder, 'socket')
  const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 })
  const definition = loadSync(join(import.meta.dirname, 'plugin-protocol.proto'), {
    keepCase: true,
    longs: Number,
  })
  const loaded = z
    .object({ tfplugin5: z.object({ Provider: z.custom<{ service: ServiceDefinition }>() }) })
    .parse(loadPackageDefinition(definition))
  const handlers = handlersOf(source.split('/')[1] ?? '', schemas)
  server.addService(
    loaded.tfplugin5.Provider.service,
    Object.fromEntries(Object.entries(handlers).map(([name, handle]) => [name, unary(handle)])),
  )
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  )
  return {
    reattach: {
      [`registry.terraform.io/${source}`]: {
        Protocol: 'grpc',
        ProtocolVersion: 5,
        Pid: process.pid,
        Test: true,
        Addr: { Network: 'unix', String: socket },
      },
    },
    close: () => {
      server.forceShutdown()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function unary(handle: Handle): UntypedHandleCall {
  const call: handleUnaryCall<Request, object> = ({ request }, reply) => {
    try {
      reply(null, handle(request))
    } catch (error) {
      reply(null, { diagnostics: [{ severity: 1, summary: `The stand-in failed: ${String(error)}` }] })
    }
  }
  return call
}

type Request = {
  readonly type_name: string
  readonly config: Dynamic
  readonly prior_state: Dynamic
  readonly proposed_new_state: Dynamic
  readonly planned_state: Dynamic
  readonly current_state: Dynamic
  readonly raw_state: { readonly json: Buffer }
}

type Handle = (request: Request) => object

function handlersOf(
  provider: string,
  { resources, dataSources }: Schemas,
): { readonly [method: string]: Handle } {
  /** The provider's own project, which is that of every resource that names no other. */
  let project: Value = unknown
  const schemaOf = (type: string, schemas = resources): Block => {
    const found = schemas.get(type)
    if (!found) throw new Error(`no ${type}`)
    return found
  }
  return {
    GetSchema: () => ({
      provider: { version: 0, block: blockMessage(providerSchema(provider)) },
      resource_schemas: messages(resources),
      data_source_schemas: messages(dataSources),
      server_capabilities: { plan_destroy: false },
    }),
    PrepareProviderConfig: ({ config }) => ({ prepared_config: config }),
    ValidateResourceTypeConfig: () => ({}),
    ValidateDataSourceConfig: () => ({}),
    UpgradeResourceState: ({ raw_state }) => ({
      upgraded_state: { json: raw_state.json },
    }),
    Configure: ({ config }) => {
      project = asObject(decode(config.msgpack)).project ?? unknown
      return {}
    },
    ReadResource: ({ current_state }) => ({ new_state: current_state }),
    ReadDataSource: ({ type_name, config }) => {
      const schema = schemaOf(type_name, dataSources)
      const asked = plan(schema, decode(config.msgpack), {
        prior: null,
        config: decode(config.msgpack),
        project,
      })
      return { state: { msgpack: encode(settle(schema, asked, type_name)) } }
    },
    PlanResourceChange: ({ type_name, prior_state, proposed_new_state, config }) => {
      const proposed = decode(proposed_new_state.msgpack)
      if (proposed === null) return { planned_state: { msgpack: encode(null) } }
      const planned = plan(schemaOf(type_name), proposed, {
        prior: decode(prior_state.msgpack),
        config: decode(config.msgpack),
        project,
      })
      return { planned_state: { msgpack: encode(planned) } }
    },
    ApplyResourceChange: ({ type_name, planned_state }) => {
      const planned = decode(planned_state.msgpack)
      const made = planned === null ? null : settle(schemaOf(type_name), planned, type_name)
      return { new_state: { msgpack: encode(made) } }
    },
    Stop: () => ({}),
  }
}

type Known = { readonly prior: Value; readonly config: Value; readonly project: Value }

/** Fields that the provider sets are unknown until applied, except for the project; after that it stays. */
function plan(block: Block, proposed: Value, { prior, config, project }: Known): Value {
  const result: { [name: string]: Value } = { ...asObject(proposed) }
  const before = asObject(prior)
  for (const [name, { computed, writeOnly, optional }] of block.attributes) {
    if (writeOnly) result[name] = null
    else if (computed && (asObject(config)[name] ?? null) === null) {
      const kept = before[name] ?? null
      if (kept !== null) result[name] = kept
      else if (name === 'project') result[name] = project
      else result[name] = optional && !alwaysSet.has(name) ? null : unknown
    }
  }
  for (const [name, { block: inner }] of block.blocks) {
    const items = result[name]
    if (!Array.isArray(items)) continue
    const priorItems = before[name]
    const configItems = asObject(config)[name]
    result[name] = items.map((item, index) =>
      plan(inner, item, {
        prior: Array.isArray(priorItems) ? (priorItems[index] ?? null) : null,
        config: Array.isArray(configItems) ? (configItems[index] ?? null) : null,
        project,
      }),
    )
  }
  return result
}

/** Optional settings that the real providers fill in when they are left out, and that others refer to. */
const alwaysSet = new Set(['address', 'id', 'name', 'service'])

function settle(block: Block, planned: Value, type: string, resource = asObject(planned)): Value {
  const result: { [name: string]: Value } = { ...asObject(planned) }
  for (const [name, { type: shape }] of block.attributes)
    if (isUnknown(result[name])) result[name] = madeUp(type, name, shape, resource)
  for (const [name, { block: inner }] of block.blocks) {
    const items = result[name]
    if (Array.isArray(items)) result[name] = items.map((item) => settle(inner, item, type, resource))
  }
  return result
}

function asObject(value: Value | undefined): { readonly [name: string]: Value } {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !isUnknown(value)
    ? (value as { readonly [name: string]: Value })
    : {}
}

function messages(schemas: ReadonlyMap<string, Block>): object {
  return Object.fromEntries(
    [...schemas].map(([name, block]) => [name, { version: 0, block: blockMessage(block) }]),
  )
}

function blockMessage(block: Block): object {
  return {
    attributes: [...block.attributes].map(([name, { type, required, optional, computed, writeOnly }]) => ({
      name,
      type: Buffer.from(JSON.stringify(type)),
      required,
      optional,
      computed,
      write_only: writeOnly,
    })),
    block_types: [...block.blocks].map(([name, { block: inner, nesting }]) => ({
      type_name: name,
      block: blockMessage(inner),
      nesting: { single: 1, list: 2, set: 3 }[nesting],
    })),
  }
}
