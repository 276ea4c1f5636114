/**
 * The list of attacks: what an enemy tries, and the test that shows how it ends. The tests are those of `npm test`;
 * `npm run attack` (attack.ts) runs the short ones alone and prints what held. A tidy test keeps the list true.
 */
type Attack = {
  readonly name: string
  readonly tried: string
  readonly file: string
  /** Part of the test's name. */
  readonly test: string
  /** It starts programs or loads the machine: only `npm test` runs it. */
  readonly isLong?: true
}

export const attacks: readonly Attack[] = [
  {
    name: 'account taken before its owner comes',
    tried: "register somebody's address, make a key, wait for the owner to reset the password",
    file: 'standalone/platform/identity.local.earlier.test.ts',
    test: 'the first proof of the mailbox ends all keys',
  },
  {
    name: 'forged address',
    tried: 'X-Forwarded-For of the caller, alone and behind a proxy',
    file: 'standalone/addresses.test.ts',
    test: 'address: a stranger is not the proxy',
  },
  {
    name: 'much work in few bytes',
    tried: 'chunks of a byte and pipelined requests, by fifty connections of a stranger, beside a visitor',
    file: 'e2e/greedy-tenant.test.ts',
    test: 'as a visitor, with chunks of a byte, makes others wait a little',
    isLong: true,
  },
  {
    name: 'floods over HTTP/2',
    tried:
      'rapid reset, MadeYouReset, CONTINUATION, SETTINGS, PING and empty DATA without an end, broken HPACK and frames',
    file: 'relay-vm/listeners/http2/attacks.test.ts',
    test: 'the connection ends, and others are served',
  },
  {
    name: 'another tunnel by a connection that its certificate covers',
    tried:
      'requests over HTTP/2 for a name that the connection was not opened for, and with a Host that differs',
    file: 'relay-vm/listeners/http2/visitor.test.ts',
    test: 'gets its page, and the connection goes on',
  },
  {
    name: 'many requests at the relay’s own names',
    tried: 'a thousand requests at once on one connection',
    file: 'relay-vm/own-host.test.ts',
    test: 'of many requests on one connection the first is answered, and no other is read',
  },
  {
    name: 'guessed password',
    tried: 'many guesses from one source, and the right one among them',
    file: 'standalone/platform/identity.local.guard.test.ts',
    test: 'after five wrong passwords the source waits',
  },
  {
    name: 'guesses from everywhere',
    tried: 'guesses from many networks at one account, so that its owner is locked out',
    file: 'standalone/platform/identity.local.guard.test.ts',
    test: 'guesses from many networks are slowed to two a minute',
  },
  {
    name: 'sign-in as a denial of service',
    tried: 'fill the queue of password hashes and have the refusals count as failures',
    file: 'standalone/platform/identity.local.line.test.ts',
    test: 'being told to come back is not a failed sign-in',
  },
  {
    name: 'weak password',
    tried: 'trivial and leaked passwords, wherever one is set',
    file: 'standalone/platform/identity.local.weak.test.ts',
    test: 'a weak password is refused wherever one is set',
  },
  {
    name: 'who is registered here? The form for accounts',
    tried: 'ask for an account at a known and at an unknown address, and compare answer and work',
    file: 'standalone/platform/identity.local.work.test.ts',
    test: 'asking for an account costs the same',
  },
  {
    name: 'who waits for a place?',
    tried: 'put a known and an unknown address on the waiting list of a beta, and compare the answers',
    file: 'shared/api/invitation.test.ts',
    test: 'the waiting list answers the same whether or not an address is known',
  },
  {
    name: 'more accounts than an invite code has places',
    tried: 'six people bring a code of two places at the same time, through two instances',
    file: 'shared/testing/invites.contract.ts',
    test: 'six people want two places at once',
  },
  {
    name: 'account at an address of somebody else',
    tried: 'register it, and sign in before its owner has seen the mail',
    file: 'standalone/platform/identity.local.registrations.test.ts',
    test: 'nothing is made before the link is used',
  },
  {
    name: 'who is registered here?',
    tried: 'compare the work of a sign-in for a known and an unknown address',
    file: 'standalone/platform/identity.local.work.test.ts',
    test: 'a failed sign-in costs the same',
  },
  {
    name: 'somebody else’s ids',
    tried: "every route that takes an id, with another account's",
    file: 'shared/api/isolation.test.ts',
    test: 'every route that takes an id answers 404 to a stranger',
  },
  {
    name: 'device login from a foreign page',
    tried: 'forms of another site that use up the codes of device login',
    file: 'shared/api/app.test.ts',
    test: 'a page of another site uses up no limit',
  },
  {
    name: 'bodies before authentication',
    tried: 'large bodies of nobody',
    file: 'shared/api/app.test.ts',
    test: 'a stranger may send 16 KiB',
  },
  {
    name: 'log flood',
    tried: 'a request that fails, a thousand times, with a path of 8,000 characters',
    file: 'shared/api/app.test.ts',
    test: 'repeating a request that fails cannot fill the log',
  },
  {
    name: 'idle half-heads and half-bodies',
    tried: '400 of each from one address at the console’s port',
    file: 'standalone/web-server.test.ts',
    test: '400 half heads and half bodies',
  },
  {
    name: 'half-closed connections at the console',
    tried: '600 that end their side silent, in a head or in a body',
    file: 'standalone/web-server.test.ts',
    test: 'hundreds of connections that half-close',
  },
  {
    name: 'half-closed connections at a relay',
    tried: 'a thousand that end their side silent, in a hello or in a head',
    file: 'relay-vm/listeners/tls.test.ts',
    test: 'a thousand connections that half-close at once',
  },
  {
    name: 'slow TLS handshake',
    tried: 'a whole hello, and a byte a second from there on, as a visitor and as an agent',
    file: 'relay-vm/listeners/tls.test.ts',
    test: 'a handshake at a byte a second ends',
  },
  {
    name: 'feed that nobody reads',
    tried: 'ask a relay for live figures, and read nothing of the answer',
    file: 'relay-vm/own-host.test.ts',
    test: 'an answer that nobody reads',
  },
  {
    name: 'body that never comes',
    tried: 'a length is said, and one byte sent',
    file: 'standalone/web-server.test.ts',
    test: 'it does not wait for a body that does not come',
  },
  {
    name: 'DNS rebinding',
    tried: "requests for a stranger's name at the port of console and API",
    file: 'standalone/web-server.test.ts',
    test: 'as a page and in the API',
  },
  {
    name: 'DNS rebinding at the metrics',
    tried: "requests for a stranger's name at the metrics port of a relay",
    file: 'relay-vm/relay.test.ts',
    test: 'the metrics port answers only to its own names',
  },
  {
    name: 'DNS rebinding in a browser',
    tried: 'a page of a rebound name reads and posts to the API',
    file: 'e2e/rebinding.test.ts',
    test: 'a page of a name that is not ours',
    isLong: true,
  },
  {
    name: 'cookie without TLS',
    tried: 'X-Forwarded-Proto of a stranger and of a proxy',
    file: 'standalone/addresses.test.ts',
    test: 'https: a stranger that claims it',
  },
  {
    name: 'redirect after sign-in',
    tried: '`next` with schemes, double slashes, backslashes and tabs',
    file: 'web/parts/format.test.ts',
    test: 'never on another site',
  },
  {
    name: 'open files',
    tried: 'read the data folder of an older release as another user',
    file: 'standalone/data-folder.test.ts',
    test: 'existing files get their modes',
  },
  {
    name: 'password in a file that others can read',
    tried: 'standalone.yaml of mode 0644 with the password of the mail server',
    file: 'standalone/config.test.ts',
    test: 'a file with a password that others can read is refused',
  },
  {
    name: 'ticket that outlives its time',
    tried: 'a watch ticket after its last second, and the stream that it opened',
    file: 'relay-vm/relay.test.ts',
    test: 'a watch ticket and the stream that it opened are valid to its last second',
  },
  {
    name: 'ticket of another issuer',
    tried: 'a ticket that the right key signed in the name of another control plane',
    file: 'relay-vm/relay.test.ts',
    test: 'a ticket of another issuer with the same key',
  },
  {
    name: 'leaked signing key',
    tried: 'tickets signed with a key that leaked, while the control plane still lists it',
    file: 'relay-vm/sync.test.ts',
    test: 'a key that leaked stays refused',
  },
  {
    name: 'guesses at the password of a tunnel',
    tried: 'wrong passwords from one network',
    file: 'cli/http/stages/logins.test.ts',
    test: 'ten wrong passwords within a minute block a network',
  },
  {
    name: 'mail that fills the disk',
    tried: 'ask for mail again and again where it waits in files',
    file: 'standalone/platform/mail.log.test.ts',
    test: 'strangers who request mails cannot fill the disk',
  },
  {
    name: 'hostile server against ptun',
    tried: 'escape sequences and addresses of other schemes in every answer',
    file: 'cli/hostile-server.test.ts',
    test: '',
  },
  {
    name: 'hostile requests to a tunnel',
    tried: 'smuggling, two lengths, folded lines, bare line feeds, zero bytes',
    file: 'e2e/standalone.test.ts',
    test: 'never reaches the upstream',
    isLong: true,
  },
  {
    name: 'flood of strangers at a relay',
    tried: 'slow heads, silence, garbage and handshakes while others are served',
    file: 'e2e/hostile.test.ts',
    test: 'others are served as before, and nothing is left',
    isLong: true,
  },
  {
    name: 'one account takes all of a relay',
    tried: 'fill each pool as one tenant while another comes',
    file: 'relay-vm/policy/pools.test.ts',
    test: '',
  },
  {
    name: 'name that passes for another',
    tried: 'homographs, mixed alphabets, punycode, full width, addresses, wildcards and suffixes as a host',
    file: 'shared/base/host-names.test.ts',
    test: 'any text is read without a throw',
  },
  {
    name: 'name of a brand or of the service',
    tried: 'paypa1, rnicrosoft, www, relay-2 and their kind as the name of a tunnel',
    file: 'shared/control/deny-lists.test.ts',
    test: 'a new tunnel is not called',
  },
  {
    name: 'more names than the plan has',
    tried: 'keep one name after the other',
    file: 'shared/api/reservations.test.ts',
    test: 'limit when it is reached',
  },
  {
    name: 'names blocked by keeping and giving up',
    tried: 'keep a name and give it up, 40 times, so that all of them rest',
    file: 'shared/api/reservations.test.ts',
    test: 'keeping and giving up in turn blocks no more names',
  },
  {
    name: 'visitors of a name that was given up or moved',
    tried: 'claim, keep and move in any order with old tickets and relays out of touch',
    file: 'shared/control/lease-rules.test.ts',
    test: 'no run of claims, renewals, releases, reservations and outages',
  },
  {
    name: 'tunnels of a key that was revoked',
    tried: 'go on serving with a key that leaked and was revoked, and in a pool with others',
    file: 'shared/control/unserve.test.ts',
    test: 'a revoked key ends what its agents serve',
  },
  {
    name: 'tunnels of a revoked key, at a relay',
    tried: 'visit the tunnel of a key that was revoked a moment ago',
    file: 'e2e/gone-agents.test.ts',
    test: 'takes its tunnels offline within seconds',
    isLong: true,
  },
  {
    name: 'package that is called like our command',
    tried: 'wait until a page or a line of ours tells somebody to run npx with the name of the command',
    file: 'e2e/repo/tidy.test.ts',
    test: 'npx is told the name of our package',
    isLong: true,
  },
  {
    name: 'forged address at the cloud',
    tried: 'X-Forwarded-For of the caller at a function, alone and behind Hosting',
    file: 'functions/api.test.ts',
    test: 'the address that counts and is shown',
  },
  {
    name: 'a bearer that is none, and what comes behind it',
    tried: 'bodies of every route without a credential',
    file: 'shared/api/app.test.ts',
    test: 'refuses requests without one, before it looks at the body',
  },
  {
    name: 'requests made from the description',
    tried: 'schemathesis against every route, with a key and as a person',
    file: 'e2e/description.test.ts',
    test: 'requests made from the description',
    isLong: true,
  },
]
