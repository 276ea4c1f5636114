/** Two network namespaces with a wire between them: a machine, and everything that is outside it. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'

export type Side = {
  readonly name: string
  readonly addresses: readonly string[]
  /** Who answers for names there; default: the machine's own resolver, which it cannot reach. */
  readonly resolver?: string
}

export function layWire(...[machine, cloud]: readonly [Side, Side]): void {
  const ip = (line: string) => execFileSync('ip', line.split(' '))
  for (const { name, resolver } of [machine, cloud]) {
    ip(`netns add ${name}`)
    ip(`-n ${name} link set lo up`)
    if (resolver === undefined) continue
    // `ip netns exec` shows what is in this folder in place of the files below /etc.
    mkdirSync(folderOf(name), { recursive: true })
    writeFileSync(`${folderOf(name)}/resolv.conf`, `nameserver ${resolver}\n`)
  }
  ip(`-n ${machine.name} link add eth0 type veth peer name eth0 netns ${cloud.name}`)
  for (const { name, addresses } of [machine, cloud]) {
    for (const address of addresses) ip(`-n ${name} addr add ${address}/32 dev eth0`)
    ip(`-n ${name} link set eth0 up`)
    ip(`-n ${name} route add default dev eth0`)
  }
}

export function takeWire(...names: readonly string[]): void {
  for (const name of names) {
    spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' })
    rmSync(folderOf(name), { recursive: true, force: true })
  }
}

function folderOf(name: string): string {
  return `/etc/netns/${name}`
}
