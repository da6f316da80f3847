import { html, nothing, svg, type SVGTemplateResult } from 'lit-html'
import type { Backup } from '../../../types/index.ts'
import * as format from '../format.ts'
import { type Day, type DayState, niceScale, type Point } from './history.ts'

interface Measure { name: string, of: (backup: Backup) => number | null, show: (value: number | null) => string }

export const measures: Measure[] = [
  { name: 'Size', of: ({ storedBytes }) => storedBytes, show: format.bytes },
  { name: 'Rows', of: ({ rowCount }) => rowCount, show: format.count },
  { name: 'Duration', of: ({ durationMs }) => durationMs, show: format.duration }
]

const plot = { left: 76, right: 14, top: 26, height: 84, strip: 20, axis: 24 }
const band = plot.top + plot.height
const stripTop = measures.length * band + plot.top

export const chartHeight = stripTop + plot.strip + plot.axis
/** Down to where the line goes that marks the selected run. */
export const cursorBottom = stripTop + plot.strip
/** More points would be a second line. */
const mostDots = 120

/** Where the times of a history are in a picture of this width. */
export class TimeScale {
  readonly width: number
  readonly right: number
  readonly #from: number
  readonly #perMs: number

  /** @param days from the first to the last one, which is today */
  constructor (days: Day[], width: number) {
    const [first = new Date(), last = first] = [days[0]?.date, days.at(-1)?.date]
    this.#from = first.getTime()
    this.width = width
    this.right = width - plot.right
    const end = new Date(last.getFullYear(), last.getMonth(), last.getDate() + 1)
    this.#perMs = (this.right - plot.left) / (end.getTime() - this.#from)
  }

