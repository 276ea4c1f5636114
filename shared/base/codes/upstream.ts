/** PT-604n to PT-606n: what the agent finds out about the upstream, and visitors see as a page. */
import type { ErrorEntry } from '../errors.ts'

const upstream = { http: 502, exit: 1, retry: 'later', owner: 'upstream' } as const

export const upstreamCodes = {
  'upstream.refused': {
    code: 'PT-6040',
    ...upstream,
    title: 'Nothing listens at the upstream',
    cause: 'The machine of the agent refused the connection to the local port.',
    cure: 'Start your program, or correct the port. The tunnel stays up and the next visitor is tried again.',
  },
  'upstream.timeout': {
    code: 'PT-6041',
    ...upstream,
    http: 504,
    title: 'Upstream does not answer',
    cause: 'The upstream did not accept the connection within 8 seconds.',
    cure: 'Check that the program is alive and that no firewall drops the connection silently.',
  },
  'upstream.unreachable': {
    code: 'PT-6042',
    ...upstream,
    title: 'Upstream cannot be reached',
    cause:
      'The machine of the agent has no way to the address of the upstream, or does not let the connection out.',
    cure: 'Do what the message says, and check the address of the upstream.',
  },
  'upstream.unknown': {
    code: 'PT-6043',
    ...upstream,
    title: 'Host of the upstream not known',
    cause: 'No name server that the machine of the agent asks knows the name of the upstream.',
    cure: 'Check the spelling, or write the address instead of the name.',
  },
  'upstream.exhausted': {
    code: 'PT-6044',
    ...upstream,
    http: 503,
    title: 'Agent is out of sockets',
    cause: 'The machine of the agent has no file descriptors or local ports left for another connection.',
    cure: 'Do what the message says, or spread the load over several machines.',
  },
  'upstream.failed': {
    code: 'PT-6045',
    ...upstream,
    title: 'Connection to the upstream failed',
    cause: 'The connection to the upstream failed for a reason that ptun does not know.',
    cure: 'Look at the log of ptun: it has the error of the operating system.',
  },
  'upstream.unhealthy': {
    code: 'PT-6046',
    ...upstream,
    title: 'Upstream fails its health check',
    cause:
      'The upstream takes connections, but does not answer the GET of `health` in ptun.yaml as it should.',
    cure: 'Look at the log of the service behind the tunnel, and at `path` and `status` of its `health`.',
  },
  'upstream.untrusted': {
    code: 'PT-6047',
    ...upstream,
    title: 'Certificate of the upstream not trusted',
    cause: 'The upstream showed a certificate that it signed itself, or that an unknown authority signed.',
    cure: 'Name the authority with --upstream-ca (upstreamCa), or do not check with --insecure-upstream (insecureUpstream).',
  },
  'upstream.expired': {
    code: 'PT-6048',
    ...upstream,
    title: 'Certificate of the upstream not valid now',
    cause: 'The certificate of the upstream has expired or is not valid yet.',
    cure: 'Renew the certificate, and check the clock of the machine that runs ptun.',
  },
  'upstream.misnamed': {
    code: 'PT-6049',
    ...upstream,
    title: 'Certificate of the upstream is for another name',
    cause: 'The certificate of the upstream does not name the host that ptun asked for.',
    cure: 'Write the upstream with a name that is in its certificate, or give that name with --host-header.',
  },
  'upstream.tls': {
    code: 'PT-6050',
    ...upstream,
    title: 'No TLS with the upstream',
    cause: 'The TLS handshake with the https upstream failed, or what listens there does not speak TLS.',
    cure: 'If your program speaks plain HTTP, leave https:// out; else let it offer TLS 1.2 or later and HTTP/1.1.',
  },
  'upstream.no_socket': {
    code: 'PT-6051',
    ...upstream,
    title: 'No socket at the path of the upstream',
    cause: 'There is no unix socket at the path that the upstream names.',
    cure: 'Start your program, or correct the path. The tunnel stays up and the next visitor is tried again.',
  },
  'upstream.denied': {
    code: 'PT-6052',
    ...upstream,
    title: 'Socket of the upstream may not be used',
    cause: 'The user that runs ptun may not connect to the unix socket of the upstream.',
    cure: 'Run ptun as a user or in a group that may write to the socket, or change its mode.',
  },
  'upstream.resolver': {
    code: 'PT-6055',
    ...upstream,
    title: 'Name server does not answer the agent',
    cause:
      'The name of the upstream could not be looked up: the name server of the machine that runs ptun is silent.',
    cure: 'Check the network and the DNS of the machine that runs ptun, or write the address instead of the name.',
  },
  'upstream.no_http_two': {
    code: 'PT-6060',
    ...upstream,
    title: 'Upstream does not speak HTTP/2',
    cause:
      'The tunnel asks its upstream in HTTP/2, but what listens there does not answer in it. Most web servers speak HTTP/1.1 without TLS.',
    cure: 'Leave --upstream-protocol (upstreamProtocol) out, or set it to http1. For h2 let the server offer HTTP/2 by ALPN; for h2c it must take HTTP/2 without TLS and without an upgrade.',
  },
  'upstream.only_http_two': {
    code: 'PT-6061',
    ...upstream,
    title: 'Upstream speaks only HTTP/2',
    cause:
      'The tunnel asks its upstream in HTTP/1.1, but what listens there speaks only HTTP/2, as gRPC servers do.',
    cure: 'Start the tunnel with --upstream-protocol h2c (upstreamProtocol: h2c), or h2 if the upstream has TLS.',
  },
  'upstream.reset': {
    code: 'PT-6062',
    ...upstream,
    title: 'Upstream broke the request off',
    cause:
      'The upstream ended the request with an HTTP/2 error, or lost its connection, before it answered. The log of ptun has the name of the error.',
    cure: 'Look at the log of the upstream. If it has just started again, try again.',
  },
  'upstream.busy': {
    code: 'PT-6063',
    ...upstream,
    http: 503,
    title: 'Upstream takes no more requests',
    cause:
      'The upstream allows only so many HTTP/2 requests at a time. All of them were in use, and none ended within 20 seconds.',
    cure: 'Try again, or raise the number of concurrent streams that the upstream allows (nginx: http2_max_concurrent_streams).',
  },
  'upstream.answer': {
    code: 'PT-6058',
    ...upstream,
    title: 'Answer of the upstream is not well formed',
    cause:
      'The answer of the upstream breaks HTTP, so the headers that the tunnel should change in it cannot be changed safely.',
    cure: 'Look at what your program sends; until it is right, leave responseHeaders and hsts out of the tunnel.',
  },
  'upstream.no_websocket': {
    code: 'PT-6064',
    ...upstream,
    http: 501,
    retry: 'never',
    title: 'Upstream opens no WebSockets over HTTP/2',
    cause:
      'A visitor wants to open a WebSocket. The tunnel asks its upstream in HTTP/2, and the upstream does not offer WebSockets there (RFC 8441).',
    cure: 'Leave --upstream-protocol (upstreamProtocol) out if the upstream takes WebSockets over HTTP/1.1, as most do, or let it offer extended CONNECT.',
  },
} as const satisfies Record<string, ErrorEntry>
