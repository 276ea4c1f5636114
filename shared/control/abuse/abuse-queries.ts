/** The queries about abuse; part of the table in query-table.ts. */
import { tunnels } from '../documents.ts'
import { declareQuery } from '../queries.ts'
import { abuseCases } from './abuse-documents.ts'

export const abuseQueries = {
  /** Only those that an operator took down have the field. */
  takenDownTunnels: declareQuery('takenDownTunnels', tunnels, {
    equals: [],
    order: 'takenDownAt',
    direction: 'descending',
  }),
  takenDownInCell: declareQuery('takenDownInCell', tunnels, {
    equals: ['cell'],
    order: 'takenDownAt',
    direction: 'descending',
  }),
  abuseByKey: declareQuery('abuseByKey', abuseCases, { equals: ['key', 'state'], order: 'firstAt' }),
  abuseByState: declareQuery('abuseByState', abuseCases, {
    equals: ['state'],
    order: 'lastAt',
    direction: 'descending',
  }),
  abuseOfAccount: declareQuery('abuseOfAccount', abuseCases, {
    equals: ['account'],
    order: 'lastAt',
    direction: 'descending',
  }),
}
