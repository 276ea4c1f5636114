/**
 * Visitors that send random-looking bytes at a steady pace to an echo and compare what comes back by SHA-256: a byte
 * lost, doubled or out of place in either direction shows.
 */
import { type Cipheriv, createCipheriv, createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import { type Address, dial } from '../harness/sockets.ts'

export type TransferShape = {
  /** In each direction. */
  readonly bytes: number
  readonly chunkBytes: number
  readonly everyMs: number
  /** Different for each transfer, so that bytes of one that arrive in another show too. */
  readonly seed: number
}

export class Transfer {
  readonly done: Promise<void>
  /** Resolves when the first byte is back, so the way works from end to end; or it never will be. */
  readonly begun: Promise<void>
  /** Monotonic time of the last byte that came back. */
  heardAtMs = systemClock.monotonic()
  received = 0
  /** Longest time without a byte, while some were due. */
  longestPauseMs = 0
  readonly #sent = createHash('sha256')
  readonly #echoed = createHash('sha256')
  readonly #shape: TransferShape

  private constructor(socket: Socket, shape: TransferShape) {
    this.#shape = shape
    this.#send(socket)
    this.begun = new Promise((resolve) => {
      socket.once('data', () => resolve()).once('close', () => resolve())
    })
    this.done = this.#receive(socket)
    // A caller that waits for `done` gets the failure too.
    this.done.catch(() => socket.destroy())
  }

  static async start(address: Address, shape: TransferShape): Promise<Transfer> {
    return new Transfer(await dial(address), shape)
  }

  #send(socket: Socket): void {
    const cipher = seededCipher(this.#shape.seed)
    let left = this.#shape.bytes
    const timer = systemClock.every(this.#shape.everyMs, () => {
      // It sends no more while the socket does not drain: memory of this process is not measured.
      if (socket.writableNeedDrain) return
      const block = cipher.update(Buffer.alloc(Math.min(left, this.#shape.chunkBytes)))
      left -= block.length
      this.#sent.update(block)
      socket.write(block)
      if (left > 0) return
      timer.clear()
      socket.end()
    })
    socket.once('close', () => timer.clear())
  }

  #receive(socket: Socket): Promise<void> {
    return new Promise((resolve, reject) => {
      socket.on('data', (chunk: Buffer) => {
        const now = systemClock.monotonic()
        this.longestPauseMs = Math.max(this.longestPauseMs, now - this.heardAtMs)
        this.heardAtMs = now
        this.received += chunk.length
        this.#echoed.update(chunk)
      })
      const fail = (why: string) =>
        reject(new Error(`${why} after ${this.received} of ${this.#shape.bytes} bytes`))
      socket.once('error', (error) => fail(error.message))
      socket.once('close', () => fail('closed'))
      socket.once('end', () => {
        if (this.received !== this.#shape.bytes) fail('ended')
        else if (this.#sent.digest('hex') !== this.#echoed.digest('hex')) fail('other bytes came back')
        else resolve()
      })
    })
  }
}

/**
 * Starts many at once, with seeds of their own. Resolves when each has got something back: a test that then cuts the
 * network cuts admitted visitors, and none that a busy relay has not yet accepted (rule 15 lets it refuse those).
 */
export async function startTransfers(
  address: Address,
  count: number,
  shape: TransferShape,
): Promise<readonly Transfer[]> {
  const transfers = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      Transfer.start(address, { ...shape, seed: shape.seed + index }),
    ),
  )
  await Promise.all(transfers.map(({ begun }) => begun))
  return transfers
}

/** Rejects with how many of them failed, and how the first one did. */
export async function allWhole(transfers: readonly Transfer[]): Promise<void> {
  const outcomes = await Promise.allSettled(transfers.map(({ done }) => done))
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  if (failures.length > 0)
    throw new Error(`${failures.length} of ${transfers.length} transfers failed: ${failures[0]}`)
}

function seededCipher(seed: number): Cipheriv {
  const key = createHash('sha256').update(`chaos ${seed}`).digest().subarray(0, 16)
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
}
