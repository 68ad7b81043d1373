import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Plugin } from 'esbuild';
import type { PackageImport } from '../closure/emit/modules.ts';
import { allCalls } from '../closure/graph/nodes.ts';

/** Private variables to expose from a module: those at its top level, or of a function in it. */
interface Inside {
  readonly isModule: boolean;
  readonly at: number | undefined;
  readonly names: Set<string>;
}

/** Returns the private variables to expose, by file. */
function insidesByFile(packages: readonly PackageImport[]): ReadonlyMap<string, readonly Inside[]> {
  const byFile = new Map<string, Inside[]>();
  for (const { source, member } of packages) {
    if (source.type !== 'inside') continue;
    const { isModule, at } = source;
    const insides = byFile.get(source.file) ?? [];
    byFile.set(source.file, insides);
    const inside = insides.find((each) => each.at === at) ?? { isModule, at, names: new Set() };
    for (const name of member[0] === allCalls ? member.slice(1) : member.slice(0, 1)) inside.names.add(name);
    if (!insides.includes(inside)) insides.push(inside);
  }
  return byFile;
}

const setter = /^set (.*)$/;
const privateAccess = /^(get|set|has) (#.*)$/;

/** Prints an object that exposes variables: `x` is a getter of the variable, `set x` a function that assigns it. */
function printInside({ names }: Inside): string {
  const members = [...names].map((name) => {
    const [, access, key] = privateAccess.exec(name) ?? [];
    if (access === 'has') return `"${name}"($object) { return ${key} in $object; }`;
    if (access === 'get') return `"${name}"($object) { return $object.${key}; }`;
    if (access === 'set') return `"${name}"($object, $value) { $object.${key} = $value; }`;
    const variable = setter.exec(name)?.[1];
    return variable === undefined ? `get ${name}() { return ${name}; }` : `"${name}"($value) { ${variable} = $value; }`;
  });
  return `{ ${members.join(', ')} }`;
}

/** The expression of the list in which a module's function exposes its variables, one entry per call. */
const insideCalls = (file: string, at: number): string =>
  `((globalThis["clipper-ts.insides"] ??= {})[${JSON.stringify(`${file}:${at}`)}] ??= [])`;

/**
 * Returns the expression for the exposed variables of a module's function: a single variable of its first call, or all calls.
 */
export const insideFunction = (file: string, at: number, member: readonly string[]): string =>
  insideCalls(file, at) + (member[0] === allCalls ? '' : `[0]?.[${JSON.stringify(member[0])}]`);

/** Returns the text of a module that exposes variables, with those at its top level exposed at the end. */
function lettingOut(file: string, text: string, { insides, target }: { insides: readonly Inside[]; target: string }): string {
  const [top] = insides.filter(({ at }) => at === undefined);
  let changed = text;
  const inner = insides.filter((each): each is Inside & { at: number } => each.at !== undefined);
  for (const inside of inner.sort((a, b) => b.at - a.at)) {
    const letOut = `${insideCalls(file, inside.at)}.push(${printInside(inside)});`;
    const isOfClass = [...inside.names].some((name) => privateAccess.test(name));
    const statement = isOfClass ? ` static { ${letOut} }` : `;${letOut}`;
    changed = `${changed.slice(0, inside.at)}${statement}${changed.slice(inside.at)}`;
  }
  if (top === undefined) return changed;
  return `${changed}\n;${top.isModule ? `export const ${insideVariable(file)}` : target} = ${printInside(top)};`;
}

/**
 * Returns the name under which an ES module exposes its variables. It is unique per file, since modules may re-export each
 * other.
 */
export const insideVariable = (file: string): string =>
  `__clipperInside${createHash('sha256').update(file).digest('hex').slice(0, 12)}`;

/** Exposes private variables of bundled modules. */
export const insidesOf = (packages: readonly PackageImport[]): Plugin => ({
  name: 'captured-insides',
  setup({ onLoad }) {
    for (const [file, insides] of insidesByFile(packages)) {
      const target = `__clipperInsides[${JSON.stringify(file)}]`;
      onLoad({ filter: exactly(file) }, async () => {
        const contents = lettingOut(file, await readFile(file, 'utf8'), { insides, target });
        return { contents, loader: 'default', resolveDir: dirname(file) };
      });
    }
  },
});

/**
 * Returns functions that change the text of kept packages' files so that they expose variables. CommonJS modules expose them as
 * `module.__clipperInside`.
 */
export function keptInsidesOf(packages: readonly PackageImport[]): ReadonlyMap<string, (text: string) => string> {
  const entries = [...insidesByFile(packages)];
  const target = 'module.__clipperInside';
  return new Map(entries.map(([file, insides]) => [file, (text) => lettingOut(file, text, { insides, target })]));
}

const exactly = (path: string): RegExp => new RegExp(`^${path.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`);
