import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Capture, FunctionNode, Value } from '../graph/nodes.ts';
import type { FunctionSyntax } from '../syntax/syntax.ts';
import type { SuperUse } from '../syntax/walk.ts';
import { classEdits } from './classes.ts';
import type { Edit } from './edit.ts';
import type { Helpers } from './helpers.ts';
import type { Names } from './names.ts';
import type { SourceMapper } from './source-map.ts';

/** The context in which a function is written. */
export interface Surroundings {
  readonly names: Names;
  readonly helpers: Helpers;
  readonly print: (value: Value) => string;
  readonly sources: SourceMapper;
  /** Whether the surrounding code is sloppy. */
  readonly isSloppy: boolean;
}

/** Returns a function's text as an expression of the emitted module, with captured variables renamed as in the module. */
export function functionExpression(node: FunctionNode, around: Surroundings): string {
  const { syntax } = node;
  const expression = inObject(node, { text: editedText(node, around), print: around.print });
  const needsStrict = around.isSloppy && !node.isSloppy && syntax.kind !== 'class';
  const strict = needsStrict ? `(() => { "use strict"; return ${expression}; })()` : expression;
  const shadowed = [...node.captures].filter(([name, capture]) => syntax.usesEval && isRenamed(name, capture, around));
  if (shadowed.length === 0) return strict;
  // Code in `eval` refers to a variable by its original name.
  const given = shadowed.map(([, { value }]) => around.print(value));
  return `((${shadowed.map(([name]) => name).join(', ')}) => ${strict})(${given.join(', ')})`;
}

const isRenamed = (name: string, { binding }: Capture, { names }: Surroundings): boolean =>
  binding !== undefined &&
  /^[\p{L}_$][\p{L}\d_$]*$/u.test(name) &&
  name !== 'this' &&
  name !== 'arguments' &&
  names.of(binding) !== name;

/** A method needs an object around it. The object's prototype is what `super` refers to. */
function inObject(node: FunctionNode, { text, print }: { text: string; print: (value: Value) => string }): string {
  const { syntax, superPrototype } = node;
  if (syntax.form === 'expression') return text;
  const key = JSON.stringify(plainName(node));
  const object = syntax.usesOuterSuper ? `({ __proto__: ${print(superPrototype)}, ${text} })` : `({ ${text} })`;
  return syntax.role === 'value' ? `${object}[${key}]` : `Object.getOwnPropertyDescriptor(${object}, ${key}).${syntax.role}`;
}

/** Returns the name that a function gets when its expression is assigned to the variable `identifier`. */
export function inferredName(node: FunctionNode, identifier: string, isSloppy: boolean): string {
  const { id, form, kind, usesEval } = node.syntax;
  if (form === 'method') return node.name;
  if (id !== undefined) return id.name;
  // A function wrapped in another isn't named after the variable.
  return (isSloppy && !node.isSloppy && kind !== 'class') || usesEval ? '' : identifier;
}

const plainName = ({ name, syntax }: FunctionNode): string => (syntax.role === 'value' ? name : name.replace(/^[gs]et /, ''));

function editedText(node: FunctionNode, around: Surroundings): string {
  const { syntax } = node;
  const calls = callEdits(node, around);
  // A method is named by its key, which may have been computed.
  const keys =
    syntax.form === 'method' && syntax.key !== undefined ? [{ ...syntax.key, text: JSON.stringify(plainName(node)) }] : [];
  const metas = syntax.metas.flatMap((span) => {
    const text = metaText(node.url, span.key, around.isSloppy);
    return text === undefined ? [] : [{ ...span, text }];
  });
  // A renamed `require` inside a replaced call disappears with the call.
  const inner = [...nameEdits(node, around), ...keys].filter(
    (each) => !calls.some((call) => call.start <= each.start && each.end <= call.end),
  );
  const hosted = node.inside.hosted.map((each) => {
    const expression = functionExpression(each, { ...around, isSloppy: false });
    return `${around.print(each)} = ${expression};`;
  });
  const edits = [...calls, ...inner, ...superEdits(node, around), ...classEdits(node, { ...around, hosted }), ...metas];
  return applyEdits(syntax.text, edits, (offset) => around.sources.mark(node, offset));
}

