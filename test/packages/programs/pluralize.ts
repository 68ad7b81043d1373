import pluralize from 'pluralize';
pluralize.addIrregularRule('regex', 'regexen');
pluralize.addUncountableRule('paper');
pluralize.addPluralRule(/gex$/i, 'gexii');
export const inputs = ['regex', 'paper', 'cat', 'vgex'];
export const predictOne = (s: string) => [pluralize(s), pluralize.isPlural(s), pluralize(s, 2, true)];
