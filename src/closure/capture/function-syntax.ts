import type { FunctionFacts } from '../heap/inspector.ts';
import { peekVariable } from '../heap/scopes.ts';
import { type FunctionSyntax, readSyntax } from '../syntax/syntax.ts';
import type { GraphBuilder } from './graph-builder.ts';

const syntaxes = new Map<string, FunctionSyntax>();

/**
 * The syntax of a function. In a declaration whose variable was assigned anew the name means that variable, not the
 * function: such a text is read without its own name.
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

/** A plain function is sloppy if it has its own `caller`, or, from Node 26 on, if that of the prototype doesn't throw. */
function showsCaller(fn: Function): boolean {
  if (Object.hasOwn(fn, 'caller')) return true;
  try {
    Reflect.apply(callerOf, fn, []);
    return true;
  } catch {
    return false;
  }
}

/** Throws for strict functions; before Node 26 for all. */
const callerOf = Object.getOwnPropertyDescriptor(Function.prototype, 'caller')?.get as () => unknown;

/** Whether a function's code is sloppy: a plain one shows it, of others the script tells. */
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

/** Parsed once per text; undefined if the parser can't read it. */
function syntaxOfText(text: string): FunctionSyntax | undefined {
  const known = syntaxes.get(text) ?? readSyntax(text);
  if (known === undefined) return undefined;
  if (syntaxes.size > 5_000) syntaxes.clear();
  syntaxes.set(text, known);
  return known;
}
