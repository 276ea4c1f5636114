/** Answers that are written while they are read: the sender waits for the receiver, and ends when it goes away. */

/**
 * @param pieces is asked for the next one only when the receiver has room
 * @param onError hears why the answer broke off: its status is long sent, so the receiver only sees it end early
 */
export function streamOf(
  pieces: AsyncGenerator<string, void, undefined>,
  onError: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await pieces.next()
          if (done) controller.close()
          else controller.enqueue(encoder.encode(value))
        } catch (error) {
          onError(error)
          throw error
        }
      },
      async cancel() {
        await pieces.return()
      },
    },
    { highWaterMark: 1 },
  )
}