  /** In pixels, with one decimal. */
  x (time: number): number {
    return round(plot.left + (time - this.#from) * this.#perMs)
  }
}

const round = (pixels: number): number => Math.round(pixels * 10) / 10

/** Everything but the mark of the selected run. */
export const drawHistory = (points: Point[], days: Day[], scale: TimeScale): SVGTemplateResult => svg`
  ${axis(days, scale)}
  ${measures.map((measure, index) => bandOf(measure, index * band, points, scale))}
  ${strip(days, scale)}`

/** One element for all points of a kind, so that thousands of runs are quick. */
function bandOf ({ name, of, show }: Measure, top: number, points: Point[], scale: TimeScale): SVGTemplateResult {
  const known = points.flatMap(({ backup, kind, time }) => {
    const value = of(backup)
    return value === null || kind === 'failed' ? [] : [{ x: scale.x(time), value, kind }]
  })
  const { max, ticks } = niceScale(known.map(({ value }) => value))
  const bottom = top + plot.top + plot.height
  const y = (value: number): number => round(bottom - value / max * plot.height)
  const line = known.map(({ x, value }) => `${x},${y(value)}`).join(' ')
  const marks = (kind: Point['kind'], mark: (x: number, y: number) => string): string =>
    known.filter((point) => point.kind === kind).map(({ x, value }) => mark(x, y(value))).join('')
  const failed = points.filter(({ kind }) => kind === 'failed').map(({ time }) => cross(scale.x(time), bottom - 4))
  return svg`<g class="band">
    ${ticks.map((tick) => svg`
      <line class="grid" x1=${plot.left} x2=${scale.right} y1=${y(tick)} y2=${y(tick)} />
      ${tick === 0 ? nothing : svg`<text class="tick" x=${plot.left - 8} y=${y(tick) + 4}>${show(tick)}</text>`}`)}
    <text class="measure" x="0" y=${top + 14}>${name}</text>
    ${known.length === 0
      ? nothing
      : svg`<polygon class="area" points=${`${known[0]?.x},${bottom} ${line} ${known.at(-1)?.x},${bottom}`} />`}
    <polyline class="line" points=${line} />
    ${known.length > mostDots ? nothing : svg`<path class="dots" d=${marks('good', (x, at) => `M${x} ${at}h0`)} />`}
    <path class="missing" d=${marks('missing', square)} />
    <path class="suspect" d=${marks('suspect', triangle)} />
    <path class="failed" d=${failed.join('')} />
  </g>`
}

const triangle = (x: number, y: number): string => `M${x} ${y - 6}l6 11h-12z`
const square = (x: number, y: number): string => `M${x - 4} ${y - 4}h8v8h-8z`
const cross = (x: number, y: number): string => `M${x - 4} ${y - 4}l8 8m-8 0l8 -8`

/** Days between the dates of the axis, so that these do not touch each other. */
function axis (days: Day[], scale: TimeScale): SVGTemplateResult {
  const most = Math.max(2, Math.floor(scale.width / 110))
  const every = [1, 2, 7, 14, 28].find((step) => days.length / step <= most) ?? 28
  // Counted from today
  const dates = days.filter((_, index) => (days.length - 1 - index) % every === 0)
  return svg`<g>${dates.map(({ date }) => {
    const x = scale.x(date.getTime())
    return svg`<line class="grid" x1=${x} x2=${x} y1=${plot.top} y2=${cursorBottom} />
      <text class="tick date" x=${Math.min(x, scale.right - 40)} y=${cursorBottom + 16}>
        ${format.shortDay(date)}</text>`
  })}</g>`
}

/** The height of a day's field tells the states apart, too, for readers who do not see the colors. */
const shares: Record<DayState, number> = { good: 1, suspect: 0.7, missing: 0.7, failed: 0.4, none: 0.1, before: 0.1 }

function strip (days: Day[], scale: TimeScale): SVGTemplateResult {
  const width = (scale.right - plot.left) / days.length
  const gap = width > 6 ? 2 : 0.5
  return svg`<g class="days">
    <text class="measure" x="0" y=${stripTop + 15}>Days</text>
    ${days.map(({ date, state, runs }) => {
      const height = plot.strip * shares[state]
      return svg`<rect class=${state} x=${scale.x(date.getTime())} y=${stripTop + plot.strip - height}
        width=${round(width - gap)} height=${height} rx=${width > 6 && height > 4 ? 2 : 0}>
        <title>${format.day(date)}: ${stateNames[state]}${runs > 1 ? `, ${runs} runs` : ''}</title></rect>`
    })}
  </g>`
}

const stateNames: Record<DayState, string> = {
  good: 'a good snapshot',
  suspect: 'only a suspect snapshot',
  missing: 'only a snapshot whose file is missing or damaged',
  failed: 'only failed runs',
  none: 'no record: there was no run, or its snapshot was pruned',
  before: 'no record: the log begins later, or the snapshot was pruned'
}

/** Of the marks above, and of the fields of the days. */
export const legend = html`<span class="legend good">good</span> <span class="legend suspect">suspect</span>
  <span class="legend missing">file missing or damaged</span> <span class="legend failed">failed</span>
  <span class="legend none">no record</span>`

/** What the days say, in words. */
export function summarize (days: Day[]): string {
  const count = (...states: DayState[]): number => days.filter(({ state }) => states.includes(state)).length
  const others = ([['only a suspect one', 'suspect'], ['only one whose file is missing or damaged', 'missing'],
    ['only failed runs', 'failed']] as const).flatMap(([text, state]) =>
    count(state) === 0 ? [] : [`${format.count(count(state))} ${count(state) === 1 ? 'has' : 'have'} ${text}`])
  const none = count('none', 'before')
  return `${format.count(count('good'))} of the last ${format.plural(days.length, 'day')} ` +
    `${count('good') === 1 ? 'has' : 'have'} a good snapshot.` +
    (others.length === 0 ? '' : ` ${others.join(', ')}.`) +
    (none === 0
      ? ''
      : ` ${format.count(none)} ${none === 1 ? 'has' : 'have'} no record: no run, or its snapshot was pruned.`)
}

export const kindNames: Record<Point['kind'], string> = {
  good: 'completed', suspect: 'suspect', missing: 'file missing or damaged', failed: 'failed'
}
