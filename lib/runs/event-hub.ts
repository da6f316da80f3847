import { EventEmitter } from 'node:events'
import type { BackupEvents, BackupService } from '../../types/index.ts'

type Name = keyof BackupEvents

/** Typed events. A listener that throws or rejects never fails the run that emits: `onListenerError` is called. */
export interface EventHub {
  emit: <E extends Name>(event: E, ...values: Parameters<BackupEvents[E]>) => void
  on: <E extends Name>(event: E, listener: BackupEvents[E]) => void
  once: <E extends Name>(event: E, listener: BackupEvents[E]) => void
  off: <E extends Name>(event: E, listener: BackupEvents[E]) => void
}

export function createEventHub (onListenerError: (event: Name) => void): EventHub {
  const emitter = new EventEmitter()
  return {
    emit (event, ...values) {
      const onError = (): void => { onListenerError(event) }
      for (const listener of emitter.rawListeners(event)) callSafely(() => listener.apply(emitter, values), onError)
    },
    on: (event, listener) => { emitter.on(event, listener) },
    once: (event, listener) => { emitter.once(event, listener) },
    off: (event, listener) => { emitter.off(event, listener) }
  }
}

type Listening = Pick<BackupService, 'on' | 'once' | 'off'>

/**
 * The methods of a service that add and remove listeners.
 * @param service returns the service, for chaining
 */
export function listenersOf (events: Pick<EventHub, keyof Listening>, service: () => BackupService): Listening {
  return {
    on (event, listener) {
      events.on(event, listener)
      return service()
    },
    once (event, listener) {
      events.once(event, listener)
      return service()
    },
    off (event, listener) {
      events.off(event, listener)
      return service()
    }
  }
}

/** Calls a function of the application, which may be async: an unhandled rejection would end the process. */
export function callSafely (call: () => unknown, onError: () => void): void {
  try {
    Promise.resolve(call()).catch(onError)
  } catch {
    onError()
  }
}
