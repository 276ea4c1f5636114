/**
 * The catalogue of a server whose operator wrote none. `free`, `pro` and `team` are examples whose prices cover their
 * costs by docs/cost.md; `unlimited` is what people have who run the service for themselves.
 */
import { readCatalogue } from './catalogue.ts'
import type { CatalogueFile } from './catalogue-schema.ts'

const file = {
  version: 1,
  costs: { gb: '0.091', tunnel: '0.161', feeShare: '0.041', feeFixed: '0.30', freeMax: '1.00' },
  transfer: { meter: 'pt_transfer_mb_v1', perGB: { usd: '0.12' } },
  plans: {
    free: {
      title: 'Free',
      limits: {
        tunnelsOnline: 3,
        tunnelsDefined: 25,
        reservedHosts: 1,
        reservedPorts: 0,
        domains: 1,
        connectionsPerMinute: 100,
        connectionsMax: 200,
        keys: 10,
        auditDays: 7,
      },
      includedGB: 5,
      seats: { included: 1, max: 1 },
    },
    pro: {
      title: 'Pro',
      limits: {
        tunnelsOnline: 10,
        tunnelsDefined: 100,
        reservedHosts: 10,
        reservedPorts: 3,
        domains: 10,
        connectionsPerMinute: 600,
        connectionsMax: 2_000,
        keys: 50,
        auditDays: 90,
      },
      includedGB: 50,
      features: ['wildcards'],
      prices: { month: { usd: '9.00' }, year: { usd: '90.00' } },
      seats: { included: 1, max: 1 },
      trial: { days: 14, includedGB: 2 },
      overage: { capMax: { usd: '50.00' } },
    },
    team: {
      title: 'Team',
      limits: {
        tunnelsOnline: 50,
        tunnelsDefined: 500,
        reservedHosts: 100,
        reservedPorts: 20,
        domains: 100,
        connectionsPerMinute: 3_000,
        connectionsMax: 10_000,
        keys: 200,
        auditDays: 400,
      },
      includedGB: 200,
      features: ['wildcards', 'teamPolicies', 'auditExport'],
      prices: { month: { usd: '39.00' }, year: { usd: '390.00' } },
      seats: { included: 3, max: 100, prices: { month: { usd: '9.00' }, year: { usd: '90.00' } } },
      trial: { days: 14, includedGB: 2 },
      overage: { capMax: { usd: '500.00' } },
    },
    /** The remaining limits keep one mistake from filling a machine. */
    unlimited: {
      title: 'Unlimited',
      limits: {
        tunnelsOnline: 1_000,
        tunnelsDefined: 5_000,
        reservedHosts: 1_000,
        reservedPorts: 1_000,
        domains: 1_000,
        connectionsPerMinute: 1_000_000,
        connectionsMax: 100_000,
        keys: 1_000,
        auditDays: 400,
      },
      includedGB: 'unlimited',
      features: ['wildcards', 'teamPolicies', 'auditExport'],
      offered: false,
    },
  },
} as const satisfies CatalogueFile

export const builtInCatalogue = readCatalogue(file)
