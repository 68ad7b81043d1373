import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** A line to type in, once the program has printed something since the one before. */
export type Typed = readonly [after: string, line: string];

/** Types lines into a program of Node, and gives all that it prints until it ends. */
export async function typedInto(args: readonly string[], cwd: string, lines: readonly Typed[]): Promise<string> {
  const program = spawn(process.execPath, args, { cwd, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(program, 'exit');
  let printed = '';
  let seen = 0;
  let next = 0;
  for await (const chunk of program.stdout.setEncoding('utf8')) {
    printed += chunk as string;
    const [after, line] = lines[next] ?? [];
    if (after === undefined || !printed.slice(seen).includes(after)) continue;
    seen = printed.length;
    next++;
    program.stdin.write(`${line}\n`);
  }
  await ended;
  return printed;
}
