/**
 * Takes the bytes of a snapshot in their order, except the head, which is known last. Every stage of the pipeline is
 * one: it changes the bytes and passes them to the next sink.
 */
export interface ByteSink {
  /** The bytes that are stored so far, with the place that is reserved for the head. */
  readonly storedBytes: number
  /**
   * Takes the bytes that follow. Resolves when their memory may be used again and more may follow. Call it again only
   * then. After it has rejected, only idle() and discard() may be called.
   */
  write: (pieces: Uint8Array[]) => Promise<void>
  /** Takes the head, of the size that was reserved. When it resolves, the snapshot is complete and durable. */
  finish: (head: Uint8Array) => Promise<void>
  /** Resolves when nothing is in progress, whether or not it failed. */
  idle: () => Promise<void>
  /** Removes what was written. May be called at any time, and more than once. */
  discard: () => Promise<void>
}

/** @param headSize bytes to reserve for the head */
export type OpenSink = (headSize: number) => Promise<ByteSink>
