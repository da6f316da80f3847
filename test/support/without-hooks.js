// Imported by each test process before tap's own hooks; run-tap.js arranges that.
//
// tap registers hooks for loading modules in a thread of their own, to see which files a test loads. It needs them for
// --changed, which nothing here uses, and not for coverage. They doubled the start of a process to 1.5 s of CPU, and
// tap's NODE_OPTIONS repeated that in each worker thread.
//
// It also follows each promise and each handle, to tell which subtest an error in a callback belongs to. That took a
// tenth of the CPU time of the tests. Such an error now fails the whole file, with its stack.

import hooks from 'node:async_hooks'
import module, { syncBuiltinESMExports } from 'node:module'

if (process.env.TAP === '1') {
  module.register = () => {}
  const hook = { enable: () => hook, disable: () => hook }
  hooks.createHook = () => hook
  syncBuiltinESMExports()
}
delete process.env.NODE_OPTIONS
