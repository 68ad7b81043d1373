import { parse } from 'acorn';
import { analyze, type Scope } from 'eslint-scope';
import type { Place } from '../graph/source-place.ts';
import { bodyStart, constantNames, declaredNames, functionNames, topLevelNames } from '../syntax/top-level.ts';
import { type Ast, isAst, type Span } from '../syntax/walk.ts';

const scopeOptions = { ecmaVersion: 2022, ignoreEval: true } as const;

/** A block of statements, or the top level of a script. */
export interface Block {
  /** The offset at which its statements begin, after directives. Undefined for the top level. */
  readonly start: number | undefined;
  /** Its variables that are never assigned. */
  readonly constants: ReadonlySet<string>;
  /** The functions that it declares. */
  readonly functions: ReadonlySet<string>;
}

/** Scripts arrive as their loader wrapped them. */
const lenient = {
  ecmaVersion: 'latest',
  allowHashBang: true,
  allowReturnOutsideFunction: true,
  allowAwaitOutsideFunction: true,
  allowSuperOutsideMethod: true,
  // The scope analysis needs ranges.
  ranges: true,
} as const;

/** The source of a script and the functions in it. Parsed only when a question requires it. */
export class ScriptText {
  readonly source: string;
  readonly isModule: boolean;
  #lineStarts: number[] | undefined;
  #program: Ast | null | undefined;
  #strictSpans: readonly Span[] | undefined;
  #topLevel: ReadonlySet<string> | undefined;
  #scopes: readonly Scope[] | undefined;
  /** The scopes around the last requested position. */
  #around: { readonly offset: number; readonly scopes: readonly Scope[] } | undefined;

  constructor(source: string, isModule: boolean) {
    this.source = source;
    this.isModule = isModule;
  }

  offsetOf({ line, column }: Place): number {
    return (this.#starts[line] ?? this.source.length) + column;
  }

  placeOf(offset: number): Place {
    const starts = this.#starts;
    let low = 0;
    for (let high = starts.length - 1; low < high; ) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low, column: offset - (starts[low] ?? 0) };
  }

  /** Returns the offset at which a function's text begins, by its position. Undefined if the text there differs. */
  startOf(text: string, inside: Place): number | undefined {
    const offset = this.offsetOf(inside);
    const start = this.source.lastIndexOf(text, offset);
    return start !== -1 && offset <= start + text.length ? start : undefined;
  }

  /** Whether the code at a position is strict. */
  isStrictAt(place: Place): boolean {
    if (this.isModule) return true;
    this.#strictSpans ??= this.#findStrict();
    const offset = this.offsetOf(place);
    return this.#strictSpans.some((span) => holds(span, offset));
  }

  /** Whether anything other than its declaration assigns the variable that a name means at a position. */
  assigns(name: string, place: Place): boolean {
    this.#program ??= this.#parse();
    if (this.#program === null) return true;
    this.#scopes ??= analyze(this.#program as never, { ...scopeOptions, sourceType: this.isModule ? 'module' : 'script' }).scopes;
    const offset = this.offsetOf(place);
    if (this.#around?.offset !== offset) {
      this.#around = { offset, scopes: this.#scopes.filter(({ block }) => holds(block as unknown as Ast, offset)) };
    }
    const variable = this.#around.scopes.findLast(({ set }) => set.has(name))?.set.get(name);
    return variable?.references.some((reference) => reference.isWrite() && reference.init !== true) ?? true;
  }

  /** Whether the script declares a variable at its top level. */
  declares(name: string): boolean {
    this.#program ??= this.#parse();
    this.#topLevel ??= this.#program === null ? new Set() : topLevelNames(this.#program);
    return this.#topLevel.has(name);
  }

  /**
   * Returns the block around a position that declares these variables, or undefined if they belong to something without a
   * block.
   */
  scopeAround(place: Place, names: readonly string[]): Block | undefined {
    const offset = this.offsetOf(place);
    const around = this.#nodes((node) => holds(node, offset));
    for (const block of around.filter(({ type }) => type === 'BlockStatement').toReversed()) {
      const params = around.find(({ body }) => body === block)?.params;
      const declared = declaredNames(params, block);
      if (names.every((name) => declared.has(name)))
        return { start: bodyStart(block), constants: constantNames(block), functions: functionNames(block) };
    }
    const program = around[0];
    return program !== undefined && names.every((name) => this.declares(name))
      ? { start: undefined, constants: constantNames(program), functions: functionNames(program) }
      : undefined;
  }

  /**
   * Returns the offset at which a class's body begins, by the class's text and position. Undefined unless the class declares
   * this private name.
   */
  classAround(text: string, inside: Place, name: string): number | undefined {
    const start = this.startOf(text, inside);
    if (start === undefined) return undefined;
    const found = this.#nodes((node) => holds(node, start)).find(
      (node) => /^Class(?:Declaration|Expression)$/.test(node.type) && node.start === start && node.end === start + text.length,
    );
    const { start: bodyOffset, body: members } = (found?.body ?? {}) as Partial<Ast>;
    const isDeclared = ((members ?? []) as readonly Ast[]).some(
      ({ key }) => isAst(key) && key.type === 'PrivateIdentifier' && `#${String(key.name)}` === name,
    );
    return isDeclared && bodyOffset !== undefined ? bodyOffset + 1 : undefined;
  }

  /** Whether the function with this text at a position is a declaration and not an expression. */
  isDeclaration(text: string, inside: Place): boolean {
    const offset = this.offsetOf(inside);
    return this.#nodes((node) => holds(node, offset)).some(
      ({ type, start, end }) =>
        (type === 'FunctionDeclaration' || type === 'ClassDeclaration') && this.source.slice(start, end) === text,
    );
  }

  #findStrict(): readonly Span[] {
    if (!/use strict|\bclass\b/.test(this.source)) return [];
    const isStrict = (node: Ast): boolean =>
      node.type.startsWith('Class') || hasDirective(node.type === 'Program' ? node : (node.body as Ast | undefined));
    return this.#nodes(() => true).filter(isStrict);
  }

  /** Returns the nodes of the script that are reachable through nodes that pass the test. */
  #nodes(passes: (node: Ast) => boolean): readonly Ast[] {
    this.#program ??= this.#parse();
    const found: Ast[] = this.#program === null ? [] : [this.#program];
    for (let index = 0; index < found.length; index++) {
      for (const child of Object.values(found[index] as Ast).flat()) if (isAst(child) && passes(child)) found.push(child);
    }
    return found;
  }

  #parse(): Ast | null {
    try {
      return parse(this.source, { ...lenient, sourceType: this.isModule ? 'module' : 'script' }) as unknown as Ast;
    } catch {
      return null;
    }
  }

  get #starts(): readonly number[] {
    if (this.#lineStarts !== undefined) return this.#lineStarts;
    this.#lineStarts = [0];
    for (let at = this.source.indexOf('\n'); at !== -1; at = this.source.indexOf('\n', at + 1)) this.#lineStarts.push(at + 1);
    return this.#lineStarts;
  }
}

const holds = ({ start, end }: Span, offset: number): boolean => start <= offset && offset <= end;

function hasDirective(node: Ast | undefined): boolean {
  if (!Array.isArray(node?.body)) return false;
  return (node.body as Ast[]).some(({ directive }) => directive === 'use strict');
}
