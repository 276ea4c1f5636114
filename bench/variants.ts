/** PortTunneler in another form beside the usual one, so that both are measured in the same minutes. */

export type Variant = {
  readonly name: string
  /** The built checkout that it runs from. Default: this one. */
  readonly folder?: string
  /** For Node at both ends, as in NODE_OPTIONS. */
  readonly nodeOptions?: string
}

/** `no pool=--v8-pool-size=0`. @throws when there is no name or no option */
export function variantOf(text: string): Variant {
  const at = text.indexOf('=')
  const [name, nodeOptions] = [text.slice(0, at).trim(), text.slice(at + 1).trim()]
  if (at < 0 || name === '' || nodeOptions === '')
    throw new Error(`a variant is "name=options for Node", not ${JSON.stringify(text)}`)
  return { name, nodeOptions }
}
