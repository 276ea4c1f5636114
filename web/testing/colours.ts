/**
 * How far apart colours are, for eyes and for tests: contrast by WCAG 2.2, and distances in OKLab
 * (https://bottosson.github.io/posts/oklab/), also as people with red or green blindness see them: Machado, Oliveira
 * and Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency", severity 1.
 */

type Three = readonly [number, number, number]
export type Sight = 'full' | 'protanopia' | 'deuteranopia'

const sights: Record<Exclude<Sight, 'full'>, readonly [Three, Three, Three]> = {
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
}

/** @returns from 1 (the same) to 21 (black on white) */
export function contrastOf(one: string, other: string): number {
  const [low = 0, high = 0] = [luminanceOf(linearOf(one)), luminanceOf(linearOf(other))].sort((a, b) => a - b)
  return (high + 0.05) / (low + 0.05)
}

/** @returns from 0 (the same) to 1 (black and white); 0.02 is what an eye can just tell apart side by side */
export function distanceOf(one: string, other: string, sight: Sight): number {
  const [a, b] = [oklabOf(seenBy(sight, linearOf(one))), oklabOf(seenBy(sight, linearOf(other)))]
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])
}

/** @param hex as `#rrggbb` */
function linearOf(hex: string): Three {
  const part = (from: number) => {
    const value = Number.parseInt(hex.slice(from, from + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }
  return [part(1), part(3), part(5)]
}

function luminanceOf([red, green, blue]: Three): number {
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function seenBy(sight: Sight, colour: Three): Three {
  if (sight === 'full') return colour
  const [red, green, blue] = sights[sight]
  const clip = (row: Three) => Math.min(1, Math.max(0, dot(row, colour)))
  return [clip(red), clip(green), clip(blue)]
}

function oklabOf(colour: Three): Three {
  const long = Math.cbrt(dot([0.4122214708, 0.5363325363, 0.0514459929], colour))
  const middle = Math.cbrt(dot([0.2119034982, 0.6806995451, 0.1073969566], colour))
  const short = Math.cbrt(dot([0.0883024619, 0.2817188376, 0.6299787005], colour))
  const cones: Three = [long, middle, short]
  return [
    dot([0.2104542553, 0.793617785, -0.0040720468], cones),
    dot([1.9779984951, -2.428592205, 0.4505937099], cones),
    dot([0.0259040371, 0.7827717662, -0.808675766], cones),
  ]
}

function dot(one: Three, other: Three): number {
  return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]
}
