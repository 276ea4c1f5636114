/**
 * The schema of a resource type, read from its generated binding, which was itself generated from the real provider's
 * schema: names, types, what is required, which nested parts are blocks. What providers check beyond their schema is
 * not in there; `policies.test.ts` has those facts.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A type in Terraform's own notation (go-cty): `"string"`, `["list", "string"]`, `["object", {…}]`. */
export type Type = string | readonly [string, Type | { readonly [name: string]: Type }]

export type Attribute = {
  readonly type: Type
  readonly required: boolean
  readonly optional: boolean
  readonly computed: boolean
  readonly writeOnly: boolean
}

export type Block = {
  readonly attributes: ReadonlyMap<string, Attribute>
  readonly blocks: ReadonlyMap<string, { readonly block: Block; readonly nesting: 'list' | 'set' | 'single' }>
}

const packages = join(import.meta.dirname, '../node_modules/@cdktf')

/** @throws Error for a type that the provider does not have */
export function resourceSchema(type: string): Block {
  const { name, folder } = placeOf(type)
  if (!existsSync(join(folder, 'index.js'))) throw new Error(`No provider has a resource ${type}`)
  return new Reader(folder, name).resource()
}

export function dataSourceSchema(type: string): Block {
  const [provider = '', ...words] = type.split('_')
  return new Reader(
    join(packages, `provider-${provider}/lib/data-${provider}-${words.join('-')}`),
    type,
  ).resource()
}

