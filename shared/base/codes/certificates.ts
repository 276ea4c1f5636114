/** PT-26nn: certificates, from their order to their renewal (shared/control/certificates). */
import type { ErrorEntry } from '../errors.ts'

const outside = { http: 502, exit: 1, retry: 'later' } as const

export const certificateCodes = {
  'certificate.issuer_down': {
    code: 'PT-2601',
    ...outside,
    owner: 'service',
    title: 'Certificate authority does not answer',
    cause: 'The certificate authority cannot be reached, is too slow, or reports a fault.',
    cure: 'Nothing to do: the order goes on when the authority answers again, and the certificate in use stays. If this lasts, look at the status page of the authority, and check that this machine reaches the internet by HTTPS.',
  },
  'certificate.limited': {
    code: 'PT-2602',
    ...outside,
    http: 429,
    owner: 'service',
    title: 'Certificate authority wants a pause',
    cause:
      'The certificate authority has issued as many certificates for this name, domain or account as its limit allows for now.',
    cure: 'Nothing to do: the order goes on when the pause is over, or at the next authority of the settings.',
  },
  'certificate.refused': {
    code: 'PT-2603',
    ...outside,
    retry: 'never',
    owner: 'operator',
    title: 'Certificate authority refuses the order',
    cause: 'The certificate authority refuses this order; the detail has its reason.',
    cure: 'Read the reason. Many authorities refuse some names, need a contact address, or an account made beforehand (external account binding). The order is tried again by itself.',
  },
  'certificate.validation': {
    code: 'PT-2604',
    ...outside,
    owner: 'user',
    title: 'Name not proven to the certificate authority',
    cause:
      'The certificate authority looked for the proof that this name is served here, and did not find it; the detail says what it saw.',
    cure: 'Make sure that the name leads to this service from everywhere, without an old A or AAAA record beside it, and that port 80 can be reached from the internet. The order is tried again by itself.',
  },
  'certificate.caa': {
    code: 'PT-2605',
    ...outside,
    owner: 'user',
    title: 'CAA record forbids the certificate',
    cause:
      'A CAA record of the domain lists the authorities that may issue certificates for it, and none of ours is among them.',
    cure: 'Add a CAA record with the authority that the detail names, or remove the CAA records. The order is tried again by itself.',
  },
  'certificate.budget': {
    code: 'PT-2606',
    ...outside,
    http: 429,
    owner: 'service',
    title: 'Certificate waits for its turn',
    cause:
      'Authorities issue a limited number of certificates an hour, and a week for one domain. The rest of that number is kept for renewals.',
    cure: 'Nothing to do: the order goes on at the time in the detail. A certificate for all names of a domain (DNS settings) needs only one order.',
  },
  'certificate.slow': {
    code: 'PT-2607',
    ...outside,
    owner: 'service',
    title: 'Certificate authority has not finished',
    cause:
      'The certificate authority accepted an order a day ago and has neither issued the certificate nor refused it.',
    cure: 'Nothing to do: the certificate is ordered anew. If it happens again, ask the authority.',
  },
  'certificate.expiring': {
    code: 'PT-2608',
    ...outside,
    owner: 'operator',
    title: 'Certificate expires soon',
    cause:
      'A certificate is in the last tenth of its life, and every try to renew it has failed. Visitors will see a warning when it has expired.',
    cure: 'Fix the failure that the log names beside this code.',
  },
  'certificate.undelegated': {
    code: 'PT-2609',
    http: 409,
    exit: 1,
    retry: 'later',
    owner: 'user',
    title: 'Record for the certificate of a wildcard is missing',
    cause:
      'Certificate authorities prove a wildcard, such as *.app.example.com, in the DNS alone. The record that lets this service do that is not there, or this server writes no DNS records; the detail says which.',
    cure: 'Make the record in the detail once, beside the one that leads visitors here. It is looked for every few minutes. Where the server writes no records, add each host by itself instead.',
  },
  'certificate.covers': {
    code: 'PT-2610',
    http: 409,
    exit: 1,
    retry: 'later',
    owner: 'user',
    title: 'Wildcard stands for a name with end-to-end TLS',
    cause:
      'A certificate for the wildcard at the relay would let browsers send requests there that are meant for a name whose TLS ends at an agent.',
    cure: 'Use another parent for the names with end-to-end TLS, or add the hosts of the wildcard one by one. The wildcard gets its certificate when those of the agents have expired.',
  },
  'certificate.request': {
    code: 'PT-2621',
    http: 400,
    exit: 2,
    retry: 'never',
    owner: 'user',
    title: 'Certificate request cannot be used',
    cause:
      'The certificate request (CSR) is damaged, has a key that is too weak, or asks for something else than one host; the detail says which.',
    cure: 'Make a new request: a key on the curve P-256, the host as the only alternative name (SAN), signed by that key. `ptun --e2e` makes such requests by itself.',
  },
  'certificate.key_known': {
    code: 'PT-2622',
    http: 409,
    exit: 2,
    retry: 'never',
    owner: 'user',
    title: 'Key of the certificate is used already',
    cause: 'A certificate for another host, or of another account, was requested for this key.',
    cure: 'Make a new key for each host, and a new one for each renewal.',
  },
  'certificate.name': {
    code: 'PT-2623',
    http: 409,
    exit: 2,
    retry: 'never',
    owner: 'user',
    title: 'No certificate for this name',
    cause:
      'The name is not yours, or does not lead to a tunnel whose TLS ends at its agent; the detail says which names can have a certificate.',
    cure: 'Start the tunnel with `--e2e`, with a name that your account keeps (`ptun names reserve shop.e2e`, then `--name shop`) or with your own domain (`--domain`).',
  },
  'certificate.unreserved': {
    code: 'PT-2624',
    http: 409,
    exit: 2,
    retry: 'never',
    owner: 'user',
    title: 'Name is not reserved',
    cause:
      'Certificate authorities issue few certificates a week for one domain, so only names that an account keeps get a certificate of their own.',
    cure: 'Reserve the name: for the tunnel `shop`, run `ptun names reserve shop.e2e`. Then start the tunnel again.',
  },
  'certificate.waiting': {
    code: 'PT-2625',
    http: 429,
    exit: 1,
    retry: 'later',
    owner: 'user',
    title: 'Too many certificate requests',
    cause:
      'The account has requested very many certificates in the last hours, for few of which there is an answer.',
    cure: 'Nothing to do: ptun asks again by itself. Check that the state folder of ptun can be written, so that it need not make a new key at each start.',
  },
  'certificate.none': {
    code: 'PT-2626',
    http: 409,
    exit: 1,
    retry: 'later',
    owner: 'operator',
    title: 'Server orders no certificates',
    cause: 'This server has no certificate authority in its settings.',
    cure: 'Use `ptun http` or `ptun tls` without `--e2e`. An operator can set `acme.email` in the settings of the server.',
  },
} as const satisfies Record<string, ErrorEntry>
