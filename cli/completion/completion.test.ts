/** Completion: what may stand at the cursor, asked as shells ask it, and the scripts in the shells that are here. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterAll, describe, expect, test, vi } from 'vitest'
import type { Context } from '../context.ts'
import { main } from '../main.ts'
import { buildProgram } from '../program.ts'
import { wantedAt } from './candidates.ts'
import { accountNames } from './names.ts'
import { scripts, shells } from './scripts.ts'

const folder = mkdtempSync(join(tmpdir(), 'ptun-completion-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const program = buildProgram(async () => {})
const env = { HOME: folder, XDG_STATE_HOME: join(folder, 'state'), PTUN_SERVER: 'http://127.0.0.1:9' }

function at(line: string): readonly string[] | string {
  const wanted = wantedAt(program, line.split(' '))
  return wanted.kind === 'source' ? wanted.source : wanted.values.map(({ value }) => value)
}

describe('what may stand at the cursor', () => {
  test.each<[line: string, values: readonly string[] | string]>([
    ['ht', ['http']],
    ['do', ['domains', 'doctor']],
    ['domains ', ['list', 'add', 'check', 'remove']],
    ['keys re', ['revoke']],
    ['keys revoke ', 'keys'],
    ['open ', 'tunnels'],
    ['delete --yes ', 'tunnels'],
    ['domains add app.example.com --tunnel ', 'tunnels'],
    ['start ', 'config'],
    ['start web ', 'config'],
    ['start --config ', 'files'],
    ['config check ', 'files'],
    ['list --state deg', ['degraded']],
    ['list --state degraded ref', ['refused']],
    ['list --state = deg', ['degraded']],
    ['list --state=ref', ['--state=refused']],
    ['tcp 5432 --po', ['--port', '--pool']],
    ['tcp --aut', []],
    ['--ser', ['--server']],
    ['list --js', ['--json']],
    ['http 3000 --name ', []],
    ['http ', []],
    ['nonsense ', []],
    ['list -- --js', []],
    ['completion ', [...shells]],
    ['service install --sy', ['--system']],
  ])('ptun %s', (line, values) => expect(at(line)).toEqual(values))

  test('every option that help shows is offered, with its text', () => {
    const wanted = wantedAt(program, ['http', '3000', '--'])
    const offered = wanted.kind === 'values' ? wanted.values : []
    const http = program.commands.find((one) => one.name() === 'http')
    const shown = http?.options.filter(({ hidden }) => !hidden) ?? []
    expect(shown.length).toBeGreaterThan(10)
    for (const { long, description } of shown)
      expect(offered).toContainEqual({ value: long, text: description })
  })
})

describe('names of the account', () => {
  const clock = new FakeClock()
  const context = { env, clock } as unknown as Context
  const asked = (owner: string, find: () => Promise<{ value: string; text: string }[]>) => async () => ({
    owner,
    find,
  })

  test('several presses of Tab cost one call, and another account gets nothing of the first', async () => {
    let calls = 0
    const ask = asked('a', async () => {
      calls += 1
      return [{ value: 'web', text: 'http://web.test' }]
    })
    for (let n = 0; n < 5; n += 1)
      expect(await accountNames(context, 'tunnels', ask)).toEqual([{ value: 'web', text: 'http://web.test' }])
    expect(calls).toBe(1)
    expect(
      await accountNames(
        context,
        'tunnels',
        asked('b', async () => []),
      ),
    ).toEqual([])
  })

  test('a server that is slow or fails costs a moment, and what was kept is offered', async () => {
    const had = asked('c', async () => [{ value: 'old', text: '' }])
    await accountNames(context, 'tunnels', had)
    clock.advance(61_000)
    const slow = accountNames(
      context,
      'tunnels',
      asked('c', () => new Promise(() => {})),
    )
    await vi.waitFor(() => expect(clock.pending).toBe(1), { timeout: 10_000 })
    clock.advance(3_000)
    expect(await slow).toEqual([{ value: 'old', text: '' }])
    const failing = asked('c', async () => {
      throw new Error('no')
    })
    expect(await accountNames(context, 'tunnels', failing)).toEqual([{ value: 'old', text: '' }])
    const none = async () => {
      throw new Error('not signed in')
    }
    expect(await accountNames(context, 'tunnels', none)).toEqual([])
  })

  test('what a server says gets into no command line unless it is a name', async () => {
    const evil = ['$(reboot)', 'a;b', 'a b', '`x`', '../x', '-rf', '\u001b[2J', 'fine-name']
    const ask = asked('d', async () => evil.map((value) => ({ value, text: 'x\u001b[2J\ny' })))
    expect(await accountNames(context, 'keys', ask)).toEqual([{ value: 'fine-name', text: 'x y' }])
  })
})

describe('the verb', () => {
  async function run(args: readonly string[]) {
    let stdout = ''
    const write = (text: string) => {
      stdout += text
    }
    const exit = await main(args, { stdout: { write }, stderr: { write: () => {} }, env })
    return { exit, stdout }
  }

  test('prints candidates as each shell reads them', async () => {
    expect((await run(['completion', 'bash', '--', 'domains', 'ad'])).stdout).toBe('add\n')
    expect((await run(['completion', 'zsh', '--', 'domains', 'ad'])).stdout).toMatch(/^add:say that/)
    expect((await run(['completion', 'fish', '--', 'domains', 'ad'])).stdout).toMatch(/^add\tsay that/)
    expect((await run(['completion', 'powershell', '--', 'domains', ':ad'])).stdout).toMatch(/^add\tsay that/)
    expect((await run(['completion', 'bash', '--', 'config', 'check', ''])).stdout).toBe(':files\n')
  })

  test('nobody is signed in: nothing to choose from, and no failure', async () => {
    expect(await run(['completion', 'bash', '--', 'open', ''])).toEqual({ exit: 0, stdout: '' })
    expect(await run(['completion', 'bash', '--', 'start', ''])).toEqual({ exit: 0, stdout: '' })
  })

  test('an unknown shell is refused with those that there are', async () => {
    const { exit } = await run(['completion', 'csh'])
    expect(exit).toBe(2)
  })
})

/** Stands for ptun: says with which words it was called, then offers a name and one that a shell must not run. */
const stub = join(folder, 'ptun')
writeFileSync(
  stub,
  [
    '#!/bin/sh',
    `printf '%s|' "$@" > ${folder}/asked`,
    `case "$5" in f*) echo :files;; *) printf '%s\\n' web 'a$(touch ${folder}/ran)';; esac`,
    '',
  ].join('\n'),
  { mode: 0o755 },
)
const path = `${folder}:${process.env.PATH}`
const isThere = (shell: string) => spawnSync(shell, ['--version']).error === undefined
const inShell = (shell: string, args: readonly string[], text: string) => {
  const { stdout, stderr } = spawnSync(shell, [...args, text], {
    encoding: 'utf8',
    env: { PATH: path, HOME: folder },
  })
  return { lines: stdout.trim().split('\n'), stderr }
}
const askedWith = (shell: string) => `completion|${shell}|--|open|w|`

