/**
 * Every number of the wire and of the relay, with its reason; relations between them are asserted when the module
 * loads. Configuration may override what `relay-vm/config.ts` lists; frame sizes belong to the protocol and are fixed.
 */
import assert from 'node:assert/strict'

const KiB = 1024
const MiB = 1024 * KiB

export const limits = {
  /** The largest DATA: one 64 KiB read, so that a read never has to be split. */
  dataBytesMax: 64 * KiB,
  /** DATA's 6-byte offset + bytes. No frame is longer. */
  payloadBytesMax: 64 * KiB + 6,
  headerBytes: 8,
  /** JSON control frames. A ticket is about 1 KiB; HELLO also lists lost carriers. */
  controlBytesMax: 16 * KiB,

  /** From accept to a complete HELLO: two round trips of the worst links, and half-open sockets are cheap to close. */
  helloDeadlineMs: 5_000,
  /** ClientHello or request head: slow enough for a phone on a bad link, fast enough against slowloris. */
  headDeadlineMs: 10_000,
  /** OPEN answered by OPENED or RESET: the upstream's connect time-out is the agent's, and shorter. */
  openDeadlineMs: 10_000,
  /** Agent to upstream; below openDeadlineMs so that the visitor gets the agent's reason and not a time-out. */
  upstreamConnectMs: 8_000,

  /** One tick judges all carriers (rule 23). */
  livenessTickMs: 500,
  pingAgentMs: 2_500,
  pingRelayMs: 4_000,
  suspectMs: 5_000,
  lostMs: 9_000,
  /** A tick this late was our own stall: nobody is judged (rule 24). */
  stallMs: 1_000,

  /** First window of a stream: one read; the bandwidth-delay product of most visitors, who send little. */
  windowBytesInitial: 64 * KiB,
  /** First window once `comfortShare` of a budget is held: a TLS record. */
  windowBytesTight: 16 * KiB,
  /** First window once `tightShare` of it is held: enough to begin with, and it grows like the others. */
  windowBytesLeast: 4 * KiB,
  /** What a stream may have on its way when no memory is left: 64 MiB for 65,536 of them. */
  lentBytesLeast: 1 * KiB,
  /** What an agent grants every stream from the start: enough for most requests; 16,384 of them fit its budget. */
  agentWindowBytes: 8 * KiB,
  /** 8 MiB carries 1 Gbit/s over 64 ms. */
  windowBytesMax: 8 * MiB,
  /** Credit is due at a quarter of the window or this, whichever is less (rule 6). */
  creditBytes: 64 * KiB,
  creditDelayMs: 200,
  /**
   * What a session may hold of arrived bytes that are not taken, and as much again of sent bytes that are not
   * acknowledged.
   */
  sessionBufferBytes: 128 * MiB,
  /** A stream that may not send because memory is short asks again after this time. */
  starvedRetryMs: 50,
  /** Sending this much within elephantMs while others are active earns a dedicated carrier (rule 18). */
  elephantBytes: 1 * MiB,
  elephantMs: 2_000,
  /** So does waiting for the shared carrier this long, for a quarter of the time or more, with that much to send. */
  elephantHeldMs: 500,
  elephantWaitingBytes: 16 * KiB,
  elephantCompanyMs: 5_000,
  /**
   * An elephant that is silent this long returns to the shared carrier; its carrier is kept for dedicatedIdleMs (rule
   * 20).
   */
  elephantIdleMs: 10_000,
  dedicatedIdleMs: 60_000,
  /** A path in doubt is often in doubt again, so a second shared carrier that was dialled for it stays this long. */
  spareSharedMs: 60_000,
  /** A relay grants the large first window while less than this share of a budget is held, the middle one up to */
  comfortShare: 0.5,
  /** this share, and the least above it; then windows also shrink as their bytes are used. */
  tightShare: 0.75,
  /** Windows grow while what they could hold in addition fits this share. */
  growthShare: 0.5,
  /** The memory of each piece that waits for a local socket, besides its bytes: the objects of one write. */
  pieceBytes: 256,
  /** Separate ranges ahead of the missing bytes, per stream (rule 2). */
  rangesMax: 64,
  /**
   * Pieces in them. Two neighbours are joined unless together they have more than 4 KiB, so a window of 8 MiB has half
   * as many, whatever its frames.
   */
  aheadPiecesMax: 8_192,
  /** The agent's memory of ids seen in OPEN (rule 8): 16 KiB of bits. */
  seenIds: 131_072,

  streamsPerSession: 65_536,
  bindsPerSession: 1_000,
  /** An agent sends half as many, and all of them at most twice at once; further ones wait at the relay. */
  bindsPerMinute: 10_000,
  /**
   * Releases up to 0.1 send all of theirs again after each loss, and a path may break every second. Reading one costs
   * 10 us, and more in proportion to its length over `bindBytes`.
   */
  bindsHeardPerMinute: 200_000,
  bindBytes: 2 * KiB,
  carriersPerSession: 64,
  /** The other two are the shared one and its successor. */
  dedicatedPerSession: 62,
  /** AES-GCM wants a new key after 2^24.5 records (RFC 8446 section 5.5), about 380 GB; Node has no KeyUpdate. */
  carrierBytesMax: 256 * 1024 * MiB,
  /** How often a retiring carrier is looked at. */
  retireTickMs: 500,
  /** A mark of rule 22 at most every 5 ms, and those that test for life: these are 12,000 a minute. */
  pingsPerMinute: 15_000,
  markEveryMs: 5,
  /**
   * In addition, one PING for this many bytes received: the marks of releases up to 0.1 follow the bytes and not the
   * time, and none comes sooner after the one before.
   */
  pingBytes: 64 * KiB,
  /** The most that unused bytes add up to: a PING comes soon after the bytes that it marks. */
  pingBytesMax: 64 * MiB,
  /**
   * Replies that the other side caused and its socket does not take (PONG, LOST and RESET as replies to its own, BOUND,
   * UNBOUND); beyond this the carrier is lost. Each of 65,536 streams may be reset, and each of 1,000 bindings refused,
   * while the path stands still.
   */
  answerQueueBytes: 1_536 * KiB,
  /**
   * What a dedicated carrier may have in Node that its socket has not taken: enough that it is never idle and makes few
   * writes. A shared one has to drain first, because others wait behind it: 512 KiB are 420 ms at 10 Mbit/s.
   */
  dedicatedQueueBytes: 512 * KiB,
  /** What a carrier gathers in one turn, and what a stream sends at once before others have their turn. */
  batchBytes: 256 * KiB,
  /** Streams reported in one turn after a loss: 45 KiB of frames, some 0.5 ms. */
  reportStreamsPerTurn: 1_024,
  /** From this id on the relay asks the agent for its next session (rule 1); a million visitors may come meanwhile. */
  streamIdSpent: 2 ** 31 - 2 ** 20,
  streamIdMax: 2 ** 31 - 1,
  /** A session that has no ids left is checked this often, and ended when it has no streams. */
  spentTickMs: 60_000,

  /** Resume grace at the relay, and how long the agent tries (rule 15). */
  resumeGraceMs: 120_000,
  resumeTryMs: 150_000,
  /** After a change of network a working path replies within this time (rule 25). */
  probeMs: 1_500,
  /** Redialling into silence: how often, and how many at once; each gets helloDeadlineMs (rule 26). */
  redialSilentMs: 500,
  dialsInFlight: 10,

  /** RFC 9112 has no limit; 64 KiB is the common upper bound (nginx 32, node 16, Apache 64). */
  requestHeadBytes: 64 * KiB,
  clientHelloBytes: 16 * KiB,
  httpIdleMs: 300_000,
  tcpKeepAliveMs: 60_000,
  /**
   * Bytes sent before a connection broke wait for their reader, as long as some of them are taken within this time:
   * phones lose their network for less, and a peer that has gone does not hold a socket for longer.
   */
  lastWordsMs: 60_000,
  /** A visitor's socket reads at most this much in a turn before others get theirs. */
  readTurnBytes: 256 * KiB,
  /** The same while others send words and wait for replies: one read. */
  readTurnBytesBesideWords: 64 * KiB,

  ticketMs: 3_600_000,
  leaseMs: 7_200_000,
  leaseExtendUnderMs: 65 * 60_000,
  awayMs: 60_000,
  /** How long a relay remembers that it served an endpoint. */
  placeMs: 24 * 3_600_000,
  syncMs: 30_000,
  /** How much clocks of relay and control plane may differ. */
  skewMs: 300_000,
} as const

