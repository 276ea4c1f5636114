/**
 * Runs the collector between two events of one turn of the loop, where it comes by chance and seldom. For programs that
 * prove that no peer can end a process; they need `node --expose-gc`.
 */
import { Buffer } from 'node:buffer'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { promisify } from 'node:util'

export type Collector = {
  /** It runs right after whoever reads what was just sent, before the next turn. */
  follow(): void
  /** Runs `work`. @returns the megabytes that the process took more than before, at most */
  growthOf(work: () => Promise<void>): Promise<number>
}

export async function startCollector(): Promise<Collector> {
  const { gc } = globalThis
  if (!gc) throw new Error('Start the program with --expose-gc')
  let peak = 0
  const collect = () => {
    gc()
    peak = Math.max(peak, process.memoryUsage.rss())
  }
  // Sockets are read in the order in which bytes came.
  const server = createServer((socket) => void socket.on('data', collect)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const bell = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(bell, 'connect')
  return {
    follow: () => void bell.write(Buffer.alloc(1)),
    async growthOf(work) {
      collect()
      const before = process.memoryUsage.rss()
      peak = before
      await work()
      collect()
      return Math.ceil((peak - before) / 1e6)
    },
  }
}

/** Resolves when `progress` has stayed the same for some turns. */
export async function still(progress: () => string | number): Promise<void> {
  let last = progress()
  for (let turns = 0; turns < 10; turns++) {
    await new Promise<void>((resolve) => setImmediate(resolve))
    const now = progress()
    if (now !== last) turns = 0
    last = now
  }
}

export type Growth = { readonly name: string; readonly megabytes: number }

/** What a program that was started by `growthOfEach` does of all its attacks: one of `every`. */
export function isTried(index: number): boolean {
  return index % Number(process.argv[2] ?? 1) === 0
}

/**
 * Runs a program that writes the growth of each attack and its name in a line.
 * @param every 1: it makes all its attacks; else one of so many
 * @throws if it ends in another way
 */
export async function growthOfEach(program: string, every: number): Promise<readonly Growth[]> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, `${every}`], {
    timeout: 110_000,
    // What goes wrong may ignore anything else, and fill the machine's memory.
    killSignal: 'SIGKILL',
  })
  return stdout
    .trim()
    .split('\n')
    .map((line) => ({ megabytes: Number.parseInt(line, 10), name: line.slice(line.indexOf(' ') + 1) }))
}
