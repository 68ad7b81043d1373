import { dirname } from 'node:path';
import { ClipperError } from '../errors.ts';
import { resolveOptions } from '../util/options.ts';
import { findProjectDir } from '../util/package-files.ts';
import { captureFunction } from './capture/functions.ts';
import { type CaptureByValue, GraphBuilder } from './capture/graph-builder.ts';
import { captureObject } from './capture/objects.ts';
import { CaptureOptions, type CaptureWatch } from './capture/options.ts';
import { capturePatches } from './capture/patches.ts';
import { ownName } from './capture/properties.ts';
import { keptExternal } from './capture/refusals.ts';
import type { CapturedClosure } from './graph/closure.ts';
import type { Problem } from './graph/problem.ts';
import { Builtins } from './heap/builtins.ts';
import { HeapInspector } from './heap/inspector.ts';
import { Intrinsics } from './heap/intrinsics.ts';
import { LoadedModules } from './heap/loaded-modules.ts';
import { Origins } from './heap/origins.ts';
import { PackageState } from './package-state/package-state.ts';
import { joinProblems } from './report/package-problems.ts';
import { findSecrets, plainProblem } from './report/secrets.ts';

/** Functions to capture together so that they keep sharing state, keyed by their export name in the bundle. */
export type Roots = Readonly<Record<string, Function>>;

/**
 * Reads a function and everything it closes over from the running process. Runs no user code, and reads the heap synchronously.
 * Throws E_NOT_CAPTURABLE with the path to each value that can't travel.
 */
export async function captureClosure(fn: Function, options: CaptureOptions = {}): Promise<CapturedClosure> {
  if (typeof fn !== 'function') {
    throw new ClipperError('E_NOT_CAPTURABLE', `Expected a function to capture, got ${fn === null ? 'null' : typeof fn}`);
  }
  return captureRoots({ default: fn }, resolveOptions(CaptureOptions, options, 'captureClosure'));
}

/** Captures several functions as one closure. See `captureClosure`. */
export async function captureRoots(
  roots: Roots,
  options: Required<CaptureOptions>,
  watch: CaptureWatch = {},
): Promise<CapturedClosure> {
  const { captured, problems } = await readGraph(roots, options, watch);
  if (problems.length > 0) throw refusal(problems);
  return captured;
}

/** Returns the graph and the values that can't travel. */
export async function readGraph(
  roots: Roots,
  options: Required<CaptureOptions>,
  watch: CaptureWatch = {},
): Promise<{ captured: CapturedClosure; problems: readonly Problem[] }> {
  const state = new PackageState(Object.values(roots)[0] as Function);
  for (;;) {
    watch.signal?.throwIfAborted();
    using inspector = new HeapInspector();
    const origins = new Origins(inspector);
    builtins.refresh();
    const loaded = new LoadedModules(inspector, origins);
    const sources = { inspector, origins, loaded, intrinsics: intrinsicsOf(origins), builtins };
    const builder = new GraphBuilder(sources, captureByValue, capturePatches);
    state.enter(builder);
    const captured = build(builder, roots);
    // The exports of an ES module are available only through a promise. Once they are loaded, the heap is read again in a
    // single synchronous pass.
    if (origins.wanted.size > 0) await origins.learnNamespaces();
    else if (await state.isWhole(captured.packageFiles, builder, watch)) {
      return judged({ ...captured, warnings: state.warnings }, explained(builder), options);
    }
  }
}

/** Returns the problems, plus one that names the program if a package bundled into it may be the cause. */
function explained(builder: GraphBuilder): readonly Problem[] {
  const { functions, sources } = builder;
  const problems = joinProblems(builder);
  if (problems.length === 0) return problems;
  const { origins } = sources;
  const file = origins.bundledProgram(functions.map(({ scriptId }) => scriptId));
  if (file === undefined) return problems;
  return problems.map((problem) => ({ ...problem, fix: keptExternal(file, problem.fix) }));
}

/** Adds problems and warnings about credentials. */
function judged(
  captured: CapturedClosure,
  problems: readonly Problem[],
  { secrets }: Required<CaptureOptions>,
): { captured: CapturedClosure; problems: readonly Problem[] } {
  const { credentials, environments } = findSecrets(captured);
  const found = secrets === 'allow' ? [] : credentials;
  const warnings = [...captured.warnings, ...(secrets === 'warn' ? found.map(plainProblem) : [])];
  const refused = [...environments, ...(secrets === 'refuse' ? found : [])].map(plainProblem);
  return { captured: { ...captured, secrets: [...environments, ...found], warnings }, problems: [...problems, ...refused] };
}

/** Does the slow part of a process's first capture ahead of time. */
export function prepareCapture(): void {
  using inspector = new HeapInspector();
  intrinsicsOf(new Origins(inspector));
  inspector.script('');
}

const captureByValue: CaptureByValue = (builder, value, path) =>
  typeof value === 'function' ? captureFunction(builder, value, path) : captureObject(builder, value, path);

function build(builder: GraphBuilder, roots: Roots): CapturedClosure {
  const values = Object.entries(roots).map(([name, fn]) => {
    const own = ownName(fn);
    const isNamed = own !== '' && own !== 'default';
    const label = isNamed ? own : name === 'default' ? 'function' : name;
    return [name, builder.value(fn, { parent: undefined, label })] as const;
  });
  builder.state?.carry();
  builder.finish();
  return {
    roots: new Map(values),
    functions: builder.functions,
    data: builder.data,
    live: builder.live,
    extras: [...builder.extras, ...(builder.state?.found ?? []), ...(builder.state?.changes ?? [])],
    evaluated: builder.evaluated,
    changes: builder.state?.changes ?? [],
    wholeModules: builder.wholeModules(),
    warnings: [],
    secrets: [],
    projectDir: projectDirOf(builder, roots),
    packageFiles: builder.sources.loaded.of(builder.packageRoots()),
  };
}

/** Returns the package folder of the file that defines the first root, or of the working directory if no root has a file. */
function projectDirOf({ sources: { inspector, origins } }: GraphBuilder, roots: Roots): string {
  for (const fn of Object.values(roots)) {
    const { scriptId } = inspector.facts(fn);
    const file = scriptId === undefined ? undefined : origins.file(scriptId);
    if (file !== undefined) return findProjectDir(dirname(file));
  }
  return findProjectDir(process.cwd());
}

const builtins = new Builtins();
let intrinsics: Intrinsics | undefined;
let reader: Origins;

/** Intrinsics are the same for the whole process, so they are indexed once. */
function intrinsicsOf(origins: Origins): Intrinsics {
  reader = origins;
  intrinsics ??= new Intrinsics((fn) => reader.isOfNode(fn));
  return intrinsics;
}

function refusal(problems: readonly Problem[]): ClipperError {
  const [only] = problems;
  if (only !== undefined && problems.length === 1) {
    const { path, what, fix } = only;
    return new ClipperError('E_NOT_CAPTURABLE', `A captured value can't travel to a replica:\n  ${path}: ${what}`, { fix });
  }
  const shown = problems.slice(0, 20);
  const lines = shown.map(({ path, what, fix }) => `  ${path}: ${what}.\n    Fix: ${fix}.`);
  if (shown.length < problems.length) lines.push(`  … and ${problems.length - shown.length} more`);
  return new ClipperError(
    'E_NOT_CAPTURABLE',
    `${problems.length} captured values can't travel to a replica:\n${lines.join('\n')}`,
  );
}
