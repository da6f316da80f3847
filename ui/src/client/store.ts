import type { Backup, Progress, RestoreResult, Status } from '../../../types/index.ts'
import { Api, ApiError } from './api.ts'
import { followEvents } from './follow-events.ts'

/** What the page does with a run. `restore` is of the snapshot with that id. */
export type RunKind = 'backup' | 'restore'

export interface Run {
  id: string
  kind: RunKind
  schema: string
  trigger: string
  startedAt: string
  progress: Progress | null
  /** Bytes a second of the current phase, from the last two reports; null when it is not known. */
  rate: number | null
  /** When `progress` arrived, for the rate. */
  at: number
}

/** The end of a run, kept for the dialog or the panel that shows it. */
export type Outcome =
  { kind: 'completed', result: RestoreResult | null, preRestoreId: string | null } |
  { kind: 'failed', message: string, code: string, preRestoreId: string | null }

export interface Notice { id: number, tone: 'good' | 'bad', text: string }

export type Access = 'unknown' | 'granted' | 'needed' | 'refused'

const pollMs = 2000
const idlePollMs = 30_000
const noticeMs = 8000
const touchMs = 1000

/** The state that several parts of the page share. Dispatches `change` after each change. */
export class Store extends EventTarget {
  readonly api = new Api()
  access: Access = 'unknown'
  /** Why the token was refused. */
  accessError: string | null = null
  status: Status | null = null
  statusError: ApiError | null = null
  readonly runs = new Map<string, Run>()
  readonly outcomes = new Map<string, Outcome>()
  notices: Notice[] = []
  /** Changes when the list of backups may have changed. */
  revision = 0
  isConnected = false
  #polling: ReturnType<typeof setTimeout> | undefined
  #following = new AbortController()
  #notice = 0
  #touching: ReturnType<typeof setTimeout> | undefined
  #touchedAt = -touchMs

  constructor () {
    super()
    this.api.onUnauthorized = () => { this.signOut(this.api.token === null ? null : 'The token was refused.') }
  }

