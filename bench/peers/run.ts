/** Starts a peer's two ends in a folder of their own, and detects when they carry bytes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { host, type Path } from '../path.ts'
import { stop } from '../processes.ts'
import type { Target } from '../scenarios.ts'

const readyMs = 20_000

/** Collects what one way through a peer starts, so that all of it is stopped again. */
export class PeerRun {
  readonly folder = mkdtempSync(join(tmpdir(), 'pt-bench-peer-'))
  readonly #children: { readonly child: ChildProcess; readonly end: 'server' | 'client' }[] = []
  #said = ''

  /** Writes a file into the run's folder. @returns its path */
  file(name: string, lines: readonly string[]): string {
    const path = join(this.folder, name)
    writeFileSync(path, `${lines.join('\n')}\n`)
    return path
  }

  start(end: 'server' | 'client', program: string, args: readonly string[]): void {
    const child = spawn(program, args, { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] })
    const listen = (data: Buffer) => {
      this.#said = (this.#said + data.toString()).slice(-400)
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', listen)
    child.on('error', ({ message }) => {
      this.#said = message
    })
    this.#children.push({ child, end })
  }

  /** Resolves when the port takes connections. */
  async listening(port: number): Promise<void> {
    await this.#until(() => answers(port, undefined), `nothing listens on ${port}`)
  }

  /** Resolves when the tunnels carry bytes to the backend and back. */
  async ready(name: string, target: Target): Promise<Path> {
    await this.#until(() => answers(target.tcp.port, 'Cx'), 'the tunnel carries nothing')
    const get = 'GET /1 HTTP/1.1\r\nHost: bench\r\n\r\n'
    await this.#until(() => answers(target.web.port, get), 'the second tunnel carries nothing')
    const pids = (wanted: 'server' | 'client') =>
      this.#children.flatMap(({ child: { pid }, end }) => (pid === undefined || end !== wanted ? [] : [pid]))
    return {
      name,
      target,
      ends: { server: pids('server'), client: pids('client') },
      close: () => this.close(),
    }
  }

  async close(): Promise<void> {
    for (const { child } of this.#children.toReversed()) if (child.pid !== undefined) await stop(child)
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #until(isTrue: () => Promise<boolean>, otherwise: string): Promise<void> {
    const untilMs = performance.now() + readyMs
    while (!(await isTrue())) {
      const isDead = this.#children.some(({ child }) => child.exitCode !== null)
      if (isDead || performance.now() > untilMs) throw new Error(`${otherwise}. ${this.#said.trim()}`)
      await sleep(systemClock, 100)
    }
  }
}

/** Runs `open`, and cleans up when it fails. */
export async function openPeer(open: (run: PeerRun) => Promise<Path>): Promise<Path> {
  const run = new PeerRun()
  try {
    return await open(run)
  } catch (error) {
    await run.close()
    throw error
  }
}

/** Whether the port takes a connection and, if a message is sent, answers. */
function answers(port: number, message: string | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const done = (result: boolean) => {
      timer.clear()
      socket.destroy()
      resolve(result)
    }
    const timer = systemClock.after(1_000, () => done(false))
    socket.once('error', () => done(false))
    socket.once('close', () => done(false))
    socket.once('data', () => done(true))
    socket.once('connect', () => {
      if (message === undefined) done(true)
      else socket.write(message)
    })
  })
}
