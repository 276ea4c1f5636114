/** The commands that put a root into the stores of three systems, and take exactly it out again. */
import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { makeAuthority } from './local-authority.ts'
import { type Machine, sayCommand, trustStores } from './trust-stores.ts'

const { root } = makeAuthority(['localhost', '127.0.0.1'], Date.now())
const { subject, fingerprint } = new X509Certificate(root)
const nick = subject.replace('CN=', '')
const sha1 = fingerprint.replaceAll(':', '')
const file = '/people/ada/my data/ca/root.crt'

function machine(changes: Partial<Machine> & { readonly paths?: readonly string[] } = {}): Machine {
  const { paths = [], ...rest } = changes
  return {
    ...{ platform: 'linux', home: '/people/ada', isRoot: false, list: () => [], has: () => true },
    exists: (path) => paths.includes(path),
    ...rest,
  }
}

const said = (given: Machine) =>
  trustStores(given, file, root).map(({ kind, add, remove, isRun }) => ({
    ...{ kind, isRun },
    add: add.map(sayCommand),
    remove: remove.map(sayCommand),
  }))

describe('stores of trusted authorities', () => {
  test.each([
    ['/usr/local/share/ca-certificates', 'update-ca-certificates'],
    ['/etc/pki/ca-trust/source/anchors', 'update-ca-trust extract'],
    ['/etc/ca-certificates/trust-source/anchors', 'trust extract-compat'],
  ])('Linux with %s: the system by sudo, under a name of its own', (folder, update) => {
    const target = `${folder}/${nick.replaceAll(' ', '-').toLowerCase()}.crt`
    const [system] = said(machine({ paths: [folder] }))
    expect(system).toEqual({
      ...{ kind: 'system', isRun: true },
      add: [`sudo install -m 0644 '${file}' ${target}`, `sudo ${update}`],
      remove: [`sudo rm -f ${target}`, `sudo ${update}`],
    })
    const asRoot = said(machine({ paths: [folder], isRoot: true }))[0]
    expect(asRoot?.remove).toEqual([`rm -f ${target}`, update])
  })

  test('Chromium: into the list of the user, which is made where there is none', () => {
    const folder = '/people/ada/.pki/nssdb'
    const add = `certutil -d sql:${folder} -A -t C,, -n '${nick}' -i '${file}'`
    expect(said(machine())[1]).toEqual({
      ...{ kind: 'browser', isRun: true },
      add: [`mkdir -p ${folder}`, `certutil -d sql:${folder} -N --empty-password`, add],
      remove: [],
    })
    const remove = [`certutil -d sql:${folder} -D -n '${nick}'`]
    expect(said(machine({ paths: [`${folder}/cert9.db`] }))[1]).toMatchObject({ add: [add], remove })
    const [system, without] = trustStores(machine({ has: () => false }), file, root)
    expect([system?.isRun, without?.isRun, without?.note]).toEqual([
      false,
      false,
      expect.stringContaining('certutil is missing'),
    ])
  })

  test('Firefox: each profile, for a person to run', () => {
    const parent = '/people/ada/.mozilla/firefox'
    const given = machine({
      list: (folder) => (folder === parent ? ['ab12.default', 'Crash Reports'] : []),
      paths: [`${parent}/ab12.default/cert9.db`],
    })
    const found = said(given).slice(2)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatchObject({
      isRun: false,
      add: [expect.stringContaining('firefox/ab12.default -A')],
    })
  })

  test('macOS and Windows: by its fingerprint, and nothing is run', () => {
    const [mac] = said(machine({ platform: 'darwin' }))
    expect(mac).toMatchObject({ isRun: false, remove: [expect.stringContaining(`-Z ${sha1}`)] })
    const [windows] = said(machine({ platform: 'win32' }))
    expect(windows).toMatchObject({
      ...{ isRun: false, remove: [`certutil -user -delstore Root ${sha1}`] },
      add: [`certutil -user -addstore Root '${file}'`],
    })
  })
})
