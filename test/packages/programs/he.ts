import he from 'he';
he.encode.options.useNamedReferences = true;
he.decode.options.strict = false;
export const inputs = ['é < 1', '&eacute;'];
export const predictOne = (s: string) => [he.encode(s), he.decode(s)];
