/**
 * The closed list of what differs from the cloud when the applied stack is started on one machine; docs/cloud.md shows
 * it, and e2e/applied.test.ts compares both with what the programs got. Everything else comes from Terraform's state.
 */

/** Lines of the table in docs/cloud.md#proven-without-a-cloud. */
export const bends = {
  addresses:
    'Google, Cloudflare and the DNS have addresses of a network namespace; names and ports are theirs',
  authority:
    'their certificates come from an authority of the test, which programs trust by `NODE_EXTRA_CA_CERTS`',
  services:
    'Firestore and Pub/Sub are Google’s emulators, Let’s Encrypt is pebble, and the rest is what the tests have in its place',
  packages: 'a function has its packages from this checkout instead of `npm ci`, and a port of its own',
  node: 'the archive of Node holds this machine’s Node',
  system: 'a relay VM is this machine’s `/usr` with a root of its own, and a stand-in for `systemctl`',
} as const

/** Outside the VM. */
export const addresses = {
  metadata: '169.254.169.254',
  /** Everything that is reached by HTTPS. */
  web: '198.51.100.1',
  /** What is reached by gRPC. */
  grpc: '198.51.100.2',
  names: '198.51.100.3',
  /** The server of every zone. It has to be of the public internet. */
  zones: '34.140.2.53',
  /** By default functions ask these about own domains. */
  resolvers: ['1.1.1.1', '8.8.8.8', '9.9.9.9'],
} as const

/** What Google chooses for a VM when it makes it. The address is of the public internet: only such get records. */
export const machine = { address: '34.140.1.7', instanceId: '4711000000000000042' } as const

/** The emulators' addresses in the namespace. */
export const emulators = { firestore: '127.0.0.1:8080', pubsub: '127.0.0.1:8085' } as const

/** Pebble's ports in the namespace: for orders, and for tests. */
export const pebblePorts = { acme: 14_000, management: 15_000 } as const
export const acmeHost = 'acme-v02.api.letsencrypt.org'

/** The upstream of agents, in the namespace. */
export const upstreamPort = 3000
export const upstreamText = 'from the upstream'

/** Who asks there makes the scheduler call, and gets the status of the answer. */
export const schedulerPort = 3001

/** The port of the first function in the namespace; each further one has the next. */
export const functionsFrom = 9_000

/** In the folder that the test and surroundings.ts share. */
export const files = {
  applied: 'applied.json',
  /** Certificate and key of everything outside, and the root above it. */
  chain: 'chain.pem',
  key: 'key.pem',
  root: 'root.pem',
  /** Buckets, as folders. */
  buckets: 'buckets',
  /** The one key of metadata that the template is to be without. */
  withheld: 'withheld',
  /** Sockets that lead to the emulators. */
  firestore: 'firestore.sock',
  pubsub: 'pubsub.sock',
} as const

/** Names of Google and Cloudflare that programs call. */
export const webHosts = [
  acmeHost,
  'api.cloudflare.com',
  'cloudkms.googleapis.com',
  'compute.googleapis.com',
  'identitytoolkit.googleapis.com',
  'oauth2.googleapis.com',
  'storage.googleapis.com',
  'www.googleapis.com',
] as const
export const grpcHosts = ['firestore.googleapis.com', 'pubsub.googleapis.com'] as const

export type CloudEvent =
  | { readonly kind: 'up'; readonly token: string }
  | { readonly kind: 'asked'; readonly host: string; readonly path: string; readonly status: number }
  | { readonly kind: 'called'; readonly method: string; readonly status: string }
  | { readonly kind: 'attribute'; readonly key: string }
  | { readonly kind: 'reported'; readonly value: string }
  | { readonly kind: 'delivered'; readonly name: string; readonly status: number }
