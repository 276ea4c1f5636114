/** Amounts as people read them. */

/** @param minor of the currency, such as cents */
export function formatMoney(minor: string, currency: string): string {
  return new Intl.NumberFormat('en', { style: 'currency', currency, currencyDisplay: 'code' }).format(
    Number(majorUnits(minor, currency)),
  )
}

/** "1250" cents -> "12.50" */
export function majorUnits(minor: string, currency: string): string {
  const digits = digitsOf(currency)
  return (Number(minor) / 10 ** digits).toFixed(digits)
}

function digitsOf(currency: string): number {
  // Stripe counts these two in hundredths that must be whole.
  if (currency === 'isk' || currency === 'ugx') return 2
  const { maximumFractionDigits: digits = 2 } = new Intl.NumberFormat('en', {
    style: 'currency',
    currency,
  }).resolvedOptions()
  return digits
}
