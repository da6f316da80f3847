import { html, nothing, svg, type SVGTemplateResult, type TemplateResult } from 'lit-html'
import type { Backup } from '../../../types/index.ts'
import { View } from '../elements/view.ts'
import * as format from '../format.ts'
import { snapshotHref } from '../routes.ts'
import { type Day, niceScale, type Point, toDays } from './history.ts'

interface Measure { name: string, of: (backup: Backup) => number | null, show: (value: number | null) => string }

const measures: Measure[] = [
  { name: 'Size', of: ({ sizeBytes }) => sizeBytes, show: format.bytes },
  { name: 'Rows', of: ({ rowCount }) => rowCount, show: format.count },
  { name: 'Duration', of: ({ durationMs }) => durationMs, show: format.duration }
]

const plot = { left: 76, right: 14, top: 26, height: 80, strip: 18, axis: 22 }
const band = plot.top + plot.height

/**
 * Size, rows and duration of the runs over time, one above the other, and below them a strip with a field for each day.
 * Arrow keys and the pointer select a run.
 */
export class HistoryChart extends View {
  #points: Point[] = []
  #days = 1
  #selected: number | null = null
  #width = 700
  readonly #observer = new ResizeObserver(([entry]) => {
    this.#width = Math.max(280, Math.round(entry?.contentRect.width ?? 0))
    this.update()
  })

  /** The selected run stays selected when the history is loaded again. */
  set points (points: Point[]) {
    const selected = this.#points[this.#selected ?? -1]?.backup.id
    const index = points.findIndex(({ backup }) => backup.id === selected)
    this.#points = points
    this.#selected = index === -1 ? null : index
    this.update()
  }

  /** How many days to show, in the zone of the reader, with today. */
  set days (days: number) {
    this.#days = days
    this.update()
  }

  override connectedCallback (): void {
    super.connectedCallback()
    this.#observer.observe(this)
  }

  override disconnectedCallback (): void {
    super.disconnectedCallback()
    this.#observer.disconnect()
  }

  template (): TemplateResult {
    const stripTop = measures.length * band + plot.top
    const height = stripTop + plot.strip + plot.axis
    const selected = this.#points[this.#selected ?? -1]
    const days = toDays(this.#points, this.#days)
    return html`
      <svg viewBox="0 0 ${this.#width} ${height}" width=${this.#width} height=${height} tabindex="0" role="application"
        aria-roledescription="chart" aria-label=${this.#label(days)}
        @pointermove=${(event: PointerEvent) => { this.#selectAt(event) }}
        @pointerleave=${() => { this.#select(null) }}
        @click=${() => { this.#open() }}
        @blur=${() => { this.#select(null) }}
        @keydown=${(event: KeyboardEvent) => { this.#onKey(event) }}>
        ${measures.map((measure, index) => this.#band(measure, index * band))}
        ${this.#axis(stripTop + plot.strip)}
        ${this.#strip(days, stripTop)}
        ${selected === undefined
          ? nothing
          : vertical('cursor', this.#x(selected), stripTop + plot.strip)}
      </svg>
      <p class="chart-detail" aria-live="polite">${selected === undefined ? legend : describe(selected)}</p>
      <p class="hint">${goodDays(days)}</p>`
  }

  #label (days: Day[]): string {
    return `Size, rows and duration of ${format.plural(this.#points.length, 'run')}. ${goodDays(days)} ` +
      'The arrow keys select a run, Enter opens it.'
  }

  get #from (): number {
    const now = new Date()
    return new Date(now.getFullYear(), now.getMonth(), now.getDate() - this.#days + 1).getTime()
  }

  get #to (): number {
    const now = new Date()
    return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1).getTime()
  }

  #x ({ time }: { time: number }): number {
    const inner = this.#width - plot.left - plot.right
    return Math.round((plot.left + (time - this.#from) / (this.#to - this.#from) * inner) * 10) / 10
  }

  #band ({ name, of, show }: Measure, top: number): SVGTemplateResult {
    const known = this.#points.flatMap((point) => {
      const value = of(point.backup)
      return value === null || point.kind === 'failed' ? [] : [{ ...point, value }]
    })
    const { max, ticks } = niceScale(known.map(({ value }) => value))
    const bottom = top + plot.top + plot.height
    const y = (value: number): number => Math.round((bottom - value / max * plot.height) * 10) / 10
    const line = known.map((point) => `${this.#x(point)},${y(point.value)}`).join(' ')
    const failed = this.#points.filter(({ kind }) => kind === 'failed')
    return svg`<g class="band">
      ${ticks.map((tick) => svg`
        <line class="grid" x1=${plot.left} x2=${this.#width - plot.right} y1=${y(tick)} y2=${y(tick)} />
        ${tick === 0 ? nothing : svg`<text class="tick" x=${plot.left - 8} y=${y(tick) + 4}>${show(tick)}</text>`}`)}
      <text class="measure" x="0" y=${top + 14}>${name}</text>
      <polyline class="line" points=${line} />
      ${known.length > 120
? nothing
: known.filter(({ kind }) => kind === 'good').map((point) =>
        svg`<circle class="dot" cx=${this.#x(point)} cy=${y(point.value)} r="2" />`)}
      ${known.filter(({ kind }) => kind === 'suspect').map((point) => {
        const [x, at] = [this.#x(point), y(point.value)]
        return svg`<path class="suspect" d=${`M${x} ${at - 6} L${x + 6} ${at + 5} L${x - 6} ${at + 5} Z`} />`
      })}
      ${failed.map((point) => {
        const x = this.#x(point)
        return svg`<path class="failed" d=${`M${x - 4} ${bottom - 8} l8 8 m-8 0 l8 -8`} />`
      })}
    </g>`
  }

  #axis (top: number): SVGTemplateResult {
    const months = monthsBetween(this.#from, this.#to)
    return svg`<g>${months.map((date) => svg`
      ${vertical('grid', this.#x({ time: date.getTime() }), top)}
      <text class="tick month" x=${this.#x({ time: date.getTime() })} y=${top + 14}>${monthName(date)}</text>`)}</g>`
  }

  #strip (days: Day[], top: number): SVGTemplateResult {
    const width = (this.#width - plot.left - plot.right) / days.length
    const gap = width > 6 ? 2 : 0.5
    return svg`<g class="days">
      <text class="measure" x="0" y=${top + 13}>Days</text>
      ${days.map(({ date, state, runs }) => svg`<rect class=${state} x=${this.#x({ time: date.getTime() })} y=${top}
        width=${Math.round((width - gap) * 10) / 10} height=${plot.strip} rx=${width > 6 ? 2 : 0}>
        <title>${format.day(date)}: ${stateNames[state]}${runs > 1 ? `, ${runs} runs` : ''}</title></rect>`)}
    </g>`
  }

  #selectAt ({ offsetX }: PointerEvent): void {
    const distances = this.#points.map((point) => Math.abs(this.#x(point) - offsetX))
    const nearest = distances.indexOf(Math.min(...distances))
    this.#select(nearest === -1 || (distances[nearest] ?? 0) > 30 ? null : nearest)
  }

  #select (index: number | null): void {
    if (index === this.#selected) return
    this.#selected = index
    this.update()
  }

  #onKey (event: KeyboardEvent): void {
    const last = this.#points.length - 1
    const current = this.#selected ?? (event.key === 'ArrowRight' ? -1 : last + 1)
    const next = { ArrowLeft: current - 1, ArrowRight: current + 1, Home: 0, End: last }[event.key]
    if (next !== undefined && last >= 0) {
      event.preventDefault()
      this.#select(Math.min(last, Math.max(0, next)))
    } else if (event.key === 'Enter') {
      this.#open()
    }
  }

  #open (): void {
    const selected = this.#points[this.#selected ?? -1]
    if (selected !== undefined) location.hash = snapshotHref(selected.backup.id)
  }
}

const vertical = (className: string, x: number, bottom: number): SVGTemplateResult =>
  svg`<line class=${className} x1=${x} x2=${x} y1="0" y2=${bottom} />`

const legend = html`<span class="legend good">completed</span> <span class="legend suspect">▲ suspect</span>
  <span class="legend failed">✕ failed</span>`

const stateNames: Record<Day['state'], string> = {
  good: 'a good snapshot', suspect: 'only a suspect snapshot', failed: 'only failed runs', none: 'no run'
}

const goodDays = (days: Day[]): string => {
  const good = days.filter(({ state }) => state === 'good').length
  return `${format.count(good)} of the last ${format.plural(days.length, 'day')} have a good snapshot.`
}

function describe ({ backup, kind }: Point): TemplateResult {
  const values = kind === 'failed'
    ? backup.error
    : measures.map(({ of, show, name }) =>
    `${name.toLowerCase()} ${show(of(backup))}`).join(', ')
  return html`<b>${format.shortTime(backup.startedAt)}</b>: ${kind === 'good' ? 'completed' : kind}, ${values}`
}

const monthName = (date: Date): string => new Intl.DateTimeFormat(undefined, { month: 'short' }).format(date)

/** The first day of each month within these times. */
function monthsBetween (from: number, to: number): Date[] {
  const start = new Date(from)
  const firsts = Array.from({ length: 5 }, (_, index) => new Date(start.getFullYear(), start.getMonth() + 1 + index, 1))
  return firsts.filter((date) => date.getTime() < to)
}

customElements.define('history-chart', HistoryChart)