describe('in the shells that are here', () => {
  test.runIf(isThere('bash'))('bash completes, and runs nothing of what comes back', () => {
    const { lines, stderr } = inShell(
      'bash',
      ['--norc', '-c'],
      [
        scripts.bash,
        `COMP_WORDS=(ptun open w); COMP_CWORD=2; _ptun ptun w open; printf '%s\\n' "\${COMPREPLY[@]}"`,
        `cat ${folder}/asked; test ! -e ${folder}/ran && echo safe`,
      ].join('\n'),
    )
    expect({ lines, stderr }).toEqual({
      lines: ['web', `a$(touch ${folder}/ran)`, `${askedWith('bash')}safe`],
      stderr: '',
    })
  })

  test.runIf(isThere('zsh'))('zsh completes, and leaves files to itself', () => {
    const asFunctions = `compdef() { :; }; _files() { echo files; }; _describe() { print -l -- "\${(@P)2}"; }`
    const { lines, stderr } = inShell(
      'zsh',
      ['-f', '-c'],
      [
        asFunctions,
        scripts.zsh,
        `words=(ptun open w); CURRENT=3; _ptun; cat ${folder}/asked; echo`,
        `words=(ptun open f); _ptun; test ! -e ${folder}/ran && echo safe`,
      ].join('\n'),
    )
    expect({ lines, stderr }).toEqual({
      lines: ['web', `a$(touch ${folder}/ran)`, askedWith('zsh'), 'files', 'safe'],
      stderr: '',
    })
  })

  test.runIf(isThere('fish'))('fish completes', () => {
    const { lines } = inShell(
      'fish',
      ['--no-config', '-c'],
      `${scripts.fish}\ncomplete -C 'ptun open w'; cat ${folder}/asked`,
    )
    expect(lines).toEqual(['web', askedWith('fish')])
  })

  test('the brackets of the script for PowerShell match, which is not here', () => {
    const text = scripts.powershell.replace(/^#.*$/gm, '')
    const open: string[] = []
    for (const letter of text.replace(/'[^']*'|"[^"]*"/g, '')) {
      if ('({['.includes(letter)) open.push(letter)
      if (')}]'.includes(letter)) expect('({['.indexOf(open.pop() ?? ' ')).toBe(')}]'.indexOf(letter))
    }
    expect(open).toEqual([])
  })
})
