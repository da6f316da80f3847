// What tap measures, whichever test runs: the library. Not its tests and their support, nor what examples load from dist.
export default () => ['lib/**/*.ts', 'types/**/*.ts']