/** The provider's own settings. */
export function providerSchema(provider: string): Block {
  const declarations = readFileSync(join(packages, `provider-${provider}/lib/provider/index.d.ts`), 'utf8')
  const from = declarations.search(/^export interface \w+ProviderConfig /m)
  const body = declarations.slice(from, declarations.indexOf('\n}', from))
  const found = body.matchAll(/#(\w+) \w+#\w+\}[^*]*(?:\*(?!\/)[^*]*)*\*\/\s*readonly \w+\?: ([^;]+);/g)
  const types: readonly (readonly [RegExp, Type])[] = [
    [/^string$/, 'string'],
    [/^number$/, 'number'],
    [/^boolean /, 'bool'],
    [/^string\[\]$/, ['list', 'string']],
    [/^\{\s*\[key: string\]: string/, ['map', 'string']],
  ]
  const attributes = [...found].map(([, name = '', text = '']) => {
    const [, type = 'dynamic'] = types.find(([pattern]) => pattern.test(text)) ?? []
    return [name, attribute(type, false, true)] as const
  })
  return { attributes: new Map(attributes), blocks: new Map() }
}

function placeOf(type: string): { readonly name: string; readonly folder: string } {
  const [provider = '', ...words] = type.split('_')
  return { name: type, folder: join(packages, `provider-${provider}/lib/${words.join('-')}`) }
}

const scalar: Readonly<Record<string, Type>> = {
  getStringAttribute: 'string',
  getNumberAttribute: 'number',
  getBooleanAttribute: 'bool',
  getStringMapAttribute: ['map', 'string'],
  getAnyMapAttribute: 'dynamic',
  StringMap: ['map', 'string'],
  BooleanMap: ['map', 'bool'],
  NumberMap: ['map', 'number'],
  AnyMap: ['map', 'dynamic'],
  StringMapList: ['list', ['map', 'string']],
}

class Reader {
  readonly #code: string
  readonly #declarations: string
  readonly #isCloudflare: boolean

  constructor(folder: string, type: string) {
    this.#code = readFileSync(join(folder, 'index.js'), 'utf8')
    this.#declarations = readFileSync(join(folder, 'index.d.ts'), 'utf8')
    this.#isCloudflare = type.startsWith('cloudflare')
  }

  resource(): Block {
    const [, name = ''] =
      /^class (\w+) extends cdktf\.Terraform(?:Resource|DataSource|Provider) /m.exec(this.#code) ?? []
    return this.#block(name, `${name}Config`)
  }

  /** @param owner the class with the getters; `config` the interface with what may be set */
  #block(owner: string, config: string): Block {
    const body = this.#bodyOf(owner)
    const settable = this.#settable(config)
    const nesting = new Map(
      [
        ...body.matchAll(
          /this\._\w+ = new (\w+)(?:OutputReference|List|Map)\(this, "(\w+)"(?:, (true|false))?/g,
        ),
      ].map(([, base = '', name = '', set]) => [name, { base, isSet: set === 'true' }]),
    )
    const attributes = new Map<string, Attribute>()
    const blocks = new Map<string, { block: Block; nesting: 'list' | 'set' | 'single' }>()
    for (const [name, { base, isSet }] of nesting) {
      const may = settable.get(name)
      const block = this.#block(`${base}OutputReference`, base)
      // Timeouts are one block; of Cloudflare's nested attributes an object, which the fifth protocol cannot name.
      if (may && this.#isCloudflare) attributes.set(name, attribute('dynamic', may.required, true))
      else if (may)
        blocks.set(name, { block, nesting: name === 'timeouts' ? 'single' : isSet ? 'set' : 'list' })
      else attributes.set(name, computed(['list', objectOf(block)]))
    }
    for (const [name, type] of this.#simple(body)) {
      const may = settable.get(name)
      attributes.set(name, may ? attribute(type, may.required, true, name.endsWith('_wo')) : computed(type))
    }
    return { attributes, blocks }
  }

  #bodyOf(name: string): string {
    const from = this.#code.search(new RegExp(`^class ${name} extends `, 'm'))
    if (from < 0) throw new Error(`No class ${name}`)
    const rest = this.#code.slice(from)
    return rest.slice(0, rest.search(/^}/m))
  }

  *#simple(body: string): Iterable<[string, Type]> {
    for (const [, wrapped, method = '', name = ''] of body.matchAll(
      /return (cdktf\.Fn\.tolist\()?this\.(get\w+Attribute)\('(\w+)'\)/g,
    ))
      yield [
        name,
        scalar[method] ?? [wrapped ? 'set' : 'list', method.includes('Number') ? 'number' : 'string'],
      ]
    for (const [, kind = '', name = ''] of body.matchAll(/new cdktf\.(\w+)\(this, "(\w+)"/g))
      yield [name, scalar[kind] ?? 'dynamic']
    for (const [, name = ''] of body.matchAll(/return this\.interpolationForAttribute\('(\w+)'\)/g))
      yield [name, 'dynamic']
  }

  /** By Terraform's name, which stands in the link of each property. */
  #settable(config: string): ReadonlyMap<string, { readonly required: boolean }> {
    const from = this.#declarations.search(new RegExp(`^export interface ${config} `, 'm'))
    if (from < 0) return new Map()
    const rest = this.#declarations.slice(from)
    const body = rest.slice(0, rest.search(/^}/m))
    const found = body.matchAll(/#(\w+) \w+#\w+\}[^*]*(?:\*(?!\/)[^*]*)*\*\/\s*readonly \w+(\?)?:/g)
    return new Map([...found].map(([, name = '', mark]) => [name, { required: mark === undefined }]))
  }
}

function attribute(type: Type, required: boolean, settable: boolean, writeOnly = false): Attribute {
  return {
    type,
    required,
    optional: settable && !required,
    computed: settable && !required && !writeOnly,
    writeOnly,
  }
}

function computed(type: Type): Attribute {
  return { type, required: false, optional: false, computed: true, writeOnly: false }
}

/** The type of a part that only the provider sets. */
function objectOf({ attributes, blocks }: Block): Type {
  const fields: { [name: string]: Type } = {}
  for (const [name, { type }] of attributes) fields[name] = type
  for (const [name, { block }] of blocks) fields[name] = ['list', objectOf(block)]
  return ['object', fields]
}