assert(limits.payloadBytesMax === limits.dataBytesMax + 6)
assert(limits.comfortShare < limits.tightShare && limits.growthShare < limits.tightShare)
assert(limits.payloadBytesMax < 2 ** 24, 'length is a u24')
assert(limits.windowBytesInitial >= limits.dataBytesMax, 'a full DATA fits the first window')
assert(limits.dedicatedPerSession + 2 === limits.carriersPerSession)
assert(limits.upstreamConnectMs < limits.openDeadlineMs)
assert(limits.bindsPerMinute > (limits.bindsPerMinute / 2) * 1.25 + 2 * limits.bindsPerSession)
assert(limits.bindsHeardPerMinute > 2 * 60 * limits.bindsPerSession)
assert(limits.answerQueueBytes > limits.streamsPerSession * (limits.headerBytes + 2))
assert(limits.pingsPerMinute > 60_000 / limits.markEveryMs + 60 * 20)
assert(limits.pingRelayMs < limits.suspectMs && limits.suspectMs < limits.lostMs && limits.lostMs < 10_000)
assert(
  limits.resumeGraceMs < limits.resumeTryMs,
  'the agent outlasts the relay, so "resumed: false" is heard',
)
assert(
  limits.leaseExtendUnderMs >= limits.ticketMs + limits.skewMs,
  'a ticket ends so long before its lease that a relay whose clock is behind does not take it after the rest either',
)
