/** Terraform's values on the wire: msgpack, with an extension for what is not known yet. */
import { ExtData, ExtensionCodec, encode as pack, decode as unpack } from '@msgpack/msgpack'

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | ExtData
  | readonly Value[]
  | { readonly [name: string]: Value }

/** Extension 0 is "unknown"; 12 is "unknown, but of it we know …", which is read as unknown. */
export const unknown: Value = new ExtData(0, new Uint8Array([0]))

const codec = new ExtensionCodec()
codec.register({ type: 12, encode: () => null, decode: () => unknown })

export function decode(bytes: Uint8Array): Value {
  return unpack(bytes, { extensionCodec: codec }) as Value
}

export function encode(value: Value): Buffer {
  return Buffer.from(pack(value, { extensionCodec: codec }))
}

export function isUnknown(value: Value | undefined): boolean {
  return value instanceof ExtData
}
