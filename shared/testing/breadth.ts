/**
 * How much a run of tests takes. `npm test` has each promise once, in eight minutes on two cores; `npm run test:long`
 * sets PT_E2E_SUITES=all and takes every matrix, model and suite whole (docs/decisions/0056).
 */
export const isWhole = process.env.PT_E2E_SUITES === 'all'
