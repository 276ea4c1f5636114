/** PortTunneler in another form beside the usual one, so that both are measured in the same minutes. */

export type Variant = {
  readonly name: string
  /** The built checkout that it runs from. Default: this one. */
  readonly folder?: string
  /** Variables for server, relay and agent. */
  readonly env?: Readonly<Record<string, string>>
}

/**
 * `pool 1=--v8-pool-size=1` has options for Node, `2 relays=PORTTUNNELER_RELAYS=2` a variable; words of both kinds may
 * follow each other. @throws when there is no name or no word
 */
export function variantOf(text: string): Variant {
  const at = text.indexOf('=')
  const name = text.slice(0, at).trim()
  const words = text
    .slice(at + 1)
    .split(/\s+/)
    .filter((word) => word !== '')
  if (at < 0 || name === '' || words.length === 0)
    throw new Error(`a variant is "name=options for Node and variables", not ${JSON.stringify(text)}`)
  const options = words.filter((word) => !variablePattern.test(word))
  const variables = words.flatMap((word) => {
    const [, key, value] = variablePattern.exec(word) ?? []
    return key === undefined || value === undefined ? [] : [[key, value] as const]
  })
  const nodeOptions = options.length > 0 ? { NODE_OPTIONS: options.join(' ') } : {}
  return { name, env: { ...Object.fromEntries(variables), ...nodeOptions } }
}

const variablePattern = /^([A-Z][A-Z0-9_]*)=(.*)$/
