import { html, nothing, svg, type TemplateResult } from 'lit-html'
import { guard } from 'lit-html/directives/guard.js'
import { View } from '../elements/view.ts'
import * as format from '../format.ts'
import { snapshotHref } from '../routes.ts'
import {
  chartHeight, cursorBottom, drawHistory, kindNames, legend, measures, summarize, TimeScale
} from './history-drawing.ts'
import { nearestIndex, type Point, toDays } from './history.ts'

/** In pixels, from the pointer to a run. */
const reach = 30

/**
 * Size, rows and duration of the runs over time, one above the other, and below them a strip with a field for each day.
 * Arrow keys and the pointer select a run.
 */
export class HistoryChart extends View {
  #points: Point[] = []
  #days = 1
  #selected: number | null = null
  #width = 700
  #layout = layOut([], 1, this.#width)
  readonly #observer = new ResizeObserver(([entry]) => {
    const width = Math.max(280, Math.round(entry?.contentRect.width ?? 0))
    if (width === this.#width) return
    this.#width = width
    this.#relayout()
  })

  /** The selected run stays selected when the history is loaded again. */
  set points (points: Point[]) {
    const selected = this.#points[this.#selected ?? -1]?.backup.id
    const index = points.findIndex(({ backup }) => backup.id === selected)
    this.#points = points
    this.#selected = index === -1 ? null : index
    this.#relayout()
  }

  /** How many days to show, in the zone of the reader, with today. */
  set days (days: number) {
    this.#days = days
    this.#relayout()
  }

  override connectedCallback (): void {
    super.connectedCallback()
    this.#observer.observe(this)
  }

  override disconnectedCallback (): void {
    super.disconnectedCallback()
    this.#observer.disconnect()
  }

  /** After a change of what is shown, and not for each move of the pointer. */
  #relayout (): void {
    this.#layout = layOut(this.#points, this.#days, this.#width)
    this.update()
  }

  template (): TemplateResult {
    const layout = this.#layout
    const selected = this.#points[this.#selected ?? -1]
    const x = layout.xs[this.#selected ?? -1]
    return html`
      <svg viewBox="0 0 ${this.#width} ${chartHeight}" width=${this.#width} height=${chartHeight} tabindex="0"
        role="application" aria-roledescription="chart" aria-label=${layout.label}
        @pointermove=${(event: PointerEvent) => { this.#select(nearestIndex(layout.xs, event.offsetX, reach)) }}
        @pointerleave=${() => { this.#select(null) }}
        @click=${() => { this.#open() }}
        @blur=${() => { this.#select(null) }}
        @keydown=${(event: KeyboardEvent) => { this.#onKey(event) }}>
        ${guard([layout], () => drawHistory(this.#points, layout.days, layout.scale))}
        ${x === undefined ? nothing : svg`<line class="cursor" x1=${x} x2=${x} y1="0" y2=${cursorBottom} />`}
      </svg>
      <p class="chart-detail" aria-live="polite">${selected === undefined ? legend : describe(selected)}</p>
      <p class="hint">${layout.summary}</p>`
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

/** What follows from the runs, the number of days and the width. */
function layOut (points: Point[], length: number, width: number): {
  days: ReturnType<typeof toDays>, scale: TimeScale, xs: number[], summary: string, label: string
} {
  const days = toDays(points, length)
  const scale = new TimeScale(days, width)
  const summary = summarize(days)
  const label = `Size, rows and duration of ${format.plural(points.length, 'run')}. ${summary} ` +
    'The arrow keys select a run, Enter opens it.'
  return { days, scale, xs: points.map(({ time }) => scale.x(time)), summary, label }
}

function describe ({ backup, kind }: Point): TemplateResult {
  const values = kind === 'failed'
    ? backup.error
    : measures.map(({ of, show, name }) => `${name.toLowerCase()} ${show(of(backup))}`).join(', ')
  return html`<b>${format.shortTime(backup.startedAt)}</b>: ${kindNames[kind]}, ${values}`
}

customElements.define('history-chart', HistoryChart)
