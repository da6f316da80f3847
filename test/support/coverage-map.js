// Coverage is measured for the library only, whichever test runs.
export default () => ['lib/**/*.ts', 'types/**/*.ts']
