import createDebug from 'debug';
createDebug.enable('app:*');
createDebug.formatters.h = (value: unknown) => `<${String(value)}>`;
const log = createDebug('app:x');
const lines: string[] = [];
log.log = (...args: unknown[]) =>
  void lines.push(
    String(args[0])
      .replace(/^.*app:x/, '')
      .replace(/\+\d+ms/, ''),
  );
export const inputs = ['a'];
export const predictOne = (s: string) => {
  log('got %h', s);
  return [log.enabled, createDebug.enabled('other'), lines.at(-1)?.includes(`<${s}>`)];
};
