/** Who runs the name servers of a zone, as far as their names tell, and hints for that provider's form. */
type Provider = { readonly name: string; readonly hint: string }

const relative = 'Type the short name; the domain is put behind it.'
const known: readonly (readonly [servers: RegExp, name: string, hint: string])[] = [
  [/\.ns\.cloudflare\.com$/, 'Cloudflare', `${relative} Set "Proxy status" to "DNS only" (the grey cloud).`],
  [/\.domaincontrol\.com$/, 'GoDaddy', relative],
  [/\.registrar-servers\.com$/, 'Namecheap', `${relative} It is under "Advanced DNS".`],
  [
    /\.awsdns-\d+\.(?:com|net|org|co\.uk)$/,
    'Amazon Route 53',
    `${relative} Put the value of a TXT record into quotation marks.`,
  ],
  [/\.googledomains\.com$/, 'Google', 'In Cloud DNS type the whole name with a dot behind it.'],
  [/\.azure-dns\.(?:com|net|org|info)$/, 'Azure DNS', relative],
  [
    /\.(?:your-server\.de|first-ns\.de|ns\.hetzner\.(?:com|de))$|\.second-ns\.(?:com|de)$/,
    'Hetzner',
    'Put a dot behind a value that is a whole name.',
  ],
  [/\.ovh\.(?:net|ca)$|\.anycast\.me$/, 'OVHcloud', 'Put a dot behind a value that is a whole name.'],
  [/\.gandi\.net$/, 'Gandi', 'Put a dot behind a value that is a whole name.'],
  [/\.digitalocean\.com$/, 'DigitalOcean', 'Put a dot behind a value that is a whole name.'],
  [/\.dnsimple(?:-edge)?\.(?:com|net|org|io)$/, 'DNSimple', relative],
  [/\.ui-dns\.(?:com|de|org|biz)$/, 'IONOS', relative],
  [/\.porkbun\.com$/, 'Porkbun', relative],
  [/\.vercel-dns\.com$/, 'Vercel', relative],
  [/\.wixdns\.net$/, 'Wix', relative],
  [/\.dreamhost\.com$/, 'DreamHost', relative],
]

/** @param servers in small letters. @returns undefined when they tell nothing */
export function providerOf(servers: readonly string[]): Provider | undefined {
  const found = known.find(([pattern]) => servers.some((server) => pattern.test(server)))
  return found && { name: found[1], hint: found[2] }
}
