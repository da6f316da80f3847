// Coverage is measured for the library only, whichever test runs: for its compiled files, and reported for their
// sources.
export default () => ['dist/lib/**/*.js', 'dist/types/**/*.js', 'lib/**/*.ts', 'types/**/*.ts']
