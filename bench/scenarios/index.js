import { create, manyTables } from './create.js'
import { download } from './download.js'
import { footprint, largeValue } from './footprint.js'
import { host } from './host.js'
import { restore, restoreConstrained } from './restore.js'
/** @import { Scenario } from '../bench.js' */

/** Those that read first: a restore leaves rows that have not been read since they were written. @type {Scenario[]} */
export const scenarios = [create, manyTables, download, footprint, largeValue, host, restore, restoreConstrained]
