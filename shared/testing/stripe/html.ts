/** Pages for people: plain HTML, no scripts. */

export type PageAnswer =
  | { readonly status: number; readonly html: string }
  | { readonly status: 303; readonly location: string }
  | {
      readonly status: 200
      readonly file: { readonly name: string; readonly type: string; readonly text: string }
    }

export function htmlPage(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escaped(title)}</title>
<meta name="viewport" content="width=device-width">
<style>
body { font: 16px/1.5 system-ui; max-width: 26rem; margin: 2rem auto; padding: 0 1rem; }
label { display: block; margin: .75rem 0; }
input { display: block; width: 100%; box-sizing: border-box; padding: .4rem; font: inherit; }
td { padding-right: 2rem; } [role=alert] { color: #b00020; } button { font: inherit; padding: .5rem 1rem; }
</style>
<h1>${escaped(title)}</h1><p><small>A test server stands here for Stripe. No money moves.</small></p>${body}`
}

export function field(name: string, label: string, value: string): string {
  return `<label>${escaped(label)}<input name="${name}" value="${escaped(value)}"></label>`
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

/** Minor units as people read them; only currencies of two places are sold here. */
export function money(amount: number, currency: string): string {
  return `${(amount / 100).toFixed(2)} ${currency.toUpperCase()}`
}
