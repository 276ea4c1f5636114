/**
 * Names of header fields by which proxies tell an application who the visitor is and what it asked for. An application
 * that reads one believes that its own proxy has set it, and here that proxy is the relay, so nothing that a visitor
 * sends under such a name reaches the upstream. The relay itself sets `X-Forwarded-For`, `-Host` and `-Proto`
 * (rewrite.ts). Fields that only describe the way (`Via`, `Traceparent`, `X-Request-Id`) stay.
 */

/** Each with its source, or its reader. Names are in lower case; `-` also stands for `_`. */
export const forgedNames: Readonly<Record<string, string>> = {
  // The visitor's address.
  forwarded: 'RFC 7239',
  'forwarded-for': 'read by django-ipware and request-ip',
  'x-forwarded': 'read by django-ipware and request-ip',
  'x-real-ip': 'nginx by custom; read by Chi, Gin, Tornado and many more',
  'x-client-ip': 'read first by request-ip',
  'client-ip': 'read by Rails (ActionDispatch::RemoteIp) and by PHP as HTTP_CLIENT_IP',
  'x-cluster-client-ip': 'Rackspace and Riverbed',
  'x-original-forwarded-for': 'ingress-nginx',
  'x-remote-ip': 'by custom',
  'x-remote-addr': 'by custom',
  'x-envoy-external-address': 'Envoy, for addresses that it trusts',
  'x-appengine-user-ip': 'Google App Engine',
  'x-azure-clientip': 'Azure Front Door',
  'x-azure-socketip': 'Azure Front Door',
  'x-vercel-forwarded-for': 'Vercel',
  'x-nf-client-connection-ip': 'Netlify',
  'true-client-ip': 'Akamai and Cloudflare; read by Chi',
  'cf-connecting-ip': 'Cloudflare',
  'cf-connecting-ipv6': 'Cloudflare',
  'cf-pseudo-ipv4': 'Cloudflare',
  'fastly-client-ip': 'Fastly',
  'fly-client-ip': 'Fly.io',
  'do-connecting-ip': 'DigitalOcean App Platform',
  'incap-client-ip': 'Imperva',
  'ali-cdn-real-ip': 'Alibaba Cloud',
  'cdn-src-ip': 'Wangsu',
  // The scheme.
  'cf-visitor': 'Cloudflare: {"scheme":"https"}',
  'cloudfront-forwarded-proto': 'Amazon CloudFront',
  'fastly-ssl': 'Fastly',
  'front-end-https': 'Microsoft ISA and IIS',
  'x-scheme': 'ingress-nginx',
  'x-url-scheme': 'by custom',
  // The host.
  'x-original-host': 'Azure Application Gateway',
}

/** Names with these beginnings are treated alike: `X-Forwarded-Port`, `-Prefix`, `-Ssl`, `-Client-Cert` and so on. */
export const forgedPrefixes: readonly string[] = ['x-forwarded-', 'x-porttunneler-']
