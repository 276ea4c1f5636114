/**
 * The arithmetic of seals, for making and for checking them. A seal covers up to 500 entries by a Merkle tree (RFC
 * 9162, section 2.1) and names the hash of the seal before, so changing, removing or inserting anything in the past
 * changes every later seal too.
 *
 *     leaf of an entry  = SHA-256(salt || body)
 *     leaf of the tree  = SHA-256(0x00 || id || ':' || leaf)
 *     node of the tree  = SHA-256(0x01 || left || right)
 *     hash of a seal    = SHA-256("ptun-seal" number prev root count at, one a line)
 */
import { createHash } from 'node:crypto'
import type { AuditDoc, SealDoc } from '../audit-documents.ts'

export type ProofStep = { readonly side: 'left' | 'right'; readonly hash: string }

export function entryLeaf({ salt = '', body = '' }: Pick<AuditDoc, 'salt' | 'body'>): string {
  return createHash('sha256').update(salt).update(body).digest('hex')
}

export function sealHash({ number, prev, root, count, at }: SealDoc): string {
  const text = ['ptun-seal', number, prev, root, count, at].join('\n')
  return createHash('sha256').update(text).digest('hex')
}

/** A leaf of the tree binds an entry's leaf to its id. */
function treeLeaf(id: string, leaf: string): Buffer {
  return createHash('sha256').update(Buffer.of(0)).update(`${id}:${leaf}`).digest()
}

function node(left: Buffer, right: Buffer): Buffer {
  return createHash('sha256').update(Buffer.of(1)).update(left).update(right).digest()
}

/** Needs at least one leaf. */
export function merkleRoot(ids: readonly string[], leaves: readonly string[]): string {
  return rootOf(treeLeaves(ids, leaves)).toString('hex')
}

/** The path from the leaf at `index` up to the root. */
export function merklePath(ids: readonly string[], leaves: readonly string[], index: number): ProofStep[] {
  return pathOf(treeLeaves(ids, leaves), index)
}

/** The root that `path` gives from an entry's leaf. */
function rootOfPath(id: string, leaf: string, path: readonly ProofStep[]): string {
  let hash = treeLeaf(id, leaf)
  for (const { side, hash: other } of path) {
    const sibling = Buffer.from(other, 'hex')
    hash = side === 'left' ? node(sibling, hash) : node(hash, sibling)
  }
  return hash.toString('hex')
}

function treeLeaves(ids: readonly string[], leaves: readonly string[]): readonly Buffer[] {
  return ids.map((id, index) => treeLeaf(id, leaves[index] ?? ''))
}

function rootOf(hashes: readonly Buffer[]): Buffer {
  const [only] = hashes
  if (!only) throw new Error('a seal of nothing')
  if (hashes.length === 1) return only
  const half = splitAt(hashes.length)
  return node(rootOf(hashes.slice(0, half)), rootOf(hashes.slice(half)))
}

function pathOf(hashes: readonly Buffer[], index: number): ProofStep[] {
  if (hashes.length <= 1) return []
  const half = splitAt(hashes.length)
  const [left, right] = [hashes.slice(0, half), hashes.slice(half)]
  if (index < half) return [...pathOf(left, index), { side: 'right', hash: rootOf(right).toString('hex') }]
  return [...pathOf(right, index - half), { side: 'left', hash: rootOf(left).toString('hex') }]
}

/** The largest power of two below `count`. */
function splitAt(count: number): number {
  let size = 1
  while (size * 2 < count) size *= 2
  return size
}

/** What can be checked of one entry without a store: from the API's proof, or in the walk over all. */
export type EntryProof = {
  readonly id: string
  readonly entry: Pick<AuditDoc, 'salt' | 'body'>
  readonly path: readonly ProofStep[]
  readonly seal: SealDoc
  /** The hash of the seal, as its successor or an outside log names it. */
  readonly hash: string
}

/** @returns what is wrong; undefined when the entry is as it was sealed */
export function verifyProof({ id, entry, path, seal, hash }: EntryProof): string | undefined {
  if (rootOfPath(id, entryLeaf(entry), path) !== seal.root) return 'the entry is not what was sealed'
  if (sealHash(seal) !== hash) return 'the seal is not what its hash says'
  return undefined
}
