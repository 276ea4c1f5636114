import { describe, expect, test } from 'vitest'
import { tunnelNameSchema } from '../api/schemas/common.ts'
import { isNameDenied } from './deny-lists.ts'
import { combinations, everyPair, namesLike, readableName } from './readable-names.ts'

/** Roots of offensive words, as far as short innocent words can form them where they meet. */
const offensive = `
  anal anus arse bitch boob bum butt clit cock coon crap cum cunt damn dick dildo fag fuck gook hitler homo jap jizz
  kike kkk kock milf muff nazi negro nigga nigger nude orgy paki penis piss poop porn pube pussy rape rapist scat semen
  sex shit slut smut spic tit twat vagina viagra wank whore wop xxx cialis picsa randi verga
`
  .trim()
  .split(/\s+/)

/** Innocent words that are also said of a drug, or of how people look. */
const twofold = `
  acid blow chubby coke colored crack crystal dope dusky ecstasy exotic fair-skinned freckled ginger grass hash ice
  joint molly pale pot skinny smack snow speed swarthy tar weed
`
  .trim()
  .split(/\s+/)

describe('readable names', () => {
  test('there are millions of them, and every one is a name that a tunnel may have', () => {
    expect(combinations).toBeGreaterThan(4_000_000)
    for (let n = 0; n < 2_000; n++) {
      const name = readableName(`seed ${n}`, n % 5)
      expect(name).toMatch(/^[a-z]+-[a-z]+-[1-9][0-9]$/)
      expect(tunnelNameSchema.safeParse(name).success, name).toBe(true)
    }
  })

  test('no pair of words offends or misleads, apart or together', () => {
    const bad = everyPair().filter(([quality, thing]) => {
      if (isNameDenied(`${quality}-${thing}`)) return true
      return offensive.some((word) => `${quality}${thing}`.includes(word))
    })
    expect(bad.map((pair) => pair.join('-'))).toEqual([])
  })

  test('no word has a second meaning that some would mind', () => {
    const words = new Set(everyPair().flat())
    expect(twofold.filter((word) => words.has(word))).toEqual([])
  })

  test('each word is in a list once, and is short', () => {
    const pairs = everyPair().map((pair) => pair.join('-'))
    expect(new Set(pairs).size).toBe(pairs.length)
    expect(everyPair().filter(([quality, thing]) => quality === thing)).toEqual([])
    expect(Math.max(...pairs.map((pair) => pair.length))).toBeLessThanOrEqual(20)
  })

  test('the same request gets the same name, and each attempt a different one', () => {
    const names = Array.from({ length: 6 }, (_, attempt) => readableName('k1', attempt))
    expect(names).toEqual(names.map((_, attempt) => readableName('k1', attempt)))
    expect(new Set(names).size).toBe(6)
  })

  test('names like a taken one are valid, however long that is', () => {
    for (const name of ['a', 'hello', 'a'.repeat(40), `${'a'.repeat(29)}-${'b'.repeat(10)}`])
      for (const like of namesLike(name, { count: 40, max: 40, random: Math.random }))
        expect(tunnelNameSchema.safeParse(like).success, like).toBe(true)
  })
})
