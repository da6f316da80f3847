import { isVisible } from '../callers/schema-access.ts'
import { toVisible } from '../callers/visible-backups.ts'
import { pause } from '../clock.ts'
import { Aborted, ShuttingDown, TooManyStreams } from '../errors.ts'
import type { Context } from '../runs/context.ts'
import { errorText } from '../runs/public-error.ts'
import type { BackupEvents, Progress } from '../../types/index.ts'
import type { FeedEvent } from './derive-events.ts'
import { createFeedReader, type FeedReader, type Reading, type RunKey } from './feed-reader.ts'

/** An event as the caller sees it: plain data, as over HTTP. */
export interface ShownEvent { name: keyof BackupEvents, data: unknown }

/** A part of the events. */
export interface EventBatch {
  events: ShownEvent[]
  /** Everything up to here is in this batch or an earlier one; null when that is unchanged. */
  position: string | null
}

/** Who follows the events. No function may throw. */
export interface Follower {
  /** The position of the last batch that the caller has, from any replica; null to begin now. */
  after: bigint | null
  /** Ends it. */
  signal: AbortSignal
  /** The first batch comes before the call of follow() resolves. */
  onBatch: (batch: EventBatch) => void
  /** Called when the service shuts down. */
  onEnd: () => void
}

/**
 * The events of all replicas. The log is read once a second while anybody follows, and at once when this process emits
 * an event.
 */
export interface EventFeed {
  /**
   * Resolves when it has begun. A follower who continues after a position may get events again.
   * @throws FST_BACKUP_TOO_MANY_STREAMS, FST_BACKUP_SHUTTING_DOWN, or what reading the log throws
   */
  follow: (context: Context, follower: Follower) => Promise<void>
  stop: () => void
}

const pollMs = 1000
/** At the same time, in this process. */
const maxFollowers = 100

/** A follower, and its call of follow() until that settles. */
interface Following extends Follower {
  context: Context
  joining: { resolve: () => void, reject: (error: unknown) => void } | undefined
}

export function createEventFeed (context: Context): EventFeed {
  const followers = new Set<Following>()
  const reader = createFeedReader(context.log)
  const poller = createPoller(context, followers, reader)

  for (const name of wakingEvents) context.events.on(name, poller.wake)
  onOwnProgress(context, (run, progress) => {
    const event = reader.ownProgress(run, progress)
    if (event === undefined) return
    for (const follower of followers) passEvents(follower, [event], null)
  })

  return {
    async follow (caller, follower) {
      if (followers.size >= maxFollowers) throw new TooManyStreams()
      const following: Following = { ...follower, context: caller, joining: undefined }
      await new Promise<void>((resolve, reject) => {
        following.joining = { resolve, reject }
        followers.add(following)
        follower.signal.addEventListener('abort', () => {
          followers.delete(following)
          following.joining?.reject(new Aborted('by the caller'))
          poller.wake()
        }, { once: true })
        poller.wake()
      })
    },
    stop () {
      for (const { joining, onEnd } of followers) {
        joining?.reject(new ShuttingDown())
        onEnd()
      }
      followers.clear()
      poller.wake()
    }
  }
}

/** Calls the function with the progress of the runs of this process. */
function onOwnProgress ({ events }: Context, pass: (run: RunKey, progress: Progress) => void): void {
  events.on('backup:progress', ({ id, progress }) => { pass({ name: 'backup:progress', id }, progress) })
  events.on('restore:progress', ({ id, schema, progress }) => {
    pass({ name: 'restore:progress', id, schema }, progress)
  })
}

/** Reads the log for the followers while there are any. */
interface Poller {
  /** Reads at once, and again if it is reading. */
  wake: () => void
}

function createPoller ({ clock, logger }: Context, followers: Set<Following>, reader: FeedReader): Poller {
  let waiting = new AbortController()
  let isReported = false
  let working: Promise<void> | undefined

  async function poll (): Promise<void> {
    const present = [...followers]
    try {
      const reading = await reader.read(oldestPosition(present))
      for (const follower of present) if (followers.has(follower)) pass(follower, reading)
      isReported = false
    } catch (error) {
      for (const follower of present.filter(({ joining }) => joining !== undefined)) {
        followers.delete(follower)
        follower.joining?.reject(error)
      }
      if (!isReported && followers.size > 0) {
        logger.warn({ reason: errorText(error) }, 'the events of backups could not be read; retrying')
        isReported = true
      }
    }
  }

  async function work (): Promise<void> {
    while (followers.size > 0) {
      waiting = new AbortController()
      await poll()
      if (followers.size > 0) await pause(clock, pollMs, waiting.signal)
    }
    reader.forget()
    working = undefined
  }

  return {
    wake () {
      waiting.abort()
      if (followers.size > 0) working ??= work()
    }
  }
}

/** After these the log has something new. */
const wakingEvents = [
  'backup:started', 'backup:completed', 'backup:failed', 'backup:pruned', 'restore:started', 'restore:completed',
  'restore:failed'
] as const

/** The oldest position that a new follower continues after. */
const oldestPosition = (followers: Following[]): bigint | null => followers
  .flatMap(({ joining, after }) => joining === undefined || after === null ? [] : [after])
  .sort((a, b) => Number(a - b))[0] ?? null

function pass (follower: Following, { fresh, since, position }: Reading): void {
  const { joining, after } = follower
  if (joining === undefined) return passEvents(follower, fresh, position)
  passEvents(follower, after === null ? [] : since(after), position)
  follower.joining = undefined
  joining.resolve()
}

/** Checks for each event whether the caller may see it, since the application's function may change its mind. */
function passEvents ({ context, joining, onBatch }: Following, events: FeedEvent[], position: bigint | null): void {
  const shown = events.filter(({ schemas }) => schemas.every((schema) => isVisible(context, schema)))
    .map(({ name, data }) => ({ name, data: data((logged) => toVisible(context, logged)) }))
  const isFirst = joining !== undefined
  if (isFirst || shown.length > 0) onBatch({ events: shown, position: position === null ? null : String(position) })
}
