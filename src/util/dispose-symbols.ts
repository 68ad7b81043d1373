// Node 20 creates vm contexts, such as vitest's vm pools, without these symbols. Compilers fall back to the same ones.
const symbols: { dispose?: symbol; asyncDispose?: symbol } = Symbol;
symbols.dispose ??= Symbol.for('Symbol.dispose');
symbols.asyncDispose ??= Symbol.for('Symbol.asyncDispose');
