const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
/** Cast, so that tests can compile this file without the types of a browser. */
const { navigator } = globalThis as unknown as { navigator: { languages: readonly string[] } }
const locale = [...navigator.languages]

/** 1000 bytes are a kB, as in `ls --si`. */
export function bytes (value: number | null): string {
  if (value === null) return '–'
  const floor = value < 1000 ? 0 : Math.floor(Math.log10(value) / 3)
  // 999,999 would be rounded to 1000 kB
  const exponent = Math.min(value / 1000 ** floor >= 999.5 ? floor + 1 : floor, units.length - 1)
  const scaled = value / 1000 ** exponent
  const digits = exponent === 0 || scaled >= 99.95 ? 0 : 1
  return `${new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(scaled)} ${units[exponent]}`
}

export const count = (value: number | null): string =>
  value === null ? '–' : new Intl.NumberFormat(locale).format(value)

export const percent = (share: number): string =>
  new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 }).format(share)

/** With its sign, for changes. */
export const change = (value: number): string =>
  new Intl.NumberFormat(locale, { signDisplay: 'exceptZero' }).format(value)

export const plural = (value: number, one: string, other = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : other}`

/** `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration (ms: number | null): string {
  if (ms === null) return '–'
  if (ms < 9950) return `${new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }).format(ms / 1000)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min${seconds % 60 > 0 ? ` ${seconds % 60} s` : ''}`
  return `${Math.floor(minutes / 60)} h${minutes % 60 > 0 ? ` ${minutes % 60} min` : ''}`
}

/** In the zone of the reader, with its name. */
export const exactTime = (iso: string): string => new Intl.DateTimeFormat(locale, {
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  timeZoneName: 'short'
}).format(new Date(iso))

export const shortTime = (iso: string): string => new Intl.DateTimeFormat(locale, {
  month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit'
}).format(new Date(iso))

/** @param time by Date.now() */
export const timeOfDay = (time: number): string => new Intl.DateTimeFormat(locale, {
  hour: '2-digit', minute: '2-digit', second: '2-digit'
}).format(new Date(time))

export const shortDay = (date: Date): string =>
  new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric' }).format(date)

export const day = (date: Date): string =>
  new Intl.DateTimeFormat(locale, { weekday: 'short', year: 'numeric', month: 'short', day: 'numeric' }).format(date)

const steps: Array<[unit: Intl.RelativeTimeFormatUnit, ms: number]> = [
  ['year', 31_536_000_000], ['month', 2_592_000_000], ['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000]
]

/** `3 hours ago`, `in 2 days`, `just now`. Not “yesterday” or “last month”, which are not lengths of time. */
export function relativeTime (iso: string, now = Date.now()): string {
  const ms = new Date(iso).getTime() - now
  const [unit, size] = steps.find(([, size]) => Math.abs(ms) >= size) ?? []
  if (unit === undefined || size === undefined) return ms > 0 ? 'in less than a minute' : 'just now'
  return new Intl.RelativeTimeFormat(locale).format(Math.trunc(ms / size), unit)
}
