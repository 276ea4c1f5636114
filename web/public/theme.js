// Sets a kept theme before the first paint. A file of its own: the content security policy allows no inline script.
try {
  const kept = localStorage.getItem('porttunneler.theme')
  if (kept === 'light' || kept === 'dark') document.documentElement.dataset.theme = kept
} catch {
  // Storage is switched off: the system's theme it is.
}
