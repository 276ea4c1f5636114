/** The plans that people can choose. */
import { z } from 'zod'

const pricesSchema = z
  .record(z.string(), z.string())
  .describe('Currency (ISO 4217, small letters) -> amount in major units, such as "9.00"')
const intervalPricesSchema = z.object({ month: pricesSchema.optional(), year: pricesSchema.optional() })

export const plansSchema = z.object({
  version: z.int().describe('Rises with every change; accounts keep what an earlier one gave them'),
  taxBehavior: z.enum(['exclusive', 'inclusive']).describe('Whether prices have the tax in them'),
  transferPerGB: pricesSchema.optional().describe('Beyond what a plan includes, where it sells more'),
  items: z.array(
    z.object({
      name: z.string(),
      title: z.string(),
      limits: z.object({
        tunnelsOnline: z.int(),
        tunnelsDefined: z.int(),
        reservedHosts: z.int(),
        reservedPorts: z.int(),
        domains: z.int(),
        connectionsPerMinute: z.int(),
        connectionsMax: z.int().describe('Visitors at once, for each tunnel'),
        keys: z.int(),
        auditDays: z.int(),
        transferBytesMonth: z.int(),
      }),
      features: z.array(z.string()),
      prices: intervalPricesSchema.describe('Empty: it is free'),
      seats: z
        .object({ included: z.int(), max: z.int(), prices: intervalPricesSchema })
        .optional()
        .describe('Members beyond the included ones are paid for each; absent: they are not counted'),
      trial: z.object({ days: z.int(), includedGB: z.int() }).optional(),
      sellsTransfer: z.boolean().describe('Whether more transfer can be bought, up to a cap that you set'),
    }),
  ),
})
export type Plans = z.infer<typeof plansSchema>