function callEdits({ syntax, moduleCalls }: FunctionNode, { print }: Surroundings): Edit[] {
  return syntax.moduleCalls.flatMap(({ kind, start, end, specifier, isDisguised }, index) => {
    const module = moduleCalls[index];
    if (module === undefined && isDisguised) return [{ start, end, text: `import(${JSON.stringify(specifier)})` }];
    if (module === undefined) return [];
    return [{ start, end, text: kind === 'import' ? `Promise.resolve(${print(module)})` : `(${print(module)})` }];
  });
}

function nameEdits({ syntax, captures }: FunctionNode, { names }: Surroundings): Edit[] {
  return [...captures].flatMap(([name, { binding }]) => {
    const given = binding === undefined ? name : names.of(binding);
    if (name === 'this') return syntax.outerThis.map((span) => ({ ...span, text: given }));
    if (given === name) return [];
    return renamed(syntax, name, given);
  });
}

function renamed({ freeNames }: FunctionSyntax, name: string, given: string): Edit[] {
  // A member of a namespace is a variable of its own.
  const [object = name, member] = name.split('.');
  const uses = freeNames.get(object)?.uses ?? [];
  if (member !== undefined) {
    return uses.flatMap((use) => (use.member?.key === member ? [{ start: use.start, end: use.member.end, text: given }] : []));
  }
  return uses.map(({ start, end, shorthand }) => ({ start, end, text: shorthand ? `${name}: ${given}` : given }));
}

/**
 * An arrow's `super` can't be set from outside, so its members are looked up on the object explicitly, for the original `this`.
 */
function superEdits({ syntax, superPrototype, captures }: FunctionNode, { print, names }: Surroundings): Edit[] {
  const self = captures.get('this')?.binding;
  if (syntax.outerSupers.length === 0 || self === undefined) return [];
  return syntax.outerSupers.flatMap((use) => superEdit(use, { home: print(superPrototype), self: names.of(self), syntax }));
}

function superEdit(
  { start, end, property, computed, call }: SuperUse,
  { home, self, syntax }: { home: string; self: string; syntax: FunctionSyntax },
): Edit[] {
  if (call !== undefined) {
    const given = call.start === call.end ? self : `${self}, `;
    return [
      { start, end: start + 'super'.length, text: home },
      { start: end, end, text: '.call' },
      { start: call.start, end: call.start, text: given },
    ];
  }
  if (!computed) {
    const key = JSON.stringify(syntax.text.slice(property.start, property.end));
    return [{ start, end, text: `Reflect.get(${home}, ${key}, ${self})` }];
  }
  return [
    { start, end: property.start, text: `Reflect.get(${home}, ` },
    { start: property.end, end, text: `, ${self})` },
  ];
}

/** Returns the text for `import.meta` of the function's original module, not the bundle's. */
function metaText(url: string | undefined, key: string | undefined, isSloppy: boolean): string | undefined {
  if (url === undefined) return undefined;
  if (key === 'url') return JSON.stringify(url);
  if (key === 'filename') return JSON.stringify(fileURLToPath(url));
  if (key === 'dirname') return JSON.stringify(dirname(fileURLToPath(url)));
  if (!isSloppy) return undefined;
  // CommonJS has no `import.meta`.
  return `({ url: ${JSON.stringify(url)} })${key === undefined ? '' : `[${JSON.stringify(key)}]`}`;
}

/** Applies edits, which must not overlap. At the same offset, insertions come first. */
function applyEdits(text: string, edits: Edit[], mark: (offset: number) => string): string {
  const parts: string[] = [];
  let at = 0;
  for (const { start, end, text: replacement } of edits.sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (at < start) parts.push(mark(at), text.slice(at, start));
    parts.push(replacement);
    at = end;
  }
  return parts.join('') + mark(at) + text.slice(at);
}

/** Returns what must be written before a function: the modules in its text, and a class's superclass and computed keys. */
export function definitionNeeds(node: FunctionNode): { readonly values: readonly Value[]; readonly names: readonly string[] } {
  const { heritage, moduleCalls, computedKeys, superPrototype, inside, syntax } = node;
  const evaluated = syntax.usesEval ? [...node.captures].filter(([name]) => name !== 'this') : [];
  const hosted = inside.hosted.map(definitionNeeds);
  return {
    values: [
      heritage,
      ...moduleCalls,
      ...computedKeys.values(),
      superPrototype,
      ...evaluated.map(([, { value }]) => value),
      ...hosted.flatMap(({ values }) => values),
    ],
    names: [...(syntax.class?.keyNames ?? []), ...hosted.flatMap(({ names }) => names)],
  };
}
