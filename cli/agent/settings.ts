/** What a tunnel does besides passing bytes on, for `ptun status`, `ptun config check` and the live status. */
import { sayPolicy } from '../policy.ts'
import type { WantedTunnel } from './tunnels.ts'

/** A few words for each; never a password. */
export function settingsOf({
  domain,
  requests,
  tls,
  upstreamProtocol,
  endToEnd,
  policy,
}: Pick<
  WantedTunnel,
  'domain' | 'tls' | 'requests' | 'upstreamProtocol' | 'endToEnd' | 'policy'
>): readonly string[] {
  const users = requests?.logins.length ?? 0
  const redirects = requests?.redirects?.length ?? 0
  return [
    ...(domain !== undefined ? [`domain ${domain}`] : []),
    ...(endToEnd ? ['TLS ends at this agent'] : []),
    ...(users > 0 ? [users === 1 ? 'asks for a password' : `asks for a password, ${users} users`] : []),
    ...(requests?.host !== undefined ? [`Host ${requests.host}${requests.origin ? ' and origin' : ''}`] : []),
    ...(upstreamProtocol ? [`upstream speaks HTTP/2 (${upstreamProtocol})`] : []),
    ...(redirects > 0 ? [redirects === 1 ? '1 redirect' : `${redirects} redirects`] : []),
    ...(requests?.requestHeaders ? ['changes request headers'] : []),
    ...(requests?.responseHeaders ? ['changes response headers'] : []),
    ...(requests?.webhooks ? [`checks webhooks (${requests.webhooks.scheme})`] : []),
    ...(requests?.hsts ? ['HSTS'] : []),
    ...(policy ? [`policy: ${sayPolicy(Object.keys(policy))}`] : []),
    ...(tls?.isUnchecked ? ['certificate not checked'] : tls?.ca ? ['own authority'] : []),
  ]
}
