import { constants, setPriority } from 'node:os'

/**
 * Lets the threads that serve go first where there is too little for all, and costs nothing where there is enough. On Linux a thread has a
 * priority of its own (setpriority(2), "C library/kernel differences"); elsewhere it would be that of the whole service.
 */
export function lowerPriority (platform = process.platform, set: (pid: number, priority: number) => void = setPriority): void {
  if (platform !== 'linux') return
  try {
    set(0, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // Not allowed in this sandbox: the run is none the worse for it
  }
}
