import type { Typed } from './typed-into.ts';

/** The major versions of Node that are supported. */
export const nodeVersions = [20, 22, 24, 26] as const;

/** A way to run a program that deploys functions. */
export interface Way {
  /** As docs/13-where-it-runs.md has it. */
  readonly name: string;
  /** Programs and their arguments, run one after the other in the folder of the project. `node` is the Node that runs the tests. */
  readonly steps: readonly (readonly string[])[];
  /** The first major version of Node that has it. */
  readonly since?: number;
  /** What is typed into the last of the programs. */
  readonly typed?: readonly Typed[];
}

const tsx = ['--import', 'tsx'];
const esbuild = ['node_modules/.bin/esbuild', 'main.ts', '--bundle', '--platform=node', '--packages=external', '--sourcemap'];
const isNew = Number(process.versions.node.split('.')[0]) > 24;
const permissions = ['fs-read=*', 'fs-write=*', 'child-process', 'worker', 'addons', 'inspector', ...(isNew ? ['net'] : [])];

/** Every way that the documentation names. Each runs fixtures/programs/story.ts. */
export const ways: readonly Way[] = [
  { name: 'tsx', steps: [['node', ...tsx, 'main.ts']] },
  { name: 'the type stripping of Node', since: 22, steps: [['node', 'main.ts']] },
  { name: 'tsc', steps: [['node', 'compiled/main.js']] },
  {
    name: 'a bundle of esbuild, packages external',
    steps: [
      [...esbuild, '--format=esm', '--outfile=bundled/main.mjs'],
      ['node', 'bundled/main.mjs'],
    ],
  },
  {
    name: 'the same as CommonJS',
    steps: [
      [...esbuild, '--format=cjs', '--outfile=bundled/main.cjs'],
      ['node', 'bundled/main.cjs'],
    ],
  },
  { name: 'ts-node', steps: [['node', 'node_modules/ts-node/dist/bin.js', 'main.ts']] },
  { name: 'vitest', steps: [['node', 'node_modules/vitest/vitest.mjs', 'run', 'vitest.test.ts']] },
  {
    name: 'vitest, pool vmThreads',
    steps: [['node', 'node_modules/vitest/vitest.mjs', 'run', '--pool=vmThreads', 'vitest.test.ts']],
  },
  { name: 'jest', steps: [['node', 'node_modules/jest/bin/jest.js', '--config', 'jest.config.json', '--no-cache']] },
  { name: 'node --test', steps: [['node', ...tsx, '--test', 'node.test.ts']] },
  { name: 'worker threads', steps: [['node', 'worker.mjs']] },
  {
    name: 'a debugger attached, from the start',
    steps: [['node', 'inspect', '--port=0', ...tsx, 'main.ts']],
    typed: [
      ['Break on start', 'cont'],
      ['Waiting for the debugger to disconnect', '.exit'],
    ],
  },
  {
    name: 'the permission model, with --allow-inspector',
    since: 24,
    steps: [['node', '--permission', ...permissions.map((name) => `--allow-${name}`), 'compiled/main.js']],
  },
];
