/** What an export of a person has: everything that names them, and nothing of others or of accounts. */
import { addressChanges } from '../address-change/address-change-documents.ts'
import { describeEntry } from '../audit/reading.ts'
import { type AuditDoc, audit } from '../audit-documents.ts'
import { identities, keys, members, users } from '../documents.ts'
import { type FactorsDoc, factors, passkeys } from '../factors/factor-documents.ts'
import { feedback } from '../feedback.ts'
import { addressRef, mailAddresses } from '../mail/addresses.ts'
import { notes, operators } from '../operator/operator-documents.ts'
import type { Doc, Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { signIns } from '../sign-ins/sign-in-documents.ts'
import { invitations } from '../team/invitation-documents.ts'
import { waitingRef, waitList } from '../wait-list.ts'
import { all, each, nameless, type Part, part, these } from './parts.ts'

/** Shown as the API shows entries, with what was done in words; the salt and hashes only prove the log. */
export const auditFields = {
  account: 'show',
  actor: 'show',
  action: 'show',
  target: 'show',
  at: 'show',
  from: 'show',
  body: 'hide',
  salt: 'hide',
  leaf: 'hide',
  seal: 'hide',
  ttl: 'show',
  securityAt: 'hide',
} as const

export function unpackEntry({ body = '{}' }: AuditDoc): Doc {
  const { userAgent = '', details } = describeEntry({
    ref: { collection: audit.name, id: '' },
    version: '',
    data: { account: '', actor: '', action: '', target: '', at: 0, from: '', leaf: '', seal: 0, body },
  })
  return { ...(userAgent !== '' && { userAgent }), details: details as Doc }
}

/** Without what only checks codes and links. */
function unpackFactors({ app, codes = [], recovery }: Partial<FactorsDoc>): Doc {
  const { createdAt = 0, usedAt = 0 } = app ?? {}
  const { askedAt = 0, readyAt = 0, endsAt = 0, from = '' } = recovery ?? {}
  return {
    codesLeft: codes.length,
    ...(app && { app: { createdAt, usedAt } }),
    ...(recovery && { recovery: { askedAt, readyAt, endsAt, from } }),
  }
}

export const keyFields = {
  account: 'show',
  user: 'show',
  key: 'show',
  role: 'show',
  scopes: 'show',
  tunnels: 'show',
  name: 'show',
  hint: 'show',
  createdAt: 'show',
  lastUsedDay: 'show',
  expiresAt: 'show',
  revokedAt: 'show',
} as const

export const memberFields = {
  account: 'show',
  user: 'show',
  role: 'show',
  since: 'show',
  status: 'show',
  name: 'show',
  leaving: 'show',
  keysSince: 'show',
} as const

export const invitationFields = {
  account: 'show',
  email: 'show',
  role: 'show',
  by: 'show',
  secret: 'hide',
  createdAt: 'show',
  expiresAt: 'show',
  ttl: 'show',
} as const

/** Who of the operators wrote it is nobody else's business. */
export const noteFields = { about: 'show', text: 'show', by: 'hide', at: 'show' } as const

export const feedbackFields = {
  account: 'show',
  actor: 'show',
  text: 'show',
  attached: 'show',
  at: 'show',
  ttl: 'show',
} as const

export const partsOfPeople: readonly Part[] = [
  part('person', users, {
    fields: {
      email: 'show',
      former: 'show',
      emailAt: 'show',
      emailVerified: 'show',
      signedInAt: 'show',
      status: 'show',
      validSince: 'show',
      providers: 'show',
      provenBy: 'show',
      leaving: 'show',
      terms: 'show',
      termsTold: 'show',
      hasFactor: 'show',
      factorSince: 'show',
      recoveringUntil: 'show',
    },
    find: (control, { id }) => these(control, [users.ref(id)]),
  }),
  part('person', identities, {
    fields: {
      user: 'hide',
      erasedAt: 'show',
      email: 'show',
      linkedAt: 'show',
      removedFrom: 'hide',
      ttl: 'show',
    },
    // Also services that they removed: these are remembered, so that nobody comes in by them again.
    find: (control, { id }) =>
      each(
        all(control, queries.identitiesByUser, { where: {}, from: id, to: id }),
        all(control, queries.identitiesRemovedFrom, { where: {}, from: id, to: id }),
      ),
  }),
  part('person', signIns, {
    fields: {
      user: 'hide',
      method: 'show',
      authTime: 'show',
      freshAt: 'show',
      factorAt: 'show',
      createdAt: 'show',
      usedAt: 'show',
      from: 'show',
      device: 'show',
      ttl: 'show',
    },
    // A hash of a secret names them.
    named: nameless,
    find: (control, { id }) => all(control, queries.signInsOfUser, { where: { user: id } }),
  }),
  part('person', passkeys, {
    fields: {
      user: 'hide',
      credential: 'show',
      publicKey: 'show',
      counter: 'show',
      transports: 'show',
      name: 'show',
      isBackedUp: 'show',
      createdAt: 'show',
      usedAt: 'show',
    },
    find: (control, { id }) => all(control, queries.passkeysOfUser, { where: { user: id } }),
  }),
  part('person', factors, {
    fields: { user: 'hide', app: 'hide', nextApp: 'hide', codes: 'hide', codesAt: 'show', recovery: 'hide' },
    unpack: unpackFactors,
    named: nameless,
    find: (control, { id }) => these(control, [factors.ref(id)]),
  }),
  part('person', addressChanges, {
    fields: {
      from: 'show',
      to: 'show',
      fromSecret: 'hide',
      toSecret: 'hide',
      fromAt: 'show',
      toAt: 'show',
      createdAt: 'show',
      expiresAt: 'show',
      ttl: 'show',
    },
    find: (control, { id }) => these(control, [addressChanges.ref(id)]),
  }),
  part('person', operators, {
    fields: { state: 'show', since: 'show', by: 'show' },
    find: (control, { id }) => these(control, [operators.ref(id)]),
  }),
  part('person', notes, {
    fields: noteFields,
    find: (control, { id }) => all(control, queries.notesAbout, { where: { about: id } }),
  }),
  part('person', members, {
    fields: memberFields,
    named: nameless,
    find: (control, { id }) => all(control, queries.membersOfUser, { where: { user: id } }),
  }),
  part('person', invitations, {
    fields: invitationFields,
    find: (control, { email }) => all(control, queries.invitationsByAddress, { where: { email } }),
  }),
  part('person', keys, {
    fields: keyFields,
    named: nameless,
    find: (control, { id }) => all(control, queries.keysByUser, { where: { user: id } }),
  }),
  part('person', mailAddresses, {
    fields: { bouncedAt: 'show', reply: 'show', off: 'show', ttl: 'show' },
    named: nameless,
    find: (control, { email }) => these(control, [addressRef(email)]),
  }),
  part('person', waitList, {
    fields: {
      email: 'show',
      state: 'show',
      at: 'show',
      proof: 'hide',
      invite: 'show',
      cameAs: 'show',
      ttl: 'show',
    },
    named: nameless,
    find: (control, { email }) => these(control, [waitingRef(email)]),
  }),
  part('person', feedback, {
    fields: feedbackFields,
    find: (control, { id }) => all(control, queries.feedbackByActor, { where: { actor: id } }),
  }),
  part('person', audit, {
    fields: auditFields,
    unpack: unpackEntry,
    // What they did, and what was done to them; once each.
    find: (control, { id }) =>
      each(
        all(control, queries.auditByPerson, { where: { actor: id } }),
        unlessBy(id, all(control, queries.auditAbout, { where: { target: id } })),
      ),
  }),
]

/**
 * Leaves out what they did themselves, legal holds, of which they must not learn by an export, and where others sat and
 * what they used when they did something to them.
 */
async function* unlessBy(person: string, found: AsyncIterable<Snapshot<AuditDoc>>) {
  for await (const { data, ...one } of found)
    if (data.actor !== person && !data.action.startsWith('hold.'))
      yield { ...one, data: { ...data, from: '', body: withoutProgram(data.body ?? '{}') } }
}

function withoutProgram(body: string): string {
  return JSON.stringify({ ...JSON.parse(body), userAgent: undefined })
}
