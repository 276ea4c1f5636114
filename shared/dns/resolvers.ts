/** Resolvers as settings name them: `1.1.1.1`, `9.9.9.9:53`, `[2620:fe::fe]:53`, with commas or blanks between them. */
import { isIP } from 'node:net'
import { z } from 'zod'
import type { Peer } from './exchange.ts'

/** Three different organisations run them: one that lies or fails changes nothing. */
const publicResolvers = ['1.1.1.1', '8.8.8.8', '9.9.9.9']

const resolverSchema = z.string().transform((text, context): Peer => {
  const [, inBrackets, outside, digits = '53'] =
    /^(?:\[([^\]]+)\]|([^\]:]+|[^\]]+?))(?::(\d{1,5}))?$/.exec(text) ?? []
  const address = isIP(text) > 0 ? text : (inBrackets ?? outside ?? '')
  const port = isIP(text) > 0 ? 53 : Number(digits)
  if (isIP(address) === 0 || port < 1 || port > 65_535) {
    context.addIssue({ code: 'custom', message: 'an address, with or without a port' })
    return z.NEVER
  }
  return { address, port }
})

export const resolversSchema = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(/[\s,]+/).filter((part) => part !== '') : value),
  z.array(resolverSchema).min(1).max(8).prefault(publicResolvers),
)
