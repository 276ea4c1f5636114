/** The client's calls for who belongs to an account, and for an operator's mails to them. Used by client.ts. */
import type { z } from 'zod'
import { type CallOptions, type ClientOptions, call, nothing } from './client-call.ts'
import * as accounts from './schemas/accounts.ts'
import * as addressChange from './schemas/address-change.ts'
import * as mails from './schemas/mails.ts'
import * as signIns from './schemas/sign-ins.ts'
import * as team from './schemas/team.ts'

const addressPath = '/v1/address-change'

export function teamCalls(options: ClientOptions) {
  const memberAt = (member: string) => `/v1/members/${encodeURIComponent(member)}`
  const answered = <T>(path: string, answer: z.ZodType<T>, json: unknown, o?: CallOptions) =>
    call(options, { method: 'POST', path, answer, json }, o)
  return {
    /** The signed-in person's accounts: values for the header PortTunneler-Account. */
    accounts: (o?: CallOptions) =>
      call(options, { method: 'GET', path: '/v1/accounts', answer: accounts.accountChoicesSchema }, o),
    members: (o?: CallOptions) =>
      call(options, { method: 'GET', path: '/v1/members', answer: accounts.membersSchema }, o),
    createServiceMember: (json: z.input<typeof accounts.serviceCreateSchema>, o?: CallOptions) =>
      answered('/v1/members', accounts.memberSchema, json, o),
    changeMember: (member: string, json: z.input<typeof accounts.memberUpdateSchema>, o?: CallOptions) =>
      call(options, { method: 'PATCH', path: memberAt(member), answer: nothing, json }, o),
    removeMember: (member: string, o?: CallOptions) =>
      call(options, { method: 'DELETE', path: memberAt(member), answer: nothing }, o),
    /** The member becomes an owner, and the caller an admin. */
    handOver: (member: string, o?: CallOptions) =>
      call(options, { method: 'POST', path: `${memberAt(member)}/ownership`, answer: nothing }, o),
    invitations: (o?: CallOptions) =>
      call(options, { method: 'GET', path: '/v1/invitations', answer: team.invitationsSchema }, o),
    invite: (json: z.input<typeof team.inviteSchema>, o?: CallOptions) =>
      answered('/v1/invitations', team.invitationSchema, json, o),
    revokeInvitation: (invitation: string, o?: CallOptions) =>
      call(
        options,
        { method: 'DELETE', path: `/v1/invitations/${encodeURIComponent(invitation)}`, answer: nothing },
        o,
      ),
    /** Where the person is signed in. */
    signIns: (o?: CallOptions) =>
      call(options, { method: 'GET', path: '/v1/sign-ins', answer: signIns.signInsSchema }, o),
    endSignIn: (id: string, o?: CallOptions) =>
      call(options, { method: 'DELETE', path: `/v1/sign-ins/${encodeURIComponent(id)}`, answer: nothing }, o),
    /** All but the one that asks. */
    endOtherSignIns: (o?: CallOptions) =>
      call(options, { method: 'DELETE', path: '/v1/sign-ins', answer: signIns.signInsEndedSchema }, o),
    addressChange: (o?: CallOptions) =>
      call(options, { method: 'GET', path: addressPath, answer: addressChange.addressChangeSchema }, o),
    /** Mails both mailboxes. */
    requestAddressChange: (json: z.input<typeof addressChange.addressChangeRequestSchema>, o?: CallOptions) =>
      answered(addressPath, nothing, json, o),
    withdrawAddressChange: (o?: CallOptions) =>
      call(options, { method: 'DELETE', path: addressPath, answer: nothing }, o),
    confirmAddressChange: (json: z.input<typeof addressChange.addressChangeTokenSchema>, o?: CallOptions) =>
      answered(`${addressPath}/confirm`, addressChange.addressConfirmedSchema, json, o),
    stopAddressChange: (json: z.input<typeof addressChange.addressChangeTokenSchema>, o?: CallOptions) =>
      answered(`${addressPath}/stop`, nothing, json, o),
    /** For operators: mails of a server that has no mail server. */
    keptMails: (o?: CallOptions) =>
      call(options, { method: 'GET', path: '/v1/mails', answer: mails.keptMailsSchema }, o),
    keptMail: (mail: string, o?: CallOptions) =>
      call(
        options,
        { method: 'GET', path: `/v1/mails/${encodeURIComponent(mail)}`, answer: mails.keptMailBodySchema },
        o,
      ),
    /** What an invitation to the signed-in person offers. */
    readInvitation: (json: z.input<typeof team.invitationTokenSchema>, o?: CallOptions) =>
      answered('/v1/invitations/read', team.invitedSchema, json, o),
    acceptInvitation: (json: z.input<typeof team.invitationTokenSchema>, o?: CallOptions) =>
      answered('/v1/invitations/accept', team.joinedSchema, json, o),
  }
}
