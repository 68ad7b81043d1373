import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FunctionNode, Value } from './graph.ts';
import type { Names } from './names.ts';
import type { Span } from './syntax-walk.ts';

interface Replacement extends Span {
  readonly text: string;
}

/** A function's text as an expression in the emitted module, with captured names as they are called there. */
export function functionExpression(node: FunctionNode, names: Names, print: (value: Value) => string): string {
  const text = replaceAll(node.syntax.text, replacements(node, names, print));
  if (node.syntax.form === 'expression') return text;
  const key = JSON.stringify(plainName(node));
  const { role } = node.syntax;
  if (role === 'value') return `({ ${text} })[${key}]`;
  return `Object.getOwnPropertyDescriptor({ ${text} }, ${key}).${role}`;
}

/** The name that the expression gives its function when it is assigned to the variable `identifier`. */
export function inferredName(node: FunctionNode, identifier: string): string {
  const { id, form } = node.syntax;
  if (form === 'method') return node.name;
  return id === undefined ? identifier : id.name;
}

const plainName = ({ name, syntax }: FunctionNode): string => (syntax.role === 'value' ? name : name.replace(/^[gs]et /, ''));

function replacements(node: FunctionNode, names: Names, print: (value: Value) => string): Replacement[] {
  const { syntax, captures, moduleCalls, heritage } = node;
  const calls = syntax.moduleCalls.flatMap(({ kind, start, end }, index) => {
    const module = moduleCalls[index];
    if (module === undefined) return [];
    return [{ start, end, text: kind === 'import' ? `Promise.resolve(${print(module)})` : `(${print(module)})` }];
  });
  const renamed = [...captures].flatMap(([name, { binding }]) => {
    const given = binding === undefined ? name : names.of(binding);
    if (name === 'this') return syntax.outerThis.map((span) => ({ ...span, text: given }));
    if (given === name) return [];
    // A member of a namespace is a variable of its own.
    const [object = name, member] = name.split('.');
    const uses = syntax.freeNames.get(object)?.uses ?? [];
    if (member !== undefined) {
      return uses.flatMap((use) => (use.member?.key === member ? [{ start: use.start, end: use.member.end, text: given }] : []));
    }
    return uses.map(({ start, end, shorthand }) => ({ start, end, text: shorthand ? `${name}: ${given}` : given }));
  });
  // A method is named by its key, which may have been computed.
  const keys =
    syntax.form === 'method' && syntax.key !== undefined ? [{ ...syntax.key, text: JSON.stringify(plainName(node)) }] : [];
  const parts = syntax.class;
  const base = parts?.heritage === undefined ? [] : [{ ...parts.heritage, text: `(${print(heritage)})` }];
  // A semicolon, for the member before may have ended with its line.
  const statics = (parts?.statics ?? []).map((span) => ({ ...span, text: ';' }));
  const computed = (parts?.computedKeys ?? []).map(({ start, end }) => {
    // A member that was taken off the class since has no key that anyone could know.
    const key = node.computedKeys.get(start);
    return { start, end, text: key === undefined ? 'Symbol()' : print(key) };
  });
  const metas = syntax.metas.flatMap(({ start, end, key }) => {
    const text = metaText(node.url, key);
    return text === undefined ? [] : [{ start, end, text }];
  });
  // A renamed `require` inside a replaced call goes with the call.
  const inner = [...renamed, ...keys].filter((each) => !calls.some((call) => call.start <= each.start && each.end <= call.end));
  return [...calls, ...inner, ...base, ...statics, ...computed, ...metas];
}

/** What `import.meta` said in the module that the text is from, rather than what it would say in the bundle. */
function metaText(url: string | undefined, key: string): string | undefined {
  if (url === undefined) return undefined;
  if (key === 'url') return JSON.stringify(url);
  if (key === 'filename') return JSON.stringify(fileURLToPath(url));
  return key === 'dirname' ? JSON.stringify(dirname(fileURLToPath(url))) : undefined;
}

function replaceAll(text: string, replacements: Replacement[]): string {
  if (replacements.length === 0) return text;
  const parts: string[] = [];
  let at = 0;
  for (const { start, end, text: replacement } of replacements.sort((a, b) => a.start - b.start)) {
    parts.push(text.slice(at, start), replacement);
    at = end;
  }
  return parts.join('') + text.slice(at);
}

/** What must be written before a function: the modules in its text, and of a class its superclass and computed keys. */
export function definitionNeeds(node: FunctionNode): { readonly values: readonly Value[]; readonly names: readonly string[] } {
  return {
    values: [node.heritage, ...node.moduleCalls, ...node.computedKeys.values()],
    names: [...(node.syntax.class?.keyNames ?? [])],
  };
}
