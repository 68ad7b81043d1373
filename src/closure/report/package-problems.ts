import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { types } from 'node:util';
import type { GraphBuilder } from '../capture/graph-builder.ts';
import { ownClasses } from '../capture/package-instances.ts';
import { ownName } from '../capture/properties.ts';
import { refusalsOfText } from '../capture/refusals.ts';
import { type Path, printPath } from '../graph/path.ts';
import type { FoundProblem, Problem } from '../graph/problem.ts';
import { packageNameOf, packageRootOf } from '../heap/package-members.ts';

/** A user's object or function that a package created and that contains values that can't travel. */
interface Foreign {
  readonly at: Path;
  readonly what: string;
  /** The package, with its version. */
  readonly made: string;
  /** Code with which the user may have created it. */
  readonly maker: string;
}

/**
 * Joins the problems inside one package's object into a single problem. Its internals don't concern the user, who created it
 * and can create it in `setup` instead.
 */
export function joinProblems(builder: GraphBuilder): readonly Problem[] {
  if (builder.problems.length === 0) return [];
  const values = builder.valuesByPath();
  const joined = new Map<string, { readonly foreign: Foreign; readonly problems: FoundProblem[] }>();
  const others: Problem[] = [];
  for (const problem of builder.problems) {
    const foreign = problem.what === refusalsOfText.ourselves.what ? undefined : foreignOf(builder, values, problem.at);
    if (foreign === undefined) others.push(plain(problem));
    else {
      const group = joined.get(printPath(foreign.at)) ?? { foreign, problems: [] };
      joined.set(printPath(foreign.at), group);
      group.problems.push(problem);
    }
  }
  return [...others, ...[...joined.values()].map(({ foreign, problems }) => joinedProblem(foreign, problems))];
}

const plain = ({ path, what, fix }: Problem): Problem => ({ path, what, fix });

function stepsOf(path: Path): readonly Path[] {
  const steps: Path[] = [];
  for (let step: Path | undefined = path; step !== undefined; step = step.parent) steps.unshift(step);
  return steps;
}

/** Returns the first package object or function on the path to a value. */
function foreignOf(builder: GraphBuilder, values: ReadonlyMap<string, unknown>, path: Path): Foreign | undefined {
  for (const at of stepsOf(path)) {
    const value = values.get(printPath(at));
    if (types.isProxy(value)) continue;
    if (typeof value === 'function') {
      const made = packageOf(builder, value);
      if (made !== undefined) return { at, what: 'a function', made, maker: '…' };
    } else if (typeof value === 'object' && value !== null) {
      const foreign = foreignInstance(builder, value);
      if (foreign !== undefined) return { at, ...foreign };
    }
  }
  return undefined;
}

function foreignInstance(builder: GraphBuilder, value: object): Omit<Foreign, 'at'> | undefined {
  const { origins, inspector } = builder.sources;
  const [owner] = ownClasses(builder, value);
  const code = owner ?? methodOf(value);
  const made = code === undefined ? undefined : packageOf(builder, code);
  if (made === undefined) return undefined;
  if (owner === undefined) return { what: 'an object', made, maker: '…' };
  const { scriptId = '' } = inspector.facts(owner);
  const exported = (origins.packageFunction(owner, scriptId) ?? origins.reExported(owner))?.member.at(-1);
  const name = exported === 'default' ? ownName(owner) : exported;
  return {
    what: `an instance of ${name ?? (ownName(owner) || 'a class')}`,
    made,
    maker: name === undefined ? '…' : `new ${name}(…)`,
  };
}

/** Returns any method of an object that has no class. */
function methodOf(value: object): Function | undefined {
  const prototype = Reflect.getPrototypeOf(value);
  if (prototype === null || types.isProxy(prototype) || Reflect.getPrototypeOf(prototype) === null) return undefined;
  const members = Object.values(Object.getOwnPropertyDescriptors(prototype)).map((each): unknown => each.value);
  return members.find((each): each is Function => typeof each === 'function' && !types.isProxy(each));
}

/** Returns the name and version of the package that a function belongs to. */
function packageOf({ sources: { inspector, origins } }: GraphBuilder, fn: Function): string | undefined {
  const { scriptId } = inspector.facts(fn);
  if (scriptId === undefined || origins.owner(scriptId) !== 'package') return undefined;
  const file = origins.file(scriptId) ?? '';
  try {
    const json = readFileSync(join(packageRootOf(file) ?? '', 'package.json'), 'utf8');
    return `${packageNameOf(file)} ${(JSON.parse(json) as { version?: string }).version ?? ''}`.trim();
  } catch {
    return packageNameOf(file);
  }
}

function joinedProblem({ at, what, made, maker }: Foreign, problems: readonly FoundProblem[]): Problem {
  const path = printPath(at);
  const itself = problems.find((each) => each.path === path);
  const [first] = itself === undefined ? (problems as [FoundProblem]) : [itself];
  const inside = first.path.startsWith(path) ? first.path.slice(path.length).replace(/^ → /, '') : '';
  const more = problems.length === 1 ? '' : `, and ${problems.length - 1} more that can't travel`;
  const held = inside === '' ? first.what : `${first.what} (${inside})`;
  const name = variableOf(at);
  const example = `setup: () => ({ ${name}: ${maker} }), predict: (inputs, { ${name} }) => …`;
  const reducer = itself?.fix.includes('registerReducer') === true ? '; or say how it travels with `registerReducer`' : '';
  return {
    path,
    what: itself === undefined ? `${what} of ${made}, which holds ${held}${more}` : `${itself.what} (of ${made})`,
    fix: `create it in \`setup\`, which runs in the replica, and take it from what that returns: ${example}${reducer}`,
  };
}

/** Returns the user's variable that leads to a value. */
function variableOf(path: Path): string {
  for (let step: Path | undefined = path; step !== undefined; step = step.parent) {
    const name =
      typeof step.label === 'string' ? /^captured "([\p{ID_Start}_$][\p{ID_Continue}$]*)/u.exec(step.label)?.[1] : undefined;
    if (name !== undefined) return name;
  }
  return 'it';
}
