/** PT-40nn: what a visitor meets at an http endpoint. */
import type { ErrorEntry } from '../errors.ts'

/** HTTP that no sender may send. Nothing of such a request reaches the upstream. */
const malformed = { http: 400, exit: 1, retry: 'never', owner: 'peer' } as const
const fixClient =
  'Look at the program that sent it, or at a proxy between it and the tunnel: it breaks RFC 9112.'

export const httpVisitorCodes = {
  'http.request_line': {
    code: 'PT-4001',
    ...malformed,
    title: 'Malformed request line',
    cause:
      'The first line of a request is not `METHOD target HTTP/1.1` with single spaces and a valid target.',
    cure: fixClient,
  },
  'http.field': {
    code: 'PT-4002',
    ...malformed,
    title: 'Malformed header field',
    cause: 'A header field has a bad name, a control character or a space before its colon, or is folded.',
    cure: fixClient,
  },
  'http.line_end': {
    code: 'PT-4003',
    ...malformed,
    title: 'Malformed line end',
    cause: 'A line of a request ends with LF or CR alone, where HTTP asks for CR LF.',
    cure: fixClient,
  },
  'http.host': {
    code: 'PT-4004',
    ...malformed,
    title: 'Host missing or malformed',
    cause: 'A request needs exactly one valid Host, equal to the host of an absolute target.',
    cure: fixClient,
  },
  'http.framing': {
    code: 'PT-4005',
    ...malformed,
    title: 'Length of the body is not certain',
    cause:
      'Content-Length or Transfer-Encoding is repeated, malformed, unsupported, or contradicts the other.',
    cure: 'Send either one Content-Length or `Transfer-Encoding: chunked`, never both.',
  },
  'http.chunk': {
    code: 'PT-4006',
    ...malformed,
    title: 'Malformed chunk',
    cause: 'A chunked body has a bad chunk size, extension, line end or trailer.',
    cure: fixClient,
  },
  'http.connection_option': {
    code: 'PT-4007',
    ...malformed,
    title: 'Connection names a protected header',
    cause: 'The Connection header asks to remove a header that routing, framing or forwarding needs.',
    cure: 'Name only hop-by-hop headers in Connection.',
  },
  'http.head_too_large': {
    code: 'PT-4009',
    ...malformed,
    http: 431,
    title: 'Request head too large',
    cause: 'The head of a request is longer than 64 KiB or has more than 200 header fields.',
    cure: 'Send fewer or smaller headers; cookies are the usual reason.',
  },
  'http.head_deadline': {
    code: 'PT-4010',
    ...malformed,
    http: 408,
    retry: 'later',
    title: 'Request head came too slowly',
    cause: 'The head of a request was not complete ten seconds after its first byte.',
    cure: 'Try again; if it goes on, look at the network between visitor and relay.',
  },
  'http.method': {
    code: 'PT-4011',
    ...malformed,
    http: 501,
    title: 'Method not supported',
    cause: 'CONNECT makes no sense at a tunnel, which leads to one upstream only.',
    cure: 'Send the request itself; do not configure the tunnel as a proxy.',
  },
  'http.version': {
    code: 'PT-4012',
    ...malformed,
    http: 505,
    title: 'HTTP version not supported',
    cause: 'The relay speaks HTTP/1.1 and HTTP/1.0 with visitors.',
    cure: 'Use HTTP/1.1; clients choose it by themselves unless they are told to assume HTTP/2.',
  },
  'http.misdirected': {
    code: 'PT-4013',
    ...malformed,
    http: 421,
    title: 'Request for another host',
    cause: 'A request named a host that its connection was not opened for.',
    cure: 'Open a connection for each host; browsers and libraries do so by themselves.',
  },
  'http.unknown_host': {
    code: 'PT-4014',
    ...malformed,
    http: 404,
    owner: 'user',
    title: 'No tunnel by this name',
    cause: 'No tunnel is served under this host name, and none was at this relay within a day.',
    cure: "Check the spelling of the address, and that the tunnel's agent runs.",
  },
  'http.upstream_silent': {
    code: 'PT-4015',
    ...malformed,
    http: 502,
    retry: 'later',
    owner: 'upstream',
    title: 'Upstream gave no answer',
    cause: 'The service behind the tunnel closed the connection before it sent an answer.',
    cure: 'Look at the log of the service behind the tunnel; ptun shows the connection too.',
  },
  'http.coding': {
    code: 'PT-4016',
    ...malformed,
    http: 501,
    title: 'Transfer coding not supported',
    cause: 'A request uses a Transfer-Encoding other than `chunked`, for example `gzip, chunked`.',
    cure: 'Send it with `Transfer-Encoding: chunked` alone; compress the content itself and say so in Content-Encoding.',
  },
  'http.answer_deadline': {
    code: 'PT-4017',
    ...malformed,
    http: 504,
    retry: 'later',
    owner: 'upstream',
    title: 'Upstream did not answer in time',
    cause: 'The service behind the tunnel took the request and sent no answer for five minutes.',
    cure: 'Look at the service behind the tunnel. Work that takes so long should answer at once and let the client ask for the result later.',
  },
  'http.body_deadline': {
    code: 'PT-4018',
    ...malformed,
    http: 408,
    retry: 'later',
    title: 'Request body stalled',
    cause: 'No more bytes of an incomplete request body came for five minutes.',
    cure: 'Send it again; if it goes on, look at the network between visitor and relay.',
  },
} as const satisfies Record<string, ErrorEntry>
