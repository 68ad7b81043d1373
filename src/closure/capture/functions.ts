import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { types } from 'node:util';
import { isOwnCode } from '../../util/package-files.ts';
import { type BoundNode, type FunctionNode, isNode, type Node, type Value } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import type { Refusal } from '../graph/problem.ts';
import type { FunctionFacts } from '../heap/inspector.ts';
import { isNative } from '../heap/intrinsics.ts';
import type { FunctionSyntax } from '../syntax/syntax.ts';
import type { ModuleCall } from '../syntax/walk.ts';
import { ClassMembers } from './class-members.ts';
import { isSloppy, syntaxOf } from './function-syntax.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { captureHome, homeOf } from './home-objects.ts';
import { type FunctionAtHand, heldRequire, isRequire } from './name-uses.ts';
import { captureNative } from './natives.ts';
import { capturePackageFunction, capturePackageMethod, insideMember } from './package-functions.ts';
import { captureStaticPrivates } from './private-fields.ts';
import { fillShell, ownName } from './properties.ts';
import { refusalByKind, refusalsOfText } from './refusals.ts';
import { captureVariables } from './variables.ts';

interface Found {
  readonly facts: FunctionFacts;
  readonly path: Path;
}

/** Captures a function or class: a package's by reference, the user's own by value together with its variables. */
export function captureFunction(builder: GraphBuilder, fn: Function, path: Path): Node | undefined {
  if (types.isProxy(fn)) return builder.refuse(path, refusalByKind(fn) as Refusal);
  const facts = builder.sources.inspector.facts(fn);
  if (facts.bound !== undefined) return captureBound(builder, fn, { facts, path });
  if (isRequire(fn)) {
    const maker = 'process.getBuiltinModule("node:module").createRequire(import.meta.url)';
    return builder.register(fn, builder.intrinsic(maker, path));
  }
  const { scriptId } = facts;
  if (scriptId === undefined || isNative(fn) || builder.sources.origins.owner(scriptId) === 'node') {
    return captureNative(builder, fn, { facts, path });
  }
  const isOurs = !builder.travelling.has(fn) && isOwnCode(builder.sources.origins.file(scriptId) ?? '');
  if (isOurs) return builder.refuse(path, refusalsOfText.ourselves);
  return capturePackaged(builder, fn, { facts, path, scriptId }) ?? captureOwn(builder, fn, { facts, path, scriptId });
}

/** Captures a package's function as a reference to its place in the package. Returns undefined if it must travel by value. */
function capturePackaged(builder: GraphBuilder, fn: Function, found: Found & { scriptId: string }): Node | undefined {
  const { origins } = builder.sources;
  const { facts, path, scriptId } = found;
  if (origins.owner(scriptId) !== 'package') return undefined;
  const member = builder.asLoaded(
    fn,
    origins.packageFunction(fn, scriptId) ??
      insideMember(builder, fn, facts) ??
      (builder.patches.has(fn) ? undefined : origins.reExported(fn)),
  );
  if (member !== undefined) return capturePackageFunction(builder, fn, builder.exported(member, path));
  return capturePackageMethod(builder, fn, { facts, path }) ?? foundState(builder, fn) ?? builder.lookUpLater(scriptId, path);
}

/** Finds a function among the values that a package stores. */
function foundState(builder: GraphBuilder, fn: Function): Node | undefined {
  const found = builder.state?.find(fn);
  return found === undefined ? undefined : builder.register(fn, found);
}

function captureOwn(builder: GraphBuilder, fn: Function, found: Found & { scriptId: string }): Node | undefined {
  const { facts, path, scriptId } = found;
  const syntax = syntaxOf(builder, fn, facts);
  if (syntax === undefined) return builder.refuse(path, refusalsOfText.unreadable(Function.prototype.toString.call(fn)));
  const home = syntax.form === 'method' ? homeOf(builder, fn, facts) : undefined;
  // A method belongs to its class and is registered along with it.
  if (home !== undefined) builder.value(home, { parent: path, label: `class ${ownName(home)}` });
  const member = builder.known(fn);
  if (member !== undefined) return member;
  const node = functionNode(builder, fn, { ...found, syntax });
  builder.register(fn, node);
  builder.functions.push(node);
  const members = new ClassMembers(builder, node, fn);
  builder.later(() => fillFunction(builder, node, { fn, facts, scriptId, members }));
  return node;
}

