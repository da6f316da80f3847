import type { Progress } from '../../types/index.ts'

/**
 * What the code that reads or writes a snapshot knows about its progress. It knows the current phase, and neither the
 * size of the file nor the other phases of its run.
 */
export interface PhaseProgress extends Omit<Progress, 'bytesTotal' | 'percent' | 'etaMs'> {
  /** Of the part of the file that the phase reads. Absent if it reads or writes the complete file. */
  bytesTotal?: number
}

export type OnPhaseProgress = (progress: PhaseProgress) => void
