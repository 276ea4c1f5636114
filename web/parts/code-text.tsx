/** A status, or a code of ours, which leads to its page. */
export function CodeText({ code }: { code: string }) {
  const look = 'font-mono text-[0.8125rem]'
  return code.startsWith('PT-') ? (
    <a
      class={`${look} underline underline-offset-2`}
      href={`/errors/${code}`}
      target="_blank"
      rel="noreferrer"
    >
      {code}
    </a>
  ) : (
    <code class={look}>{code}</code>
  )
}