  /** Requests the status, and follows the events if that is allowed. */
  async start (): Promise<void> {
    await this.refresh()
    if (this.access !== 'granted') return
    this.#following.abort()
    this.#following = new AbortController()
    void followEvents(this.api, {
      onEvent: (name, data) => { this.#onEvent(name, data) },
      onConnection: (isConnected) => {
        this.isConnected = isConnected
        void this.refresh()
      }
    }, this.#following.signal)
  }

  signIn (token: string): Promise<void> {
    this.api.token = token
    this.accessError = null
    return this.start()
  }

  signOut (reason: string | null): void {
    this.#following.abort()
    clearTimeout(this.#polling)
    this.api.token = null
    this.access = 'needed'
    this.accessError = reason
    this.status = null
    this.runs.clear()
    this.#changed()
  }

  async refresh (): Promise<void> {
    clearTimeout(this.#polling)
    try {
      this.status = await this.api.status()
      this.access = 'granted'
      this.statusError = null
      this.#takeRuns(this.status.running)
    } catch (error) {
      this.statusError = error instanceof ApiError ? error : new ApiError(0, { message: String(error) })
      if (this.statusError.status === 401) return
      if (this.statusError.status === 403) this.access = 'refused'
    }
    this.#changed()
    clearTimeout(this.#polling)
    const pollAfterMs = this.runs.size > 0 && !this.isConnected ? pollMs : idlePollMs
    this.#polling = setTimeout(() => { void this.refresh() }, pollAfterMs)
  }

  notify (tone: Notice['tone'], text: string): void {
    const notice = { id: ++this.#notice, tone, text }
    this.notices = [...this.notices, notice].slice(-4)
    // An error stays until it is closed
    if (tone === 'good') setTimeout(() => { this.dismiss(notice.id) }, noticeMs)
    this.#changed()
  }

  dismiss (id: number): void {
    this.notices = this.notices.filter((notice) => notice.id !== id)
    this.#changed()
  }

  /** After something has changed. At most once a second, because a schedule may begin many runs at the same time. */
  touch (): void {
    if (this.#touching !== undefined) return
    const sinceLast = performance.now() - this.#touchedAt
    this.#touching = setTimeout(() => {
      this.#touching = undefined
      this.#touchedAt = performance.now()
      this.revision += 1
      void this.refresh()
    }, Math.max(0, touchMs - sinceLast))
  }

  /** A run that this page has begun, before the status has it. */
  begin (backup: Backup, kind: RunKind): void {
    this.#addRun(kind, backup)
    this.touch()
  }

  runOf (kind: RunKind, id: string): Run | undefined {
    return this.runs.get(`${kind} ${id}`)
  }

  outcomeOf (kind: RunKind, id: string): Outcome | undefined {
    return this.outcomes.get(`${kind} ${id}`)
  }

  #addRun (kind: RunKind, { id, schema, trigger, startedAt, restore, progress }: Backup): void {
    const key = `${kind} ${id}`
    if (!this.runs.has(key)) {
      const since = kind === 'restore' ? restore?.startedAt ?? new Date().toISOString() : startedAt
      this.outcomes.delete(key)
      this.runs.set(key, { id, kind, schema, trigger, startedAt: since, progress: null, rate: null, at: 0 })
    }
    if (progress !== undefined) this.#takeProgress(key, progress)
  }

  #takeRuns (running: Backup[]): void {
    const present = new Set<string>()
    for (const backup of running) {
      const kind = backup.status === 'running' ? 'backup' : 'restore'
      // The snapshot before a restore is a part of it
      if (backup.trigger === 'pre_restore' && kind === 'backup') continue
      present.add(`${kind} ${backup.id}`)
      this.#addRun(kind, backup)
    }
    const ended = [...this.runs.values()].filter(({ kind, id }) => !present.has(`${kind} ${id}`))
    for (const run of ended) void this.#ended(run)
  }

  /** A run that the status no longer contains, and whose event was missed. */
  async #ended ({ kind, id, schema }: Run): Promise<void> {
    const key = `${kind} ${id}`
    if (!this.runs.delete(key)) return
    const backup = await this.api.get(id).catch(() => null)
    if (backup === null || this.outcomes.has(key)) return
    const { restore } = backup
    const [failed, error] = kind === 'restore'
      ? [restore?.status === 'failed', restore?.error ?? null]
      : [backup.status === 'failed', backup.error]
    this.#finish(kind, id, schema, failed
      ? { kind: 'failed', message: error ?? '', code: '', preRestoreId: restore?.preRestoreId ?? null }
      : { kind: 'completed', result: null, preRestoreId: restore?.preRestoreId ?? null })
  }

  #takeProgress (key: string, progress: Progress): void {
    const run = this.runs.get(key)
    if (run === undefined) return
    const now = performance.now()
    const before = run.progress
    const isSamePhase = before !== null && before.phase === progress.phase && progress.bytes >= before.bytes
    if (isSamePhase && now - run.at > 200 && progress.bytes > before.bytes) {
      const rate = (progress.bytes - before.bytes) / (now - run.at) * 1000
      run.rate = run.rate === null ? rate : run.rate * 0.6 + rate * 0.4
    } else if (!isSamePhase) {
      run.rate = null
    }
    run.progress = progress
    run.at = now
  }

  #onEvent (name: string, data: any): void {
    const kind: RunKind = name.startsWith('restore:') ? 'restore' : 'backup'
    switch (name.slice(name.indexOf(':') + 1)) {
      case 'progress': this.#takeProgress(`${kind} ${data.id}`, data.progress); break
      case 'started':
        if (kind === 'backup') this.#addRun(kind, data)
        this.touch()
        break
      case 'completed':
        this.#finish(kind, data.id, data.schema, {
          kind: 'completed', result: kind === 'restore' ? data : null, preRestoreId: data.preRestoreId ?? null
        })
        break
      case 'failed':
        this.#finish(kind, data.id, data.schema, {
          kind: 'failed', message: data.error.message, code: data.error.code ?? '', preRestoreId: null
        })
        break
      default: this.touch()
    }
    this.#changed()
  }

  #finish (kind: RunKind, id: string, schema: string, outcome: Outcome): void {
    const key = `${kind} ${id}`
    this.runs.delete(key)
    const known = this.outcomes.get(key)
    // Of the end that the status has shown, the event has the details
    const hasDetails = outcome.kind === 'completed' && outcome.result !== null
    if (known === undefined || hasDetails) this.outcomes.set(key, outcome)
    if (known !== undefined) return
    const what = kind === 'restore' ? 'Restore' : 'Snapshot'
    if (outcome.kind === 'failed') this.notify('bad', `${what} of “${schema}” failed: ${outcome.message}`)
    else this.notify('good', `${what} of “${schema}” completed.`)
    this.touch()
  }

  #changed (): void {
    this.dispatchEvent(new Event('change'))
  }
}
