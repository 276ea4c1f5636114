/**
 * Names that the service makes up: brave-otter-41. They are easy to read out and to type, and nobody minds them in an
 * address. The lists leave out people, their bodies and origins, brands, and everything that is an insult or a drug in
 * some use; a test checks pairs for words that arise where two meet. The names need not be hard to guess. The caller
 * must handle a taken name.
 */
import { createHash } from 'node:crypto'

const qualities = `
  able agile airy alert amber ample apt arctic astral autumn azure balmy basic beaming blithe bold bonny brave breezy
  bright brisk calm candid capable careful caring cheery civil clear cloudy coastal comfy coral
  cosmic cosy crafty crimson crisp curious daring deft deluxe devoted direct early earnest eastern
  elegant emerald even exact fabled fair faithful famous fancy fearless festive fine fleet floral fluent fond
  formal frank fresh frosty gallant gentle genuine gifted glad gleaming golden good graceful grateful
  great green happy harmonic hearty helpful honest humble ideal indigo inland ivory jade jaunty jolly jovial joyful
  keen kind kindly lasting lavender leafy likely lilac lively loyal lucid lucky lunar magic major marine mellow merry
  mighty mild mindful misty modern modest mossy mystic neat nimble noble northern novel olive orange orderly
  patient peaceful playful pleasant plucky polar polished polite prime proud quick quiet radiant rapid rare
  ready regal robust rosy royal ruby rural rustic sandy sapphire scarlet scenic serene sharp shiny silent simple
  sincere sleek smart smiling snowy solar solid sonic southern sparkly speedy stable starry stately
  steady stellar sterling still sturdy subtle sunlit sunny super sure swift teal thankful tidy timely topaz tranquil
  true trusty upbeat useful valiant vast velvet vibrant violet vital vivid warm western whole willing windy wise
  witty wooden worthy zesty zippy
`
  .trim()
  .split(/\s+/)

const things = `
  acorn agate alder almond alpaca anchor antelope aspen aster atlas aurora badger balloon ballad banjo barley basalt
  basil basket beacon beetle bicycle biscuit bison blanket breeze bridge brook bucket cabin cactus candle canoe
  canvas canyon carpet castle cello chapter chime chisel clover cobalt comet condor cottage cove crane crayon
  cricket curlew cypress dahlia daisy delta dolphin dove dragonfly easel eclipse egret elk engine falcon feather fern
  festival fiddle finch firefly fjord forest fountain galaxy galleon garden garnet gazelle gecko geyser glacier
  glider gondola granite guitar hamlet harbor harp hazel heather hedgehog heron hillside horizon ibis iris island
  jasper journey juniper kayak kestrel kettle kite koala lagoon lake lantern lark laurel lemur library lily linden
  llama lotus lynx magnolia mango maple marble marten meadow melody mesa meteor mirror moose moss mountain narwhal
  nebula notebook oak oasis ocean orbit orchard orchid osprey otter owl panda papaya parade parrot pavilion
  pebble pelican pencil penguin piano planet plateau plover poem pond poplar prairie primrose puffin
  pumpkin puzzle quartz quasar quilt radish rainbow reef ribbon ridge river robin rocket rowan rudder sailboat
  salmon sandbar saucer savanna shore skillet slate sonata sparrow spruce squirrel starfish stork
  story summit sunrise swan tapestry teacup teapot temple thicket thimble thyme tiger toucan tower tractor trellis trout
  trumpet tulip tundra turtle valley vase viola violin voyage waffle wagon walnut willow window wombat wren
  zebra zenith
`
  .trim()
  .split(/\s+/)

/** Always two digits, so that all names look alike. */
const numberFrom = 10
const numbers = 90

export const combinations = qualities.length * things.length * numbers

/** The same request gets the same name; each attempt gets another. */
export function readableName(seed: string, attempt: number): string {
  const bytes = createHash('sha256').update(`${seed}:${attempt}`).digest()
  const number = numberFrom + (bytes.readUInt32BE(8) % numbers)
  return `${pick(qualities, bytes.readUInt32BE(0))}-${pick(things, bytes.readUInt32BE(4))}-${number}`
}

/** Names that begin or end like a taken one; at most `max` letters each. */
export function namesLike(
  name: string,
  { count, max, random }: { count: number; max: number; random: () => number },
) {
  const draw = (words: readonly string[]) => pick(words, Math.floor(random() * words.length))
  return Array.from({ length: count }, (_, index) => {
    const [before, behind] = index % 2 === 0 ? ['', `-${draw(things)}`] : [`${draw(qualities)}-`, '']
    const room = max - before.length - behind.length
    return `${before}${name.slice(0, room).replace(/-+$/, '')}${behind}`
  })
}

/** All pairs, for the test that checks each. */
export function everyPair(): readonly (readonly [quality: string, thing: string])[] {
  return qualities.flatMap((quality) => things.map((thing) => [quality, thing] as const))
}

function pick(words: readonly string[], index: number): string {
  return words[index % words.length] ?? ''
}