function functionNode(
  builder: GraphBuilder,
  fn: Function,
  { facts, path, scriptId, syntax }: Found & { scriptId: string; syntax: FunctionSyntax },
): FunctionNode {
  const { origins } = builder.sources;
  return {
    ...builder.shell(path),
    kind: 'function',
    name: ownName(fn),
    syntax,
    captures: new Map(),
    moduleCalls: [],
    heritage: undefined,
    prototypeMember: undefined,
    url: origins.url(scriptId),
    computedKeys: new Map(),
    deleted: [],
    changedMembers: [],
    scriptId,
    place: `${scriptId} ${facts.location.line} ${facts.location.column}`,
    origin: origins.functionOrigin(scriptId, syntax.text, facts.location),
    isSloppy: isSloppy(builder, fn, { syntax, facts }),
    inside: { restores: false, slots: new Set(), hosted: [] },
    host: undefined,
    superPrototype: undefined,
  };
}

function captureBound(
  builder: GraphBuilder,
  fn: Function,
  { facts, path }: { facts: FunctionFacts; path: Path },
): Node | undefined {
  const { bound } = facts;
  if (bound === undefined) return undefined;
  captureTargets(builder, bound.target, path);
  const node: BoundNode = {
    ...builder.shell(path),
    kind: 'bound',
    // Capture the object first: doing so registers its methods as members of its class.
    boundThis: builder.value(bound.boundThis, { parent: path, label: 'bound this' }),
    target: builder.value(bound.target, { parent: path, label: 'bound function' }),
    boundArguments: bound.boundArguments.map((each, index) =>
      builder.value(each, { parent: path, label: `bound argument ${index}` }),
    ),
  };
  builder.register(fn, node);
  const length = Number(Object.getOwnPropertyDescriptor(bound.target, 'length')?.value ?? 0);
  const usual = { name: `bound ${ownName(bound.target)}`, length: Math.max(0, length - bound.boundArguments.length) };
  builder.later(() => fillShell(builder, node, fn, { usualPrototype: 'Function.prototype', skip: skipsOwn(usual) }));
  return node;
}

/** Captures the targets of a chain of bound functions, innermost first. Recursing would overflow the stack on a long chain. */
function captureTargets(builder: GraphBuilder, target: Function, path: Path): void {
  const chain: Function[] = [];
  for (let each: Function | undefined = target; each !== undefined; ) {
    if (builder.known(each) !== undefined) break;
    chain.unshift(each);
    each = builder.sources.inspector.facts(each).bound?.target;
  }
  // The innermost target isn't a bound function. It is captured as the target of the one before it.
  for (const each of chain.slice(1, -1)) builder.value(each, { parent: path, label: 'bound function' });
}

/** Skips `name` and `length` if they have their default values. A static member may use one of these names. */
const skipsOwn =
  (usual: { readonly name: unknown; readonly length: unknown }) =>
  (key: string | symbol, { value, enumerable, writable, configurable }: PropertyDescriptor): boolean => {
    if (key === 'prototype' || key === 'arguments' || key === 'caller') return enumerable !== true;
    if (key !== 'name' && key !== 'length') return false;
    return value === usual[key] && enumerable === false && writable === false && configurable === true;
  };

