/** The settings of ports: their forms, and which of them cannot stand beside each other. */
import { z } from 'zod'

export const digits = z
  .string()
  .regex(/^\d{1,5}$/, 'a number')
  .transform(Number)
/** 0 lets the system choose: for tests, and for several servers on one machine. */
export const portSchema = z.union([z.int(), digits]).pipe(z.int().min(0).max(65_535))

export type PortRange = { readonly from: number; readonly to: number }

export const rangeSchema = z
  .string()
  .regex(/^\d{1,5}-\d{1,5}$/, 'a range such as 20000-20999')
  .transform((text): PortRange => {
    const [from = 0, to = 0] = text.split('-').map(Number)
    return { from, to }
  })
  .refine(
    ({ from, to }) => from >= 1024 && to <= 65_535 && from <= to,
    'a range within 1024-65535, low to high',
  )

/** What is wrong with them together, in words. */
export function portClashes({
  tcp,
  ...single
}: { tcp: PortRange } & Record<string, number | PortRange>): string[] {
  const taken = Object.entries(single).flatMap(([name, port]) =>
    typeof port === 'number' && port !== 0 ? [{ name, port }] : [],
  )
  return taken.flatMap(({ name, port }, index) => {
    if (port >= tcp.from && port <= tcp.to) return [`${name} (${port}) lies within the tcp range`]
    const twin = taken.slice(0, index).find((other) => other.port === port)
    return twin ? [`${name} and ${twin.name} are both ${port}`] : []
  })
}
