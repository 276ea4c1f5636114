/** Light, dark, or what the system says. Kept in this browser; theme.js applies it before the first paint. */
import { useState } from 'preact/hooks'
import { Icon, type IconName } from './icon.tsx'

const storageKey = 'porttunneler.theme'
const choices = [
  { name: 'system', label: 'As the system', icon: 'system' },
  { name: 'light', label: 'Light', icon: 'sun' },
  { name: 'dark', label: 'Dark', icon: 'moon' },
] as const satisfies readonly { name: string; label: string; icon: IconName }[]
type Theme = (typeof choices)[number]['name']

export function ThemeChoice() {
  const [theme, setTheme] = useState<Theme>(currentTheme)
  const choose = (next: Theme) => {
    applyTheme(next)
    setTheme(next)
  }
  return (
    <fieldset class="flex rounded-md border border-line bg-surface p-0.5">
      <legend class="sr-only">Colours</legend>
      {choices.map(({ name, label, icon }) => (
        <label
          key={name}
          title={label}
          class="grid size-9 cursor-pointer place-items-center rounded-md text-muted has-checked:bg-raised has-checked:text-text has-focus-visible:outline-2 has-focus-visible:outline-accent hover:text-text"
        >
          <input
            type="radio"
            name="theme"
            class="sr-only"
            checked={theme === name}
            onChange={() => choose(name)}
            aria-label={label}
          />
          <Icon name={icon} />
        </label>
      ))}
    </fieldset>
  )
}

function currentTheme(): Theme {
  const set = document.documentElement.dataset.theme
  return set === 'light' || set === 'dark' ? set : 'system'
}

function applyTheme(theme: Theme): void {
  const { dataset } = document.documentElement
  if (theme === 'system') delete dataset.theme
  else dataset.theme = theme
  try {
    if (theme === 'system') localStorage.removeItem(storageKey)
    else localStorage.setItem(storageKey, theme)
  } catch {
    // Without storage the choice holds until the page is left.
  }
}
