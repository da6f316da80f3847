// Imported by each test process before tap's own hooks; run-tap.js arranges that.
//
// tap registers hooks for loading modules in a thread of their own, to see which files a test loads. It needs them for
// --changed, which nothing here uses, and not for coverage. They doubled the start of a process to 1.5 s of CPU, and
// tap's NODE_OPTIONS repeated that in each worker thread.

import module from 'node:module'

if (process.env.TAP === '1') module.register = () => {}
delete process.env.NODE_OPTIONS
