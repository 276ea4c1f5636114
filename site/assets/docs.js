// The documentation's pages in a browser: search, copying, colours, the menu of a phone. Nothing leaves this server:
// the search reads one file of sections and looks in the browser.
const page = document.documentElement
page.classList.add('scripted')
const { root = './', version = '' } = page.dataset

addCopyButtons()
followMenu()
followTheme()
followSearch()

function addCopyButtons() {
  for (const block of document.querySelectorAll('.code')) {
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = 'Copy'
    button.addEventListener('click', async () => {
      const typed = [...block.querySelectorAll('.typed')].map((line) => line.textContent)
      const text = typed.length > 0 ? typed.join('\n') : block.querySelector('code').textContent.trimEnd()
      try {
        await navigator.clipboard.writeText(text)
        button.textContent = 'Copied'
      } catch {
        // No clipboard outside https and localhost: the text is marked, and a key copies it.
        getSelection().selectAllChildren(block.querySelector('code'))
        button.textContent = 'Press Ctrl+C'
      }
    })
    for (const leaving of ['pointerleave', 'blur'])
      button.addEventListener(leaving, () => {
        button.textContent = 'Copy'
      })
    block.append(button)
  }
}

function followMenu() {
  const menu = document.getElementById('menu')
  const contents = document.getElementById('contents')
  menu.addEventListener('click', () => {
    const isOpen = contents.classList.toggle('open')
    menu.setAttribute('aria-expanded', String(isOpen))
  })
  contents.querySelector('[aria-current]')?.scrollIntoView({ block: 'center' })
  window.scrollTo(0, 0)
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView()
}

/** The same choice as the console's, under the same name. */
function followTheme() {
  const button = document.getElementById('theme')
  const choices = ['system', 'light', 'dark']
  const show = () => {
    const now = page.dataset.theme ?? 'system'
    button.textContent = `Colours: ${now}`
    button.setAttribute('aria-label', `Colours: ${now}. Change them`)
  }
  button.addEventListener('click', () => {
    const now = page.dataset.theme ?? 'system'
    const next = choices[(choices.indexOf(now) + 1) % choices.length]
    if (next === 'system') delete page.dataset.theme
    else page.dataset.theme = next
    try {
      if (next === 'system') localStorage.removeItem('porttunneler.theme')
      else localStorage.setItem('porttunneler.theme', next)
    } catch {
      // Without storage the choice holds until the page is left.
    }
    show()
  })
  show()
}

function followSearch() {
  const form = document.getElementById('search')
  const input = form.querySelector('input')
  const found = document.getElementById('found')
  let rows
  const read = async () => {
    rows ??= fetch(`${root}search.json?${version}`).then((answer) => {
      if (!answer.ok) throw new Error(`status ${answer.status}`)
      return answer.json()
    })
    return rows
  }
  const show = async () => {
    const words = wordsOf(input.value)
    found.hidden = words.length === 0
    if (words.length === 0) return
    try {
      const hits = search(await read(), words)
      // Typed on meanwhile: the later call shows its own.
      if (wordsOf(input.value).join(' ') !== words.join(' ')) return
      found.replaceChildren(
        ...(hits.length > 0 ? hits.map((hit) => hitOf(hit, words)) : [say('Nothing found.')]),
      )
    } catch {
      rows = undefined
      found.replaceChildren(say('The search could not be loaded. Type on to try again.'))
    }
  }
  const prepare = () =>
    read().catch(() => {
      rows = undefined
    })
  input.addEventListener('focus', () => void prepare(), { once: true })
  input.addEventListener('input', () => void show())
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    found.querySelector('a')?.click()
  })
  document.addEventListener('keydown', (event) => onKey(event, { form, input, found }))
  document.addEventListener('click', ({ target }) => {
    if (!form.contains(target)) found.hidden = true
  })
}

function onKey(event, { form, input, found }) {
  const isTyping = /^(?:INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? '')
  if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey) {
    event.preventDefault()
    input.focus()
    return
  }
  if (!form.contains(document.activeElement)) return
  if (event.key === 'Escape') {
    found.hidden = true
    input.focus()
    return
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (step === undefined) return
  event.preventDefault()
  const links = [input, ...found.querySelectorAll('a')]
  links[Math.max(0, links.indexOf(document.activeElement) + step)]?.focus()
}

function wordsOf(text) {
  return text.toLowerCase().split(/\s+/).filter(Boolean)
}

/** Sections that have every word; headings and titles count more than text. The best 20. */
function search(rows, words) {
  return rows
    .flatMap((row) => {
      const [, , title, heading, text] = row
      const places = [heading.toLowerCase(), title.toLowerCase(), text.toLowerCase()]
      const score = words.reduce((sum, word) => {
        const weights = places.map((place, index) => (place.includes(word) ? [6, 3, 1][index] : 0))
        const most = Math.max(...weights)
        return most === 0 ? Number.NaN : sum + most + (places[0].startsWith(word) ? 2 : 0)
      }, 0)
      return Number.isNaN(score) ? [] : [{ row, score }]
    })
    .sort((a, b) => b.score - a.score)
    .slice(0, 20)
    .map(({ row }) => row)
}

function hitOf([path, id, title, heading, text], words) {
  const link = document.createElement('a')
  link.href = `${root}${path}${id && `#${id}`}`
  const head = document.createElement('span')
  head.textContent = heading === title ? title : `${title} › ${heading}`
  const near = document.createElement('small')
  const at = Math.max(0, text.toLowerCase().indexOf(words[0]) - 40)
  near.append(...marked(`${at > 0 ? '… ' : ''}${text.slice(at, at + 160)}`, words))
  link.append(head, near)
  return link
}

/** The text with the words marked, as nodes: nothing of a page is ever read as HTML. */
function marked(text, words) {
  const pattern = new RegExp(
    `(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')})`,
    'gi',
  )
  return text.split(pattern).map((part, index) => {
    if (index % 2 === 0) return part
    const mark = document.createElement('mark')
    mark.textContent = part
    return mark
  })
}

function say(words) {
  const text = document.createElement('p')
  text.textContent = words
  return text
}
