import { type Ast, isAst } from './walk.ts';

/**
 * Returns the variables that a script declares at its top level: outside functions and, unless they are `var`, outside blocks.
 */
export function topLevelNames(program: Ast): ReadonlySet<string> {
  const names = new Set<string>();
  const statements = (program.body as readonly Ast[]).map(({ declaration, ...statement }) =>
    isAst(declaration) ? declaration : (statement as Ast),
  );
  for (const statement of statements) {
    if (isAst(statement.id) && /^(?:Function|Class)Declaration$/.test(statement.type)) addNames(names, statement.id);
    if (statement.type === 'VariableDeclaration') addDeclared(names, statement);
    if (statement.type === 'ImportDeclaration') for (const { local } of statement.specifiers as Ast[]) addNames(names, local);
    addHoisted(names, statement);
  }
  return names;
}

/** Returns the variables that a function declares outside its inner blocks, including its parameters. */
export function declaredNames(params: unknown, body: Ast): ReadonlySet<string> {
  const names = new Set(topLevelNames(body));
  for (const param of (params ?? []) as readonly unknown[]) addNames(names, param);
  return names;
}

/** Returns the variables that a block declares with `const`. */
export function constantNames({ body }: Ast): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { declaration, ...statement } of body as readonly Ast[]) {
    const { type, kind, ...rest } = isAst(declaration) ? declaration : (statement as Ast);
    if (type === 'VariableDeclaration' && kind === 'const') addDeclared(names, { ...rest, type });
  }
  return names;
}

/** Returns the functions that a block declares. */
export const functionNames = ({ body }: Ast): ReadonlySet<string> =>
  new Set(
    (body as readonly Ast[]).flatMap(({ type, id }) => (type === 'FunctionDeclaration' && isAst(id) ? [String(id.name)] : [])),
  );

/** Returns the offset at which a function's statements begin, after its directives. */
export function bodyStart({ start, body }: Ast): number {
  const directives = (body as readonly Ast[]).filter(({ directive }) => directive !== undefined);
  return directives.at(-1)?.end ?? start + 1;
}

/** Adds the `var` declarations of a statement and of the blocks in it. */
function addHoisted(names: Set<string>, node: Ast): void {
  if (node.type === 'VariableDeclaration' && node.kind === 'var') return addDeclared(names, node);
  // Neither expressions nor functions contain statements that matter here.
  if (!/Statement$|^(?:SwitchCase|CatchClause)$/.test(node.type) || node.type === 'ExpressionStatement') return;
  for (const child of Object.values(node).flat()) if (isAst(child)) addHoisted(names, child);
}

function addDeclared(names: Set<string>, { declarations }: Ast): void {
  for (const { id } of declarations as readonly Ast[]) addNames(names, id);
}

/** Adds the names that a pattern binds. */
function addNames(names: Set<string>, pattern: unknown): void {
  if (!isAst(pattern)) return;
  const { type, name, elements, properties, left, argument, value } = pattern;
  if (type === 'Identifier') names.add(name as string);
  for (const inner of [elements, properties, left, argument, value].flat()) addNames(names, inner);
}
