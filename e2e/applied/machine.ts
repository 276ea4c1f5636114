/** The file system of a relay VM before its first boot: root.sh of e2e/vm adds this machine's `/usr`. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root as repository, runProgram } from '../harness/programs.ts'
import { addresses } from './world.ts'

const trusted = '/etc/ssl/certs/ca-certificates.crt'

/** @param authority PEM file with the root that curl and Node trust there */
export function prepareRoot(root: string, authority: string): void {
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  mkdirSync(join(root, dirname(trusted)), { recursive: true })
  copyFileSync(authority, join(root, trusted))
  write('etc/resolv.conf', `nameserver ${addresses.names}\n`)
  write(
    'etc/systemd/system/porttunneler-relay@.service.d/authority.conf',
    `[Service]\nEnvironment=NODE_EXTRA_CA_CERTS=${trusted}\n`,
  )
  mkdirSync(join(root, 'tmp'), { recursive: true })
}

/** Runs a script of the VM's metadata as Google's agent does. */
export function runScript(root: string, script: string, namespace: string) {
  writeFileSync(join(root, 'tmp/script'), script)
  const enter = join(repository, 'e2e/vm/root.sh')
  return runProgram('unshare', ['--mount', 'bash', enter, root, 'bash', '/tmp/script'], {
    namespace,
    deadlineMs: 90_000,
  })
}
