const { transformSync } = require('esbuild');

exports.process = (source, sourcefile) =>
  transformSync(source, {
    loader: 'ts',
    format: 'cjs',
    target: 'node20',
    sourcemap: 'inline',
    sourcefile,
    define: { 'import.meta.dirname': '__dirname' },
  });
