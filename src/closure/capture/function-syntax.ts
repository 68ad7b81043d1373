import type { FunctionFacts } from '../heap/inspector.ts';
import { peekVariable } from '../heap/scopes.ts';
import { type FunctionSyntax, readSyntax } from '../syntax/syntax.ts';
import type { GraphBuilder } from './graph-builder.ts';

const syntaxes = new Map<string, FunctionSyntax>();

/**
 * Returns the syntax of a function. If the variable that a declaration created was reassigned, the name in its text refers to
 * that variable and not to the function, so the text is parsed without its own name.
 */
export function syntaxOf(builder: GraphBuilder, fn: Function, facts: FunctionFacts): FunctionSyntax | undefined {
  const syntax = syntaxOfText(Function.prototype.toString.call(fn));
  if (syntax === undefined) return undefined;
  const { id, text } = syntax;
  if (id === undefined || facts.scriptId === undefined) return syntax;
  const scope = facts.scopes.find(({ type, variables }) => type !== 'global' && Object.hasOwn(variables, id.name));
  const global = builder.sources.intrinsics.meaning(id.name);
  const isGlobal = scope === undefined && global.kind === 'user';
  const variable = isGlobal ? global : scope && { value: peekVariable(scope, id.name) };
  if (variable === undefined || (variable.value === fn && !syntax.writesOwnName)) return syntax;
  if (!builder.sources.origins.text(facts.scriptId).isDeclaration(text, facts.location)) return syntax;
  return syntaxOfText(text.slice(0, id.start) + text.slice(id.end));
}

/**
 * Whether a plain function is sloppy: it has its own `caller`, or (Node 26 and later) the prototype's `caller` getter doesn't
 * throw for it.
 */
function showsCaller(fn: Function): boolean {
  if (Object.hasOwn(fn, 'caller')) return true;
  try {
    Reflect.apply(callerOf, fn, []);
    return true;
  } catch {
    return false;
  }
}

/** Throws for strict functions. Before Node 26, throws for all functions. */
const callerOf = Object.getOwnPropertyDescriptor(Function.prototype, 'caller')?.get as () => unknown;

/** Whether a function's code is sloppy. A plain function reveals it itself; for others, the script's text is checked. */
export function isSloppy(
  builder: GraphBuilder,
  fn: Function,
  { syntax, facts }: { syntax: FunctionSyntax; facts: FunctionFacts },
): boolean {
  if (syntax.kind === 'class' || facts.scriptId === undefined) return false;
  const isOrdinary = syntax.kind === 'function' && syntax.form === 'expression' && !syntax.isAsync && !syntax.isGenerator;
  if (isOrdinary) return showsCaller(fn);
  if (/^[^{]*\{\s*(['"])use strict\1/.test(syntax.text)) return false;
  return !builder.sources.origins.text(facts.scriptId).isStrictAt(facts.location);
}

/** Parses each text once. Returns undefined if the parser can't read it. */
function syntaxOfText(text: string): FunctionSyntax | undefined {
  const known = syntaxes.get(text) ?? readSyntax(text);
  if (known === undefined) return undefined;
  if (syntaxes.size > 5_000) syntaxes.clear();
  syntaxes.set(text, known);
  return known;
}
