/** The icons: strokes of the text's colour on a 20 by 20 grid. They never carry meaning alone, text stands beside. */
const paths = {
  tunnel: 'M3.500 16v-4.500a6.500 6.500 0 0 1 13 0V16M10 9.500v6.500m-2.500-2.500L10 16l2.500-2.500',
  tag: 'M3.500 4v6.500l6.500 6.500 6.500-6.500L10 4zM7 7.500v.1',
  globe:
    'M10 3a7 7 0 1 1 0 14 7 7 0 1 1 0-14M3 10h14M10 3c2.700 2.500 2.700 11.500 0 14m0-14c-2.700 2.500-2.700 11.500 0 14',
  shield: 'm10 3 6 2.200v4.300c0 4-2.600 6.300-6 7.500-3.400-1.200-6-3.500-6-7.500V5.200z',
  sliders: 'M4 6h6m4 0h2M4 14h2m4 0h6M12 4v4m-4 4v4',
  plus: 'M10 4v12M4 10h12',
  search: 'M9 3.500a5.500 5.500 0 1 1 0 11 5.500 5.500 0 1 1 0-11m4 9.500 4 4',
  copy: 'M7 7h9v9H7zM4 13V4h9',
  check: 'm4 10.5 4 4 8-9',
  online: 'M10 3.500a6.5 6.5 0 1 1 0 13a6.5 6.5 0 1 1 0-13m-3 6.7 2.2 2.2 4-4.6',
  away: 'M10 3.500a6.5 6.5 0 1 1 0 13a6.5 6.5 0 1 1 0-13m0 3v3.700l2.5 1.5',
  offline: 'M10 3.500a6.5 6.5 0 1 1 0 13a6.5 6.5 0 1 1 0-13m-3 6.500h6',
  alert: 'M10 3 2.5 16.500h15zM10 8v4m0 2.200v.3',
  close: 'm5 5 10 10M15 5 5 15',
  back: 'M12 4.5 6.5 10l5.5 5.5',
  down: 'm5 8 5 5 5-5',
  key: 'M12.5 3a4.5 4.5 0 1 1-3.3 7.600L4 16v1H3v-3l5.5-5.300A4.5 4.5 0 0 1 12.5 3m1 3.400v.2',
  person: 'M10 3.500a3 3 0 1 1 0 6 3 3 0 1 1 0-6M4 17c.5-3 3-4.5 6-4.500s5.5 1.5 6 4.5',
  sun: 'M10 6.500a3.5 3.5 0 1 1 0 7 3.5 3.5 0 1 1 0-7M10 2v1.500m0 13V18M2 10h1.500m13 0H18M4.3 4.300l1.1 1.100m9.2 9.2 1.1 1.100m0-11.4-1.1 1.100m-9.2 9.2-1.1 1.1',
  moon: 'M16.5 11.800A7 7 0 1 1 8.2 3.500a5.5 5.5 0 0 0 8.3 8.3',
  system: 'M3 4.500h14v9H3zM7.5 17h5M10 13.500V17',
  trash: 'M4 6h12M8 6V4h4v2m-6.5 0 .7 10.500h7.600L14.5 6M8.5 9v4.500m3-4.500v4.5',
  device: 'M4 4.500h12v8.500H4zM2 16h16',
  chart: 'M4 16V9m4 7V4m4 12v-5m4 5V7',
  people:
    'M7.500 4a2.500 2.500 0 1 1 0 5 2.500 2.500 0 1 1 0-5M2.500 16c.3-2.700 2-4.200 5-4.200s4.700 1.500 5 4.200M13 4.300a2.500 2.500 0 0 1 0 4.600m1.500 3.300c1.800.5 2.700 1.800 3 3.800',
  card: 'M3 5h14v10H3zM3 8.500h14M6 12h3',
  list: 'M7 5h10M7 10h10M7 15h10M3.500 5v.1m0 4.900v.1m0 4.900v.1',
  box: 'M3.500 6.500 10 3l6.500 3.500v7L10 17l-6.500-3.500zM3.500 6.500 10 10l6.500-3.500M10 10v7',
  arrowIn: 'M10 3v11m-4.5-4.500L10 14l4.5-4.500M4 17h12',
  arrowOut: 'M10 14V3M5.5 7.5 10 3l4.5 4.500M4 17h12',
} as const
export type IconName = keyof typeof paths

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      viewBox="0 0 20 20"
      width={size}
      height={size}
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      class="shrink-0"
    >
      <path d={paths[name]} />
    </svg>
  )
}
