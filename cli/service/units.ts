/**
 * The files that make `ptun start` a service: a unit of systemd (systemd.service(5), systemd.syntax(7)) and an agent of
 * launchd (launchd.plist(5)). Pure. No secret gets into them: the service reads the key that `ptun login` keeps.
 */
import { fail } from '@porttunneler/shared/base/errors'

export type ServicePlan = {
  /** Absolute paths of node and of ptun.js. */
  readonly node: string
  readonly program: string
  /** Absolute path of ptun.yaml, and its folder. */
  readonly config: string
  readonly folder: string
  readonly server: string
  readonly account?: string | undefined
  /** The user it runs as, for a service of the whole machine. */
  readonly runAs?: string | undefined
}

/** The first line of what ptun writes: it changes and removes no other file. */
export const ownMark = 'Written by "ptun service install"; "ptun service remove" removes it.'
/** For a service of the machine: what it needs in its environment, such as PTUN_KEY. Only root can read it. */
export const environmentFile = '/etc/ptun/environment'
export const unitName = 'ptun.service'
export const launchdLabel = 'dev.porttunneler.ptun'

function argumentsOf({ node, program, config, server, account }: ServicePlan): readonly string[] {
  const of = account === undefined ? [] : ['--account', account]
  return [node, program, 'start', '--config', config, '--server', server, ...of]
}

/** @throws service.unfit */
export function systemdUnit(plan: ServicePlan): string {
  const { runAs, folder } = plan
  const isSystem = runAs !== undefined
  return [
    `# ${ownMark}`,
    '[Unit]',
    'Description=PortTunneler agent',
    ...(isSystem ? ['Wants=network-online.target', 'After=network-online.target'] : []),
    '# Starting never gives up: a machine may be without its network for long.',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=exec',
    ...(isSystem ? [`User=${checked(runAs)}`, `EnvironmentFile=-${environmentFile}`] : []),
    `WorkingDirectory=${specifierFree(checked(folder))}`,
    `ExecStart=${argumentsOf(plan).map(unitWord).join(' ')}`,
    'ExecReload=/bin/kill -HUP $MAINPID',
    '# Open connections get ten seconds.',
    'KillMode=mixed',
    'TimeoutStopSec=20',
    'Restart=on-failure',
    'RestartSec=2',
    '# It ends when waiting cannot help: its settings, key or version are not right, another agent has the tunnel,',
    '# or somebody stopped it in the console.',
    'RestartPreventExitStatus=2 3 4 5',
    'UMask=0077',
    'NoNewPrivileges=yes',
    '',
    '[Install]',
    `WantedBy=${isSystem ? 'multi-user.target' : 'default.target'}`,
    '',
  ].join('\n')
}

/** A word of ExecStart: quotes and backslashes as in C, specifiers and variables doubled. */
function unitWord(word: string): string {
  const safe = specifierFree(checked(word)).replaceAll('$', '$$$$')
  return /^[\w@%+=:,./-]+$/.test(safe) ? safe : `"${safe.replace(/["\\]/g, '\\$&')}"`
}

function specifierFree(word: string): string {
  return word.replaceAll('%', '%%')
}

/** @param log absolute path of the file that gets its output */
export function launchdAgent(plan: ServicePlan, log: string): string {
  const strings = argumentsOf(plan).map((word) => `    <string>${xmlText(word)}</string>`)
  const entry = (key: string, value: string) => [
    `  <key>${key}</key>`,
    `  <string>${xmlText(value)}</string>`,
  ]
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<!-- ${ownMark} -->`,
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    '<dict>',
    ...entry('Label', launchdLabel),
    '  <key>ProgramArguments</key>',
    '  <array>',
    ...strings,
    '  </array>',
    ...entry('WorkingDirectory', plan.folder),
    // It starts whatever ends, also an agent that somebody stopped from afar.
    '  <key>EnvironmentVariables</key>',
    '  <dict>',
    '    <key>PTUN_WHEN_STOPPED</key>',
    '    <string>wait</string>',
    '  </dict>',
    '  <key>RunAtLoad</key>',
    '  <true/>',
    '  <key>KeepAlive</key>',
    '  <dict>',
    '    <key>SuccessfulExit</key>',
    '    <false/>',
    '  </dict>',
    '  <key>ProcessType</key>',
    '  <string>Background</string>',
    '  <key>Umask</key>',
    '  <integer>63</integer>',
    ...entry('StandardOutPath', log),
    ...entry('StandardErrorPath', log),
    '</dict>',
    '</plist>',
    '',
  ].join('\n')
}

function xmlText(text: string): string {
  return checked(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** A line break would begin another setting. @throws service.unfit */
function checked(word: string): string {
  if (/\p{Cc}/u.test(word))
    throw fail('service.unfit', `${JSON.stringify(word)} has a control character in it.`)
  return word
}
