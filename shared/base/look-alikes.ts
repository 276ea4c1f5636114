/**
 * Letters and digits of other scripts that look like Latin ones, to recognise names that only look like a known one.
 * From confusables.txt of UTS 39 (Unicode security mechanisms): the characters that a host label may hold and that
 * resemble a to z or 0 to 9, with the small capitals of the same letters. host-names.ts and the deny lists use it.
 */

/** Latin character -> code points that look like it, in hexadecimal: an editor would show the letters all alike. */
const lookAlikes: Readonly<Record<string, string>> = {
  2: '14bf a6ef',
  3: '16f3b 118ca',
  4: '13ce',
  6: '431 13ee 118d5',
  7: '118c6',
  8: '9ea a6a 223 1031a',
  9: 'a67 b68 9ed d6d 118cc 118d6',
  a: '251 3b1 430 13aa 15c5 a4ee 16f40 102a0',
  aa: 'a733',
  ae: 'e6 4d5',
  ao: 'a735',
  au: 'a737',
  av: 'a739 a73b',
  ay: 'a73d',
  b: '13cf 15af 13f4 15f7 a4d0 10282 102a1 10301 432 299 44c',
  c: '1d04 2ca5 441 1043d 118f2 118e9 13df a4da 102a2 10302 1051c',
  d: '501 13e7 146f a4d2 13a0 15de 15ea a4d3',
  dz: '2a3',
  e: 'ab32 435 4bd 2d39 13ac a4f0 10286',
  f: 'ab35 a799 1e9d 584 15b4 a4dd 118c2 10287 102a5 10525',
  g: '261 1d83 18d 581 13c0 13f3 a4d6',
  h: '4bb 570 13c2 13bb 157c a4e7 102cf 43d 29c',
  i: '131 26a 269 3b9 456 a647 13a5 118c3',
  j: '3f3 458 13ab 148d a4d9',
  k: '13e6 16d5 a4d7 10518 138 3ba 43a 1d0b',
  l: '4cf 6f1 10320 1c0 2d4f 16c1 a4f2 16f28 1028a 10309 13de 14aa a4e1 16f16 10526',
  ll: '1c1',
  ls: '2aa',
  lz: '2ab',
  m: '13b7 15f0 16d6 a4df 102b0 10311 43c 1d0d',
  n: '578 57c a4e0 10513 43f 3b7',
  o: '966 a66 ae6 be6 c66 ce6 d66 e50 ed0 1040 6f5 1d0f 1d11 ab3d 3bf 3c3 2c9f 43e 10ff 585 d20 101d 104ea 118c8 118d7 1042c 9e6 b66 3007 114d0 118e0 2d54 12d0 b20 a4f3 10292 102ab 10516',
  oe: '153',
  oo: 'a74f a699',
  p: '3c1 2ca3 440 13e2 146d a4d1 10295',
  q: '51b 563 566 2d55',
  r: 'ab47 ab48 1d26 2c85 433 13a1 13d2 1587 a4e3 16f35',
  rn: '118e3 11700',
  s: 'a731 1bd 455 118c1 10448 13d5 13da a4e2 16f3a 10296',
  t: '13a2 a4d4 16f0a 10297 102b1 10315 442 1d1b',
  tf: 'a777',
  ts: '2a6',
  u: 'a79f 1d1c ab4e ab52 28b 3c5 57d 104f6 118d8 1200 144c a4f4 16f42',
  ue: '1d6b',
  uo: 'ab63',
  v: '1d20 3bd 475 11706 118c0 6f7 2d38 13d9 142f a6df a4e6 16f08 1051d',
  w: '26f 1d21 461 51d 561 1170a 1170e 1170f 118ef 118e6 13b3 13d4 a4ea',
  x: '445 1541 157d 10322 118ec 2d5d 16b7 a4eb 10290 102b4 10317 10527',
  y: '263 1d8c 28f 1eff ab5a 3b3 443 4af 10e7 118dc 13a9 13bd a4ec 16f43 102b2',
  z: '1d22 118c4 102f5 118e5 13c3 a4dc',
}

const plainOf: ReadonlyMap<string, string> = new Map(
  Object.entries(lookAlikes).flatMap(([plain, points]) =>
    points.split(' ').map((point) => [String.fromCodePoint(Number.parseInt(point, 16)), plain] as const),
  ),
)

/** The text as a reader sees it: without diacritics, and each letter as the Latin one it looks like. */
export function readingOf(text: string): string {
  const bare = text.normalize('NFD').replaceAll(/\p{M}/gu, '')
  return Array.from(bare, (letter) => plainOf.get(letter) ?? letter).join('')
}

/** Also reads digits as the letters they replace in a Latin word: paypa1, g00gle, micr0s0ft. */
export function wordOf(text: string): string {
  return text.replaceAll('0', 'o').replaceAll('1', 'l').replaceAll('3', 'e').replaceAll('5', 's')
}
