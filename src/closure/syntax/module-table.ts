import { parse } from 'acorn';
import type { Ast } from './walk.ts';

/** Where a module's name comes from: `imported` of `specifier`. `*` stands for the whole namespace. */
export interface ImportedName {
  readonly specifier: string;
  readonly imported: string;
}

/** The names that an ES module imports and exports, according to its text. */
export interface ModuleTable {
  readonly imports: ReadonlyMap<string, ImportedName>;
  /** Maps an exported name to the local variable. */
  readonly exports: ReadonlyMap<string, string>;
  /** Maps an exported name to the module that it is re-exported from. */
  readonly reExports: ReadonlyMap<string, ImportedName>;
  /** Specifiers of `export * from`. */
  readonly stars: readonly string[];
  /** Specifiers of everything that it imports or re-exports, in order. */
  readonly specifiers: readonly string[];
  /** Specifiers of imports that bind no name. */
  readonly effects: readonly string[];
}

/** Reads the import and export declarations of a module's source text, as V8 compiled it. */
export function readModuleTable(source: string): ModuleTable {
  const program = parse(source, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true }) as unknown as Ast;
  const table = {
    imports: new Map<string, ImportedName>(),
    exports: new Map<string, string>(),
    reExports: new Map<string, ImportedName>(),
    stars: [] as string[],
    specifiers: [] as string[],
    effects: [] as string[],
  };
  for (const statement of program.body as Ast[]) {
    if (statement.source != null) table.specifiers.push(String((statement.source as Ast).value));
    if (statement.type === 'ImportDeclaration' && (statement.specifiers as Ast[]).length === 0) {
      table.effects.push(String((statement.source as Ast).value));
    }
    if (statement.type === 'ImportDeclaration') readImport(statement, table.imports);
    else if (statement.type === 'ExportNamedDeclaration') readExport(statement, table);
    else if (statement.type === 'ExportDefaultDeclaration') {
      const id = (statement.declaration as Ast).id as Ast | null | undefined;
      if (id != null) table.exports.set('default', nameOf(id));
    } else if (statement.type === 'ExportAllDeclaration') {
      const specifier = String((statement.source as Ast).value);
      if (statement.exported === null) table.stars.push(specifier);
      else table.reExports.set(nameOf(statement.exported as Ast), { specifier, imported: '*' });
    }
  }
  return table;
}

/** Returns an identifier's name, or the text of a string used as one. */
const nameOf = (node: Ast): string => (node.name ?? node.value) as string;

function readImport(statement: Ast, imports: Map<string, ImportedName>): void {
  const specifier = String((statement.source as Ast).value);
  for (const each of statement.specifiers as Ast[]) {
    const named = each.type === 'ImportSpecifier' ? nameOf(each.imported as Ast) : undefined;
    const imported = named ?? (each.type === 'ImportDefaultSpecifier' ? 'default' : '*');
    imports.set(nameOf(each.local as Ast), { specifier, imported });
  }
}

function readExport(statement: Ast, table: { exports: Map<string, string>; reExports: Map<string, ImportedName> }): void {
  const source = statement.source as Ast | null;
  for (const each of statement.specifiers as Ast[]) {
    const exported = nameOf(each.exported as Ast);
    const local = nameOf(each.local as Ast);
    if (source === null) table.exports.set(exported, local);
    else table.reExports.set(exported, { specifier: String(source.value), imported: local });
  }
  const declaration = statement.declaration as Ast | null;
  if (declaration === null) return;
  // Names inside a destructuring pattern are skipped; they are rare.
  const declared =
    declaration.type === 'VariableDeclaration'
      ? (declaration.declarations as Ast[]).map(({ id }) => id as Ast)
      : [declaration.id as Ast];
  for (const id of declared) {
    if (id.type === 'Identifier') table.exports.set(nameOf(id), nameOf(id));
  }
}
