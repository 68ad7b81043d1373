const { availableParallelism } = require('node:os');
const { dirname, join } = require('node:path');

const rootDir = dirname(__dirname);
// The programs, servers and replicas of tests are compiled once, from Node 22 on.
process.env.NODE_COMPILE_CACHE ??= join(rootDir, 'node_modules', '.cache', 'node');

const shared = {
  rootDir,
  roots: ['<rootDir>/test'],
  testEnvironment: 'node',
  transform: { '\\.[jt]s$': '<rootDir>/test/esbuild-transform.cjs' },
  transformIgnorePatterns: ['/node_modules/(?!yocto)', '/dist/'],
};

/** What replicas do in the time that they have is measured: other tests would take that time from them. */
const timed = ['serving/chaos', 'serving/fairness', 'serving/overload'];

module.exports = {
  rootDir,
  testTimeout: 60_000,
  // Most tests wait for processes and containers.
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
  // Jest never lets go of the modules of a test.
  workerIdleMemoryLimit: '800MB',
  projects: [
    {
      ...shared,
      displayName: 'tests',
      testMatch: ['**/*.test.ts'],
      testPathIgnorePatterns: timed.map((name) => `/test/${name}\\.test\\.ts$`),
    },
    {
      ...shared,
      displayName: 'timed',
      testMatch: timed.map((name) => `**/test/${name}.test.ts`),
      runner: '<rootDir>/test/helpers/serial-runner.cjs',
    },
  ],
};
