// A vm context that Node 20 makes, such as one of vitest's vm pools, lacks these; compilers fall back to the same symbols.
const symbols: { dispose?: symbol; asyncDispose?: symbol } = Symbol;
symbols.dispose ??= Symbol.for('Symbol.dispose');
symbols.asyncDispose ??= Symbol.for('Symbol.asyncDispose');
