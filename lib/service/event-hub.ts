import { EventEmitter } from 'node:events'
import type { BackupEvents } from '../../types/index.ts'

type Name = keyof BackupEvents

/** Typed events. A listener that throws never harms the run that it listens to: `onListenerError` is told. */
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
      for (const listener of emitter.rawListeners(event)) {
        try {
          listener.apply(emitter, values)
        } catch {
          onListenerError(event)
        }
      }
    },
    on: (event, listener) => { emitter.on(event, listener) },
    once: (event, listener) => { emitter.once(event, listener) },
    off: (event, listener) => { emitter.off(event, listener) }
  }
}
