/** A gRPC server and its client, both by the reference implementation. Messages are plain bytes. */
import {
  type ChannelCredentials,
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { EventLog } from './events.ts'

type Message = Buffer
type Method = MethodDefinition<Message, Message>

const same = (message: Message) => message
const method = (name: string, requestStream: boolean, responseStream: boolean): Method => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
})

export const echoMethods = {
  /** Sends back message and metadata; `fail` is not found. */
  unary: method('Unary', false, false),
  /** As many messages as the request says. */
  serverStream: method('ServerStream', false, true),
  /** The lengths of all messages, with commas. */
  clientStream: method('ClientStream', true, false),
  /** Each message back at once. */
  bidi: method('Bidi', true, true),
  /** Never answers. */
  hang: method('Hang', false, false),
} as const

export type GrpcServer = {
  readonly port: number
  /** What became of calls: `hang`, `cancelled`. */
  readonly events: EventLog<string>
  close(): void
}

const bytesMax = 16 * 1024 * 1024

export async function startGrpc(
  server: Server = new Server({ 'grpc.max_receive_message_length': bytesMax }),
  keys: ServerCredentials = ServerCredentials.createInsecure(),
): Promise<GrpcServer> {
  const events = new EventLog<string>()
  server.addService(echoMethods, {
    unary: (call: ServerUnaryCall<Message, Message>, done: sendUnaryData<Message>) => {
      const trailers = new Metadata()
      for (const value of call.metadata.get('x-echo')) trailers.add('x-trailer', value)
      trailers.add('x-binary-bin', Buffer.from([0, 255]))
      if (call.request.toString() === 'fail')
        done({ code: status.NOT_FOUND, details: 'no such ✓', metadata: trailers })
      else {
        call.sendMetadata(call.metadata)
        done(null, call.request, trailers)
      }
    },
    serverStream: (call: ServerWritableStream<Message, Message>) => {
      for (let left = Number(call.request.toString()); left > 0; left--) call.write(Buffer.from(String(left)))
      call.end()
    },
    clientStream: (call: ServerReadableStream<Message, Message>, done: sendUnaryData<Message>) => {
      const lengths: number[] = []
      call.on('data', (message: Message) => lengths.push(message.length))
      call.on('end', () => done(null, Buffer.from(lengths.join(','))))
    },
    bidi: (call: ServerDuplexStream<Message, Message>) => {
      call.on('data', (message: Message) => call.write(message))
      call.on('end', () => call.end())
      call.on('cancelled', () => events.push('cancelled'))
    },
    hang: (call: ServerUnaryCall<Message, Message>) => {
      events.push('hang')
      call.on('cancelled', () => events.push('cancelled'))
    },
  })
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', keys, (error, bound) => (error ? reject(error) : resolve(bound))),
  )
  return { port, events, close: () => server.forceShutdown() }
}

/** A client that reaches a tunnel's host at a relay's TLS port. */
export function grpcClient(host: string, port: number, root?: string): Client {
  const keys: ChannelCredentials =
    root === undefined
      ? credentials.createSsl(null, null, null, { rejectUnauthorized: false })
      : credentials.createSsl(Buffer.from(root))
  return new Client(`127.0.0.1:${port}`, keys, {
    'grpc.ssl_target_name_override': host,
    'grpc.default_authority': host,
    'grpc.max_receive_message_length': bytesMax,
  })
}

export type UnaryAnswer = {
  readonly message: string
  readonly initial: Metadata | undefined
  readonly code: number
  readonly details: string
  readonly trailing: Metadata | undefined
}

/** One unary call; a status that is not OK is an answer too. */
export function callUnary(
  client: Client,
  { path }: Method,
  message: Buffer | string,
  { metadata = new Metadata(), deadline }: { metadata?: Metadata; deadline?: Date } = {},
): Promise<UnaryAnswer> & { cancel(): void } {
  let cancel = () => {}
  const answer = new Promise<UnaryAnswer>((resolve) => {
    let initial: Metadata | undefined
    let got: Buffer | undefined
    const options = deadline ? { deadline } : {}
    const call = client.makeUnaryRequest(
      path,
      same,
      same,
      Buffer.from(message),
      metadata,
      options,
      (_error, one) => {
        got = one
      },
    )
    cancel = () => call.cancel()
    call.on('metadata', (one) => {
      initial = one
    })
    call.on('status', ({ code, details, metadata: trailing }) =>
      // The callback above comes first or next.
      setImmediate(() => resolve({ message: got?.toString() ?? '', initial, code, details, trailing })),
    )
  })
  return Object.assign(answer, { cancel: () => cancel() })
}

/** Opens a call with messages in both directions. */
export function callBidi(client: Client): {
  send(message: string): void
  readonly heard: EventLog<string>
  end(): void
  cancel(): void
  readonly status: Promise<number>
} {
  const call = client.makeBidiStreamRequest(echoMethods.bidi.path, same, same)
  const heard = new EventLog<string>()
  const ended = new Promise<number>((resolve) => call.on('status', ({ code }) => resolve(code)))
  call.on('data', (message: Message) => heard.push(message.toString()))
  call.on('error', () => {})
  return {
    heard,
    status: ended,
    send: (message) => void call.write(Buffer.from(message)),
    end: () => call.end(),
    cancel: () => call.cancel(),
  }
}

/** A server stream's messages. */
export function callServerStream(client: Client, count: number): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const call = client.makeServerStreamRequest(
      echoMethods.serverStream.path,
      same,
      same,
      Buffer.from(String(count)),
    )
    const messages: string[] = []
    call.on('data', (message: Message) => messages.push(message.toString()))
    call.on('error', reject)
    call.on('end', () => resolve(messages))
  })
}

/** A client stream's answer. */
export function callClientStream(client: Client, messages: readonly Buffer[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = client.makeClientStreamRequest<Message, Message>(
      echoMethods.clientStream.path,
      same,
      same,
      (error, answer) => (error ? reject(error) : resolve(answer?.toString() ?? '')),
    )
    for (const message of messages) call.write(message)
    call.end()
  })
}
