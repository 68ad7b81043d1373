const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { transformSync } = require('esbuild');

const ownText = readFileSync(__filename);

exports.getCacheKey = (source, sourcefile, { supportsStaticESM }) =>
  createHash('sha256').update(ownText).update(`\0${sourcefile}\0${supportsStaticESM}\0`).update(source).digest('hex');

exports.process = (source, sourcefile, { supportsStaticESM }) =>
  transformSync(source, {
    loader: 'ts',
    // From Node 24 on, jest loads the ES modules of packages as such.
    format: supportsStaticESM ? 'esm' : 'cjs',
    target: 'node20',
    sourcemap: 'inline',
    sourcesContent: false,
    sourcefile,
    define: { 'import.meta.dirname': '__dirname' },
  });
