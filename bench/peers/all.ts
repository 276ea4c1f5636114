/** All peers that this machine can run, and why the others cannot run. */
import type { PathMaker } from '../path.ts'
import { openSshPath } from '../path-ssh.ts'
import { builtPeer, findProgram, type PeerSource } from './cache.ts'
import { frp } from './frp.ts'
import { bareNode } from './node.ts'
import { bore, chisel, haproxy } from './others.ts'
import { rathole } from './rathole.ts'

type Peer = PeerSource & { readonly makers: (bin: string) => readonly PathMaker[] }

const peers: readonly Peer[] = [
  {
    name: 'frp',
    version: '0.66.0',
    programs: ['frps', 'frpc'],
    from: { registry: 'go', module: 'github.com/fatedier/frp', packages: ['./cmd/frps', './cmd/frpc'] },
    makers: (bin) => [frp(bin, { mux: true }), frp(bin, { mux: false })],
  },
  {
    name: 'rathole',
    version: '0.5.0',
    programs: ['rathole'],
    from: { registry: 'crates', crate: 'rathole', isLockOld: true },
    makers: (bin) => [rathole(bin, 'plain'), rathole(bin, 'tls'), rathole(bin, 'noise')],
  },
  {
    name: 'bore',
    version: '0.6.0',
    programs: ['bore'],
    from: { registry: 'crates', crate: 'bore-cli', isLockOld: false },
    makers: (bin) => [bore(bin)],
  },
  {
    name: 'chisel',
    version: '1.11.3',
    programs: ['chisel'],
    from: { registry: 'go', module: 'github.com/jpillora/chisel', packages: ['.'] },
    makers: (bin) => [chisel(bin)],
  },
]

export const ssh: PathMaker = { name: 'ssh -R', open: openSshPath }

/** Builds missing peers; `say` is told which are left out and why. */
export async function peerMakers(
  isWanted: (name: string) => boolean,
  say: (line: string) => void,
): Promise<readonly PathMaker[]> {
  const makers: PathMaker[] = []
  for (const peer of peers) {
    const wanted = peer.makers('').some(({ name }) => isWanted(name))
    if (!wanted) continue
    try {
      makers.push(...peer.makers(await builtPeer(peer, say)))
    } catch (error) {
      say(`${peer.name} ${peer.version} is left out: ${error instanceof Error ? error.message : error}`)
    }
  }
  const proxy = findProgram('haproxy')
  if (proxy) makers.push(haproxy(proxy))
  else say('haproxy and the column "x haproxy" are left out: it is not installed')
  const bounds = [bareNode({ isEncrypted: false }), bareNode({ isEncrypted: true })]
  return [...makers, ssh, ...bounds].filter(({ name }) => isWanted(name))
}
