import { withoutSecrets } from './secret-rules.ts';

/** How a value was reached: a linked list of steps that starts at the innermost one. */
export interface Path {
  readonly parent: Path | undefined;
  /** The step as text, or the key of the property that was followed. */
  readonly label: string | symbol;
  readonly isKey?: boolean;
}

const shownEnd = 12;

function keyLabel(key: string | symbol): string {
  if (typeof key === 'symbol') return `[${String(key)}]`;
  if (/^\d+$/.test(key)) return `[${key}]`;
  return /^#?[\p{L}_$][\p{L}\d_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** `predict → captured "db" → .pool` */
export function printPath(path: Path): string {
  const labels: string[] = [];
  for (let step: Path | undefined = path; step !== undefined; step = step.parent) {
    const label = typeof step.label === 'string' ? withoutSecrets(step.label) : step.label;
    labels.push(step.isKey === true ? keyLabel(label) : String(label));
  }
  labels.reverse();
  // For a long path, its beginning and end are enough.
  if (labels.length > 2 * shownEnd) labels.splice(shownEnd, labels.length - 2 * shownEnd, '…');
  return labels.join(' → ');
}
