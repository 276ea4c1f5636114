/** The texts that every Debian package has by its policy. */
import type { Deb } from './debs.ts'

const maintainer = 'PortTunneler <hostmaster@oguzhanb.com>'

export type Facts = { readonly version: string; readonly architecture: string; readonly installedKib: number }

export function control({ name, summary, description }: Deb, facts: Facts): string {
  const { version, architecture, installedKib } = facts
  return [
    `Package: ${name}`,
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    `Maintainer: ${maintainer}`,
    `Installed-Size: ${installedKib}`,
    'Pre-Depends: init-system-helpers (>= 1.54~)',
    // What Node's own binary is linked with, and what the scripts call.
    'Depends: libc6 (>= 2.28), libstdc++6, passwd',
    'Section: net',
    'Priority: optional',
    `Description: ${summary}`,
    ...description.map((line) => ` ${line}`),
    '',
  ].join('\n')
}

/** What has changed stands in the repository's own; this is the form that tools look for. */
export function changelog({ name }: Deb, version: string): string {
  const date = 'Tue, 01 Jan 1980 00:00:00 +0000'
  const lines = [`${name} (${version}) stable; urgency=medium`, '', '  * See CHANGELOG.md of the source.', '']
  return [...lines, ` -- ${maintainer}  ${date}`, ''].join('\n')
}

export function copyright({ home }: Deb): string {
  return [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
    '',
    'Files: *',
    'Copyright: 2026 the authors of PortTunneler',
    'License: Apache-2.0',
    ' The text is in /usr/share/common-licenses/Apache-2.0. What is bundled has the',
    ` notices in third-party.txt of the folders below /${home}, Node in node/LICENSE.`,
    '',
  ].join('\n')
}

/** What lintian finds and we do on purpose. */
const intended: readonly (readonly [because: string, ...tags: string[]])[] = [
  [
    'Node is the one that we have tested, byte for byte.',
    'embedded-library',
    'unstripped-binary-or-object',
    'hardening-no-pie',
  ],
  [
    'Scripts are started by that Node, never by their first line.',
    'missing-dep-for-interpreter',
    'script-not-executable',
  ],
  ['Debian 12 and later read it, in a fifth of the time.', 'malformed-deb-archive'],
  ['Whether it runs decides between start and reload.', 'maintainer-script-calls-systemctl'],
  ['The commands have --help, and pages in the documents.', 'no-manual-page'],
]

export function overrides({ name }: Deb): string {
  return intended
    .flatMap(([because, ...tags]) => [`# ${because}`, ...tags.map((tag) => `${name}: ${tag}`)])
    .concat('')
    .join('\n')
}