/** Notes the members that the function's text defines and that were deleted later. */
function findDeleted(node: FunctionNode, fn: Function): void {
  for (const key of ['name', 'length']) if (!Object.hasOwn(fn, key)) node.deleted.push(['self', key]);
  const { memberKeys } = node.syntax.class ?? {};
  const prototype = Object.getOwnPropertyDescriptor(fn, 'prototype')?.value as object | undefined;
  for (const key of memberKeys?.self ?? []) if (!Object.hasOwn(fn, key)) node.deleted.push(['self', key]);
  if (prototype === undefined) return;
  for (const key of memberKeys?.prototype ?? []) if (!Object.hasOwn(prototype, key)) node.deleted.push(['prototype', key]);
}

const prototypes = {
  plain: 'Function.prototype',
  async: '(Object.getPrototypeOf(async () => {}))',
  generator: '(Object.getPrototypeOf(function* () {}))',
  asyncGenerator: '(Object.getPrototypeOf(async function* () {}))',
} as const;

function fillFunction(
  builder: GraphBuilder,
  node: FunctionNode,
  { members, ...at }: FunctionAtHand & { readonly members: ClassMembers },
): void {
  const { syntax } = node;
  captureVariables(builder, node, at);
  captureHome(builder, node, at);
  captureStaticPrivates(builder, node, at.fn);
  node.moduleCalls.push(...syntax.moduleCalls.map((call) => moduleOf(builder, node, { ...at, call })));
  if (syntax.class?.heritage !== undefined) {
    const label = 'extends';
    node.heritage = builder.value(Reflect.getPrototypeOf(at.fn), { parent: node.path, label });
  }
  const flavour = syntax.isGenerator ? (syntax.isAsync ? 'asyncGenerator' : 'generator') : syntax.isAsync ? 'async' : 'plain';
  const usual = syntax.class?.heritage === undefined ? prototypes[flavour] : undefined;
  const skipOwn = skipsOwn({ name: node.name, length: syntax.length });
  const skip = (key: string | symbol, descriptor: PropertyDescriptor): boolean =>
    skipOwn(key, descriptor) || members.include(node, key, descriptor);
  findDeleted(node, at.fn);
  fillShell(builder, node, at.fn, { usualPrototype: usual, skip });
  if (usual === undefined) node.prototype = undefined;
  members.fillPrototype();
}

/** Returns the value of `require('x')` or `import('x')` in a text, or undefined if the replica can evaluate the call itself. */
function moduleOf(
  builder: GraphBuilder,
  node: FunctionNode,
  { scriptId, facts, call }: FunctionAtHand & { call: ModuleCall },
): Value {
  const { builtins, origins } = builder.sources;
  const { specifier, kind, callee } = call;
  const held = kind === 'require' ? heldRequire(facts, callee) : undefined;
  if (kind === 'require' && callee !== 'require' && held === undefined) return undefined;
  if (builtins.named(specifier) !== undefined) return undefined;
  const from = origins.file(scriptId) ?? join(process.cwd(), 'repl');
  const path = { parent: node.path, label: `${kind}(${JSON.stringify(specifier)})` };
  if (kind === 'import') {
    const own = origins.userNamespace(scriptId, specifier);
    const script = origins.moduleScript(scriptId, specifier);
    if (own !== undefined && script !== undefined) builder.namespaceScripts.set(own, script);
    if (own !== undefined) return shared(builder.value(own, path));
    return builder.module({ type: 'import', specifier: rooted(call), from: dirname(from) }, [], path);
  }
  try {
    const file = (held ?? createRequire(from)).resolve(specifier);
    const own = origins.userExports(file);
    return own === undefined ? builder.module({ type: 'require', file }, [], path) : shared(builder.value(own.exports, path));
  } catch {
    return builder.refuse(path, { what: `a module that can't be found from ${from}`, fix: 'install it, or check its name' });
  }
}

/** Vite writes paths of the user's own files relative to its root, with a leading slash. */
const rooted = ({ specifier, isDisguised }: ModuleCall): string =>
  isDisguised && specifier.startsWith('/') && !existsSync(specifier) ? join(process.cwd(), specifier) : specifier;

/** A value used inside a text needs its own variable, since the text may be evaluated more than once. */
function shared(value: Value): Value {
  if (isNode(value)) value.references++;
  return value;
}
