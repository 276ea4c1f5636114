/** The texts that a source file shows to people: between tags, in strings and in templates of several words. */
import { type Node, parseSync } from 'oxc-parser'

export type Text = {
  /** Values that are filled in are an ellipsis. */
  readonly text: string
  /** Whether a number of unknown size stands before a word in the plural: "… tunnels". */
  readonly isPlural: boolean
}

/** A filled-in value before "agents", "new connections": not before a verb, a unit or a name. */
const plural =
  /…\s(?:more |new |open |other )?(?!as\b|ms\b|is\b|was\b|has\b|does\b|gets\b|takes\b)[a-z]{2,}s\b/
/** A list of classes, an address or a drawing: all its words are lower case, and most have a sign inside. */
function isCode(text: string): boolean {
  const words = text.split(' ')
  const coded = words.filter((word) => /[a-z0-9\]][-:[\]/_(][a-z0-9[(#&>]/.test(word)).length
  return !/[A-Z,;]|\w[.!?]$/.test(text) && coded * 2 >= words.length
}

/** @param file its name says whether it has tags */
export function textsIn(file: string, source: string): readonly Text[] {
  const found: Text[] = []
  const add = (raw: string) => {
    const text = raw.replace(/\s+/g, ' ').trim()
    if (/[A-Za-z]{2,}.* .*[A-Za-z]{2,}|^… [a-z]+$/.test(text) && !isCode(text))
      found.push({ text, isPlural: plural.test(text) })
  }
  visit(parseSync(file, source).program, (node) => {
    if (node.type === 'JSXElement' || node.type === 'JSXFragment')
      for (const text of betweenTags(node.children)) add(text)
    if (node.type === 'TemplateLiteral') add(node.quasis.map(({ value }) => value.cooked ?? '').join('…'))
    if (node.type === 'Literal' && typeof node.value === 'string') add(node.value)
  })
  return found
}

/** Texts and values that stand beside one another are one text; an element between them ends it. */
function betweenTags(children: readonly Node[]): readonly string[] {
  const texts = ['']
  for (const child of children) {
    const last = texts.at(-1) ?? ''
    if (child.type === 'JSXText') texts[texts.length - 1] = last + child.value
    else if (child.type !== 'JSXExpressionContainer') texts.push('')
    else texts[texts.length - 1] = last + filledIn(child.expression)
  }
  return texts
}

/** `{' '}` is a space; a call that counts has its own plural. */
function filledIn(expression: Node): string {
  if (expression.type === 'Literal') return String(expression.value)
  return '…'
}

/** Calls `enter` for every node but those that hold no text for people: imports, classes of a style sheet. */
function visit(node: Node, enter: (node: Node) => void): void {
  if (node.type === 'ImportDeclaration' || node.type === 'ImportExpression') return
  if (node.type === 'JSXAttribute' && node.name.name === 'class') return
  enter(node)
  for (const value of Object.values(node))
    for (const one of Array.isArray(value) ? value : [value]) if (isNode(one)) visit(one, enter)
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}
