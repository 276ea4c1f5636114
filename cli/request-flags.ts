/** Options of `ptun http` about requests, and of all kinds about the policy. */

import type { TunnelKind } from '@porttunneler/shared/protocol/endpoint'
import { Option } from 'commander'

const several = (one: string, before: readonly string[] = []) => [...before, one]

/** All kinds know them, so that other kinds can say why they refuse them. */
export function requestOptions(): readonly Option[] {
  return [
    new Option('--host-header <host>', 'Host that the upstream gets: "rewrite" for its own, or a name'),
    new Option('--rewrite-origin', "with --host-header: the tunnel's own Origin and Referer too"),
    new Option('--insecure-upstream', 'take any certificate from an https:// upstream'),
    new Option('--upstream-ca <file>', 'authorities to check an https:// upstream against (PEM)'),
    new Option('--upstream-protocol <protocol>', 'what the upstream speaks: http1, h2c (gRPC) or h2'),
    new Option(
      '--auth <user:password>',
      'let in only visitors with a password; repeat it, or PTUN_AUTH',
    ).argParser(several),
    new Option('--auth-file <file>', 'the same from a file, one user:password a line'),
    new Option(
      '--verify-webhook <kind>',
      'let in only signed webhooks: stripe, github, slack, hmac or hmac:<header>; secret: PTUN_WEBHOOK_SECRET',
    ),
    new Option('--webhook-secret-file <file>', 'with --verify-webhook: the secret from a file'),
    new Option(
      '--redirect <rule>',
      "send visitors elsewhere: '/old/* -> /new/*'; repeat it for several",
    ).argParser(several),
    new Option('--request-header-set <header>', "'Name: value' that the upstream gets").argParser(several),
    new Option('--request-header-add <header>', 'the same beside what is there').argParser(several),
    new Option('--request-header-remove <name>', 'header that the upstream does not get').argParser(several),
    new Option('--response-header-set <header>', "'Name: value' that visitors get").argParser(several),
    new Option('--response-header-add <header>', 'the same beside what is there').argParser(several),
    new Option('--response-header-remove <name>', 'header that visitors do not get').argParser(several),
    new Option('--hsts', 'tell browsers that came by HTTPS to come by nothing else'),
    new Option('--hsts-max-age <seconds>', 'with --hsts: for how long; default: a day'),
    new Option('--hsts-subdomains', 'with --hsts: also for all names below the host'),
  ]
}

export function tagOption(): Option {
  const what = 'a word that sorts the tunnel in the console, such as prod; repeat it'
  return new Option('--tag <word>', what).argParser(several)
}

/** All kinds know all of them, so that tcp and tls can say why they refuse those that are for http. */
export function policyOptions(kind: TunnelKind): readonly Option[] {
  const forHttp = [
    new Option('--https-only', 'send visitors who come by plain HTTP to HTTPS'),
    new Option('--acme-upstream', 'let the upstream get its own certificates for an own domain'),
    new Option('--requests-per-minute <count>', 'requests a minute that one visitor may make'),
    new Option('--max-body <size>', 'longest body of a request: bytes, or 500kB, 10MB'),
  ]
  return [
    new Option('--allow <network>', 'let in only visitors from this address or network; repeat it').argParser(
      several,
    ),
    new Option('--deny <network>', 'keep visitors from there out; repeat it').argParser(several),
    ...forHttp.map((option) => (kind === 'http' ? option : option.hideHelp())),
  ]
}
